import { add, type CharSet, charSet, complement, fold, NAMED, NOT_NEWLINE, setText } from "./char-set.ts";

/**
 * A pattern in the syntax of RE2, which judges files, written so that Java's regular expressions find exactly the same. Both
 * search. What differs between them (`$` before a last newline, `\s`, `.`, `\b`, folding of case) is spelt out; what cannot be
 * spelt out, and what RE2 itself refuses, is a reason why the pattern cannot be judged.
 */
export function javaPattern(pattern: string): { pattern: string } | { reason: string } {
  try {
    return { pattern: new Reader(pattern).whole() };
  } catch (error) {
    if (error instanceof Unclear) return { reason: error.message };
    throw error;
  }
}

class Unclear extends Error {}

/** The bounds that RE2 sets on counted repetition, nested ones multiplied. */
const MAX_REPEAT = 1000;
const WORD = "[0-9A-Za-z_]";
const BOUNDARY = `(?:(?<=${WORD})(?!${WORD})|(?<!${WORD})(?=${WORD}))`;
const NO_BOUNDARY = `(?:(?<=${WORD})(?=${WORD})|(?<!${WORD})(?!${WORD}))`;
const CONTROL: Readonly<Record<string, number>> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 };

interface Flags {
  /** `(?i)` */
  fold: boolean;
  /** `(?s)` */
  dotAll: boolean;
}
interface Part {
  java: string;
  repeat: number;
  /** False for `^`, `$` and their like, which nothing may repeat. */
  repeatable: boolean;
}

class Reader {
  private readonly points: readonly string[];
  private at = 0;

  constructor(pattern: string) {
    this.points = Array.from(pattern);
  }

  whole(): string {
    const { java } = this.alternatives({ fold: false, dotAll: false }, 0);
    if (this.at < this.points.length) throw new Unclear("a ) has no ( before it");
    return java;
  }

  private alternatives(flags: Flags, depth: number): { java: string; repeat: number } {
    if (depth > 100) throw new Unclear("its groups are nested too deeply");
    const inside = { ...flags };
    let java = "";
    let repeat = 1;
    while (this.at < this.points.length && this.points[this.at] !== ")") {
      if (this.points[this.at] === "|") {
        this.at++;
        java += "|";
        continue;
      }
      const part = this.quantified(this.part(inside, depth));
      java += part.java;
      repeat = Math.max(repeat, part.repeat);
    }
    return { java, repeat };
  }

  private part(flags: Flags, depth: number): Part {
    const point = this.points[this.at++] ?? "";
    const fixed = (java: string): Part => ({ java, repeat: 1, repeatable: false });
    const set = (chars: CharSet): Part => ({ java: setText(chars), repeat: 1, repeatable: true });
    switch (point) {
      case "(":
        return this.group(flags, depth);
      case "[":
        return set(this.bracket(flags));
      case ".":
        return set(flags.dotAll ? complement([]) : NOT_NEWLINE);
      case "^":
        return fixed("\\A");
      case "$":
        return fixed("\\z");
      case "*":
      case "+":
      case "?":
        throw new Unclear(`${point} has nothing to repeat`);
      case "{":
        throw new Unclear("a { that repeats nothing must be written \\{");
      case "\\":
        break;
      default:
        return set(literal(point, flags));
    }
    const next = this.points[this.at];
    if (next === "A" || next === "z" || next === "b" || next === "B") {
      this.at++;
      return fixed({ A: "\\A", z: "\\z", b: BOUNDARY, B: NO_BOUNDARY }[next]);
    }
    return set(this.escape(flags));
  }

  private group(flags: Flags, depth: number): Part {
    const rest = this.points.slice(this.at, this.at + 80).join("");
    const opener = /^\?(?:P<[A-Za-z_][A-Za-z0-9_]*>|:)/.exec(rest);
    const flag = /^\?([is]*)(?:-([is]+))?([:)])/.exec(rest);
    const inner = { ...flags };
    if (opener !== null) this.at += opener[0].length;
    else if (flag !== null && `${flag[1]}${flag[2] ?? ""}` !== "") {
      this.at += flag[0].length;
      for (const letter of flag[1] ?? "") inner[letter === "i" ? "fold" : "dotAll"] = true;
      for (const letter of flag[2] ?? "") inner[letter === "i" ? "fold" : "dotAll"] = false;
      if (flag[3] === ")") {
        Object.assign(flags, inner);
        return { java: "", repeat: 1, repeatable: false };
      }
    } else if (rest.startsWith("?")) {
      throw new Unclear(`(${Array.from(rest).slice(0, 3).join("")} is not understood by every engine`);
    }
    const { java, repeat } = this.alternatives(inner, depth + 1);
    if (this.points[this.at] !== ")") throw new Unclear("a ( is not closed");
    this.at++;
    return { java: `(?:${java})`, repeat, repeatable: true };
  }

  /** The part with the repetition that follows it. */
  private quantified(part: Part): Part {
    const rest = this.points.slice(this.at, this.at + 16).join("");
    const found = /^(?:[*+?]|\{(\d{1,4})(?:(,)(\d{0,4}))?\})\??/.exec(rest);
    if (found === null) return part;
    const [sign, low, comma, high] = found;
    if (!part.repeatable) throw new Unclear(`${sign} has nothing to repeat`);
    const after = rest.slice(sign.length);
    if (/^[*+?]/.test(after) || /^\{\d+(?:,\d*)?\}/.test(after)) throw new Unclear(`${sign} is repeated again`);
    const most = Number(high === undefined || high === "" ? (low ?? 1) : high);
    if (comma !== undefined && high !== "" && Number(low) > most) throw new Unclear(`${sign} ends before it begins`);
    const repeat = part.repeat * Math.max(1, most);
    if (repeat > MAX_REPEAT) throw new Unclear(`it repeats more than ${MAX_REPEAT} times`);
    this.at += sign.length;
    return { java: `${part.java}${sign}`, repeat, repeatable: false };
  }

  private bracket(flags: Flags): CharSet {
    const negated = this.points[this.at] === "^";
    if (negated) this.at++;
    let chars: CharSet = [];
    for (let first = true; first || this.points[this.at] !== "]"; first = false) {
      const named = /^\[:(\^?)([a-z]+):\]/.exec(this.points.slice(this.at, this.at + 14).join(""));
      if (named !== null) {
        const known = NAMED[named[2] ?? ""];
        if (known === undefined) throw new Unclear(`${named[0]} is not known`);
        this.at += named[0].length;
        const folded = flags.fold ? fold(known) : known;
        chars = add(chars, named[1] === "^" ? complement(folded) : folded);
        continue;
      }
      const point = this.points[this.at];
      if (point === undefined) throw new Unclear("a [ is not closed");
      const last = this.points[this.at + 1] === "]";
      if (point === "-" && !first && !last) throw new Unclear("a - inside [] must be first, last or written \\-");
      const low = this.member(flags);
      const single = low.length === 1 && low[0]?.[0] === low[0]?.[1] ? low[0]?.[0] : undefined;
      if (this.points[this.at] !== "-" || this.points[this.at + 1] === "]" || this.points[this.at + 1] === undefined) {
        chars = add(chars, flags.fold ? folded(low) : low);
        continue;
      }
      this.at++;
      const high = this.member(flags);
      const end = high.length === 1 && high[0]?.[0] === high[0]?.[1] ? high[0]?.[0] : undefined;
      if (single === undefined || end === undefined || end < single) throw new Unclear("a range inside [] is none");
      chars = add(chars, flags.fold ? folded([[single, end]]) : [[single, end]]);
    }
    this.at++;
    return negated ? complement(chars) : chars;
  }

  /** One member of a bracket, case as written. */
  private member(flags: Flags): CharSet {
    const point = this.points[this.at++] ?? "";
    return point === "\\" ? this.escape({ ...flags, fold: false }) : charSet(point);
  }

  private escape(flags: Flags): CharSet {
    const point = this.points[this.at++];
    if (point === undefined) throw new Unclear("it ends in a \\");
    const known = { d: NAMED.digit, w: NAMED.word, s: NAMED.perlspace }[point.toLowerCase()];
    if (known !== undefined && /[dwsDWS]/.test(point)) {
      const chars = flags.fold ? fold(known) : known;
      return point === point.toLowerCase() ? chars : complement(chars);
    }
    const control = CONTROL[point];
    if (control !== undefined) return [[control, control]];
    const hex = /^(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})/.exec(this.points.slice(this.at, this.at + 8).join(""));
    if (point === "x" && hex !== null) {
      const value = Number.parseInt(hex[1] ?? hex[2] ?? "", 16);
      if (value > 0x10ffff) throw new Unclear("it names a character that there is not");
      this.at += hex[0].length;
      return literal(String.fromCodePoint(value), flags);
    }
    if (point === "p" || point === "P")
      throw new Unclear("\\p stands for other characters in each version of Unicode: list the characters");
    if (/^[0-9A-Za-z]$/.test(point) || point > "\u007f")
      throw new Unclear(`\\${point} is not understood by every engine`);
    return charSet(point);
  }
}

function literal(point: string, flags: Flags): CharSet {
  return flags.fold ? folded(charSet(point)) : charSet(point);
}

/** What a written set means with `(?i)`. Beyond ASCII the engines fold by tables of their own. */
function folded(chars: CharSet): CharSet {
  if (chars.some(([low, high]) => high > 0x7f && !(low <= 0x7f && high === 0x10ffff)))
    throw new Unclear("(?i) folds letters beyond ASCII differently in each engine: list both cases");
  return fold(chars);
}
