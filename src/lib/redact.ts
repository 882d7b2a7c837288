/** Shapes of secrets that may slip into messages; the writers mask them before anything is shown or kept. */
const SHAPES: readonly RegExp[] = [
  /\bdapi[0-9a-f]{32}(?:-\d+)?\b/g,
  /\bdose[0-9a-f]{32}\b/g,
  /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}/g,
  /\bgh[pousr]_[A-Za-z0-9]{36,}\b/g,
  /\bgithub_pat_[A-Za-z0-9_]{60,}\b/g,
  /\bglpat-[A-Za-z0-9_-]{20,}/g,
  /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
  /\b(?:Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{12,}/gi,
];
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:)[^\s/@]+@/gi;

/** The text with everything that looks like a secret, and each of `known`, replaced by dots. */
export function redact(text: string, known: readonly string[] = []): string {
  let out = text.replace(URL_PASSWORD, "$1••••@");
  for (const shape of SHAPES) out = out.replace(shape, "••••");
  for (const secret of known) {
    if (secret.length < 8) continue;
    // Messages quote what they speak of, so the quoted spelling is masked too.
    for (const spelling of new Set([secret, JSON.stringify(secret).slice(1, -1)]))
      out = out.split(spelling).join("••••");
  }
  return out;
}

/** The text without terminal control sequences: what others wrote must not steer the user's terminal. */
export function stripControls(text: string): string {
  return text.replace(SEQUENCE, "").replace(CONTROL, "");
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
