import { showHidden } from "./hidden-characters.ts";

/** Shapes of secrets that may slip into messages; the writers mask them before anything is shown or kept. */
const SHAPES: readonly RegExp[] = [
  /\bd(?:api|kea|ose|sapi)[0-9a-f]{32}(?:-\d+)?\b/g,
  /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}/g,
  /\bgh[pousr]_[A-Za-z0-9]{36,}\b/g,
  /\bgithub_pat_[A-Za-z0-9_]{60,}\b/g,
  /\bglpat-[A-Za-z0-9_-]{20,}/g,
  /\bxox[abeoprs]-[A-Za-z0-9-]{20,}/g,
  /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g,
  /\bAIza[A-Za-z0-9_-]{35}/g,
  /\bya29\.[A-Za-z0-9_-]{20,}/g,
  /[A-Za-z0-9_~.-]{3}8Q~[A-Za-z0-9_~.-]{31,}/g,
  /\bnpm_[A-Za-z0-9]{36}\b/g,
  /\bpypi-AgEI[A-Za-z0-9_-]{50,}/g,
  /\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}/g,
  /\bhf_[A-Za-z0-9]{30,}\b/g,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /\b(?:Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{12,}/gi,
];
/** What follows such a name is a secret, whatever its shape: in JSON, in a form, in a query, in a header. */
const NAMED =
  /((?:(?:access|refresh|id|subject|session|security|management)[_-]?token|client[_-]?(?:secret|assertion)|account[_-]?key|password|x-(?:amz|goog)-signature|[?&]sig)["']?\s*[=:]\s*["']?)([^\s"'&,;<>{}()•]{12,})/gi;
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:)[^\s/@]+@/gi;

/** Secrets that came from a file or a server while we ran. */
const learnt = new Set<string>();

/** From now on this value is masked wherever anything is shown; returns it. */
export function learnSecret(value: string): string {
  learnt.add(value);
  return value;
}

/** Whether the text holds something with the shape of a secret: for what is kept for ever, or given away, as it is. */
export function holdsSecret(text: string): boolean {
  return withoutShapes(text) !== text;
}

function withoutShapes(text: string): string {
  let out = text.replace(URL_PASSWORD, "$1••••@");
  for (const shape of SHAPES) out = out.replace(shape, "••••");
  return out.replace(NAMED, "$1••••");
}

/** The text with everything that looks like a secret, each of `known` and each learnt one, replaced by dots. */
export function redact(text: string, known: readonly string[] = []): string {
  let out = withoutShapes(text);
  for (const secret of learnt.size === 0 ? known : [...known, ...learnt]) {
    if (secret.length < 8) continue;
    // Messages quote what they speak of, so the quoted spelling is masked too.
    for (const spelling of new Set([secret, JSON.stringify(secret).slice(1, -1)]))
      out = out.split(spelling).join("••••");
  }
  return out;
}

/**
 * The text without terminal control sequences, and with every character to be seen: what others wrote must neither steer the user's
 * terminal nor read otherwise there than it is.
 */
export function stripControls(text: string): string {
  return showHidden(text.replace(SEQUENCE, "").replace(CONTROL, ""));
}

const ESCAPE = "\\u001b";
/** CSI, OSC and two-character sequences (ECMA-48). */
const SEQUENCE = new RegExp(
  `${ESCAPE}(?:\\[[0-?]*[ -/]*[@-~]|\\][^\\u0007\\u001b]*(?:\\u0007|${ESCAPE}\\\\)|[@-_])`,
  "g",
);
/** Every C0 and C1 control but tab and line feed. */
// biome-ignore lint/complexity/useRegexLiterals: a literal would hold control characters
const CONTROL = new RegExp("[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]", "g");
