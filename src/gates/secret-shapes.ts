import type { Finding } from "./gate.ts";

/** Shapes of credentials by the issuers' own formats. Each is linear to match. */
const SHAPES: readonly { what: string; shape: RegExp }[] = [
  { what: "private key", shape: /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/ },
  { what: "Databricks token", shape: /\bdapi[0-9a-f]{32}(?:-\d+)?\b/ },
  { what: "Databricks OAuth secret", shape: /\bdose[0-9a-f]{32}\b/ },
  { what: "AWS access key", shape: /\b(?:AKIA|ASIA)[A-Z2-7]{16}\b/ },
  { what: "GitHub token", shape: /\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})\b/ },
  { what: "GitLab token", shape: /\bglpat-[A-Za-z0-9_-]{20,}/ },
  { what: "Slack token", shape: /\bxox[abprs]-[A-Za-z0-9-]{20,}/ },
  { what: "Google API key", shape: /\bAIza[A-Za-z0-9_-]{35}\b/ },
  { what: "Azure storage key", shape: /\bAccountKey=[A-Za-z0-9+/]{80,}==/ },
  { what: "Azure client secret", shape: /\b[A-Za-z0-9_~.-]{3}8Q~[A-Za-z0-9_~.-]{34}/ },
  { what: "Stripe key", shape: /\b[sr]k_live_[A-Za-z0-9]{20,}\b/ },
  { what: "npm token", shape: /\bnpm_[A-Za-z0-9]{36}\b/ },
  { what: "PyPI token", shape: /\bpypi-AgEI[A-Za-z0-9_-]{50,}/ },
  { what: "AI provider key", shape: /\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}\b/ },
  { what: "JSON web token", shape: /\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/ },
  { what: "password in a URL", shape: /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s/:@"'{}$<>]{1,64}:[^\s/@"'{}$<>]{3,128}@/i },
];
const ASSIGNED =
  /\b[\w-]{0,40}(?:password|passwd|secret|token|api[_-]?key|access[_-]?key)[\w-]{0,20}["']?\s*[:=]\s*["']([^"'\s]{12,200})["']/i;
const MIN_ENTROPY_BITS = 3.2;

/** The kinds of secret that a line seems to hold; never the secret itself. Pure. */
export function secretsInLine(line: string): string[] {
  const found = SHAPES.filter(({ shape }) => shape.test(line)).map(({ what }) => what);
  const assigned = ASSIGNED.exec(line)?.[1];
  // A reference such as ${{ secrets.X }} or <your token> names a secret without holding one.
  if (
    found.length === 0 &&
    assigned !== undefined &&
    !/[{}$<>]|^(?:x+|\*+|\.+)$/i.test(assigned) &&
    entropyBits(assigned) >= MIN_ENTROPY_BITS &&
    /\d/.test(assigned)
  ) {
    found.push("assigned secret");
  }
  return found;
}

/** As it is spoken: an AWS key, an npm token. */
function article(what: string): string {
  return /^(?:[aeiou]|npm)/i.test(what) ? "an" : "a";
}

/** Shannon entropy in bits a character. */
function entropyBits(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  return [...counts.values()].reduce((sum, n) => sum - (n / text.length) * Math.log2(n / text.length), 0);
}

/**
 * Findings of one file's text, line by line: the caller may stop or let others run in between. Long lines are read in overlapping
 * pieces so that no shape is cut.
 */
export function* searchText(text: string, file: string): Generator<Finding[]> {
  let number = 0;
  for (let start = 0; start <= text.length; number++) {
    const end = text.indexOf("\n", start);
    const line = text.slice(start, end === -1 ? text.length : end);
    start += line.length + 1;
    const seen = new Set<string>();
    for (const piece of pieces(line)) {
      const fresh = secretsInLine(piece).filter((what) => !seen.has(what));
      for (const what of fresh) seen.add(what);
      yield fresh.map((what) => ({
        message: `looks like ${article(what)} ${what}`,
        where: `${file}:${number + 1}`,
        fix: "remove it, revoke it at its issuer, and rewrite the history that holds it",
      }));
    }
  }
}

const PIECE = 16_384;
/** Longer than the longest token that issuers hand out. */
const OVERLAP = 8192;

function pieces(line: string): string[] {
  if (line.length <= PIECE) return [line];
  return Array.from({ length: Math.ceil(line.length / (PIECE - OVERLAP)) }, (_, i) =>
    line.slice(i * (PIECE - OVERLAP), i * (PIECE - OVERLAP) + PIECE),
  );
}
