import { BRING_BACK } from "../ledger/bring-back.ts";
import type { EntryOf, LineState } from "../ledger/line-state.ts";
import { demandWhole } from "../ledger/open-ledger.ts";
import { usageError } from "../lib/error.ts";
import { isPilot, LIST_IT, type Line } from "./line.ts";

/** A model on its way: its bytes by digest, and the evidence that counts, which is the newest. */
export interface Candidate {
  /** Number in the first environment, which is what a user types. */
  number: string;
  digest: string;
  /** Evidence digest. */
  evidence: string;
  run: string;
  registered: EntryOf<"registered">;
}

/** `7`, `claims.triage/7`: a version, and the model if it is named. Throws exit 2. */
export function parseVersionName(text: string): { model: string | undefined; number: string } {
  const match = /^(?:([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+)\/)?v?(\d{1,9})$/.exec(text);
  const number = match?.[2];
  if (number === undefined)
    throw usageError(
      "version.name",
      `${JSON.stringify(text)} is not a version`,
      "its number in the first environment, such as 7, or with the model: claims.triage/7",
    );
  return { model: match?.[1], number: String(Number(number)) };
}

/** The candidate behind a number. Throws exit 2 when the ledger knows no such registration. Pure. */
export function findCandidate(state: LineState, model: string, number: string): Candidate {
  const registered = state.registered.findLast((each) => each.body.version === number && each.body.model === model);
  if (registered === undefined && state.project === undefined)
    throw usageError(
      "ledger.empty",
      `the ledger is empty or missing, so that it knows no ${model || "model"} v${number}`,
      `nothing was registered under a policy in force yet: factory register; if something was, bring the ledger back: ${BRING_BACK}`,
    );
  if (registered === undefined) {
    const numbers = [...new Set(state.registered.map((each) => each.body.version))];
    throw usageError(
      "version.unknown",
      `the ledger knows no ${model} v${number}`,
      numbers.length === 0
        ? "nothing is registered under a policy in force yet: factory register"
        : `it knows ${numbers
            .slice(-10)
            .map((each) => `v${each}`)
            .join(", ")}; factory register records a version`,
    );
  }
  const { digest, run } = registered.body;
  // Whatever number it was registered under, the newest evidence about these bytes counts.
  const newest =
    state.registered.findLast((each) => each.body.digest === digest && each.body.model === model) ?? registered;
  return { number, digest, evidence: newest.body.evidence, run, registered: newest };
}

/** The same on a line. Throws exit 4 when a ledger that does not hold may be why the number is not known, exit 2 for a pilot. */
export function candidateOf(line: Line, number: string): Candidate {
  if (isPilot(line))
    throw usageError(
      "project.pilot",
      `${line.project} is a pilot: the policy does not list it, so that it goes no further than the first environment`,
      LIST_IT,
    );
  const isKnown = line.state.registered.some((each) => each.body.version === number);
  if (!isKnown) demandWhole(line.view, line.ledger.place);
  return findCandidate(line.state, line.model, number);
}
