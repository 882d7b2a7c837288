import { usageError } from "../lib/error.ts";
import type { PolicyInForce } from "../policy/in-force.ts";
import type { Entry, Head } from "./entry.ts";
import { laterFormat, parseLine } from "./entry-line.ts";
import { type Judged, judgeEntry, NOTHING_JUDGED } from "./judge.ts";
import { walkChain } from "./verify-chain.ts";

/** Something in a chain that does not hold. */
export interface ChainProblem {
  /** Of the entry, as far as it could be told. */
  seq: number | undefined;
  /** A whole sentence, which names the entry. */
  message: string;
}

/** A chain as it was read, with every entry verified. */
export interface LedgerView {
  entries: readonly Entry[];
  /** The last of `entries`. */
  head: Head;
  /** The policy in force at its end; undefined: not opened yet. */
  policy: PolicyInForce | undefined;
  /** The policy in force when an entry was written. */
  policyAt(seq: number): PolicyInForce | undefined;
  /** Empty for a whole chain. Entries from the first problem on are not in `entries`. */
  problems: readonly ChainProblem[];
  /** Bytes of a torn last line that were left out. */
  tornBytes: number;
}

const MAX_PROBLEMS = 100;

/**
 * The view of a chain's bytes: every line read, hashed, chained, and signed by a key that the policy in force at that entry lists.
 * With `project`, a chain that was opened for another one is a problem. Throws nothing about the content but this: an entry
 * of a later format, in a chain whose hashes hold, needs a newer factory (exit 2). Pure.
 */
export function viewOf(text: Buffer, torn: Buffer = Buffer.alloc(0), project?: string): LedgerView {
  return judgeChain(text, torn, project).view;
}

/** The same, with what the next entry is judged by. */
export function judgeChain(text: Buffer, torn: Buffer, project?: string): { view: LedgerView; judged: Judged } {
  const walk = walkChain(text);
  const entries: Entry[] = [];
  const policies: { from: number; inForce: PolicyInForce }[] = [];
  const problems: (ChainProblem & { line: number })[] = [...walk.problems];
  const broken = new Set(walk.problems.map((each) => each.line));
  let judged = NOTHING_JUDGED;
  let whole = true;
  for (const { line, bytes } of linesOf(text)) {
    if (broken.has(line)) {
      const later = whole ? laterFormat(bytes) : undefined;
      if (later !== undefined) throw needsNewer(later, line + 1);
      whole = false;
      continue;
    }
    if (!whole && problems.length >= MAX_PROBLEMS) break;
    const found = judgeLine(judged, bytes, whole, project);
    if ("problem" in found) {
      problems.push({ line, seq: found.seq, message: `entry ${found.seq ?? `of line ${line + 1}`} ${found.problem}` });
      whole = false;
    } else if (whole) {
      entries.push(found.entry);
      if (found.judged.policy !== undefined && found.judged.policy !== judged.policy)
        policies.push({ from: found.entry.seq, inForce: found.judged.policy });
      judged = found.judged;
    }
  }
  const view: LedgerView = {
    entries,
    head: judged.head,
    policy: judged.policy,
    policyAt: (seq) => policies.findLast((each) => each.from <= seq)?.inForce,
    problems: problems.sort((a, b) => a.line - b.line).map(({ seq, message }) => ({ seq, message })),
    tornBytes: torn.length,
  };
  return { view, judged };
}

type JudgedLine = { entry: Entry; judged: Judged } | { problem: string; seq: number | undefined };

/** Behind the first problem only the form of a line can be told: what its policy is and whose its keys are, nobody knows. */
function judgeLine(before: Judged, bytes: Buffer, whole: boolean, project: string | undefined): JudgedLine {
  const entry = parseLine(bytes);
  if ("problem" in entry) return { ...entry, seq: undefined };
  if (!whole) return { entry, judged: before };
  if (entry.kind === "opened" && project !== undefined && entry.body.project !== project)
    return { problem: `opens the chain of project ${entry.body.project}, not of ${project}`, seq: entry.seq };
  const judged = judgeEntry(before, entry, bytes);
  return "problem" in judged ? { problem: judged.problem, seq: entry.seq } : { entry, judged };
}

/** Each line without its line feed; the last may lack one. */
function* linesOf(text: Buffer): Generator<{ line: number; bytes: Buffer }> {
  for (let start = 0, line = 0; start < text.length; line++) {
    const newline = text.indexOf(0x0a, start);
    const end = newline < 0 ? text.length : newline;
    yield { line, bytes: text.subarray(start, end) };
    start = end + 1;
  }
}

function needsNewer(version: number, line: number): Error {
  return usageError(
    "ledger.version",
    `line ${line} of the ledger has format ${version}; this factory reads format 1`,
    "install a newer factory",
  );
}
