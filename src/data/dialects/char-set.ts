/** A set of characters as ranges of code points, sorted, without overlap. */
export type CharSet = readonly (readonly [low: number, high: number])[];

const LAST = 0x10ffff;
const points = (spans: string): CharSet =>
  normal(spans.split(" ").map((span) => [span.codePointAt(0) ?? 0, span.codePointAt(span.length - 1) ?? 0] as const));

/** The classes that have a name, all of them ASCII, as RE2 has them. `perlspace` is `\s`, which knows no vertical tab. */
export const NAMED: Readonly<Record<string, CharSet>> = {
  alnum: points("09 AZ az"),
  alpha: points("AZ az"),
  ascii: [[0, 0x7f]],
  blank: [
    [9, 9],
    [32, 32],
  ],
  cntrl: [
    [0, 0x1f],
    [0x7f, 0x7f],
  ],
  digit: points("09"),
  graph: points("!~"),
  lower: points("az"),
  print: [[0x20, 0x7e]],
  punct: points("!/ :@ [` {~"),
  space: [
    [9, 13],
    [32, 32],
  ],
  upper: points("AZ"),
  word: points("09 AZ az __"),
  xdigit: points("09 AF af"),
  perlspace: [
    [9, 10],
    [12, 13],
    [32, 32],
  ],
};
export const NOT_NEWLINE: CharSet = complement([[10, 10]]);

export function charSet(point: string): CharSet {
  const code = point.codePointAt(0) ?? 0;
  return [[code, code]];
}

export function add(a: CharSet, b: CharSet): CharSet {
  return normal([...a, ...b]);
}

export function complement(chars: CharSet): CharSet {
  const out: [number, number][] = [];
  let from = 0;
  for (const [low, high] of chars) {
    if (low > from) out.push([from, low - 1]);
    from = high + 1;
  }
  if (from <= LAST) out.push([from, LAST]);
  return out;
}

/** With the other case of each ASCII letter, and the two letters beyond ASCII that fold to `k` and `s`. */
export function fold(chars: CharSet): CharSet {
  const extra: [number, number][] = [];
  const holds = (code: number) => chars.some(([low, high]) => low <= code && code <= high);
  for (let upper = 0x41; upper <= 0x5a; upper++) {
    const lower = upper + 0x20;
    if (!holds(upper) && !holds(lower)) continue;
    extra.push([upper, upper], [lower, lower]);
    if (lower === 0x6b) extra.push([0x212a, 0x212a]);
    if (lower === 0x73) extra.push([0x17f, 0x17f]);
  }
  return normal([...chars, ...extra]);
}

/** The set in a form that Java reads without flags: nothing in it has a second meaning. */
export function setText(chars: CharSet): string {
  const [first] = chars;
  // A class without members, such as [^\x{0}-\x{10FFFF}], matches nothing.
  if (first === undefined) return "(?!)";
  if (chars.length === 1 && first[0] === first[1]) return pointText(first[0]);
  return `[${chars.map(([low, high]) => (low === high ? pointText(low) : `${pointText(low)}-${pointText(high)}`)).join("")}]`;
}

function pointText(code: number): string {
  const point = String.fromCodePoint(code);
  return /^[0-9A-Za-z]$/.test(point) ? point : `\\x{${code.toString(16)}}`;
}

function normal(ranges: readonly (readonly [number, number])[]): CharSet {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  const out: [number, number][] = [];
  for (const [low, high] of sorted) {
    const last = out.at(-1);
    if (last !== undefined && low <= last[1] + 1) last[1] = Math.max(last[1], high);
    else out.push([low, high]);
  }
  return out;
}
