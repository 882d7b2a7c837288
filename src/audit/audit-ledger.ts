import { BRING_BACK } from "../ledger/bring-back.ts";
import type { Head } from "../ledger/entry.ts";
import { CLOCK_TOLERANCE_MS } from "../ledger/judge.ts";
import { RESTORE } from "../ledger/open-ledger.ts";
import { isPilot, LIST_IT, type Line } from "../line/line.ts";
import { misfitsOf } from "../line/misfits.ts";
import type { Finding } from "./finding.ts";

export interface LedgerAudit {
  /** That hold, from the first on. */
  entries: number;
  head: Head;
  tornBytes: number;
  pending: readonly string[];
  /** Digest of the policy with which the chain was opened: who knows it from elsewhere, knows that the chain is the right one. */
  firstPolicy: string | undefined;
  /** In force at the end. */
  policy: { version: number; digest: string } | undefined;
  /** The policy does not list the project, and nothing was ever written. */
  pilot: boolean;
  findings: Finding[];
}

/** A wrong clock of this machine may make all entries later than now. */
const MAX_AHEAD = 5;

/**
 * What a chain says about itself: whole or not, in order or not, with nothing left beside it. `given`: the digest of the first
 * policy, as told by another way. `now`: no entry can be signed later than that. Pure.
 */
export function auditLedger(
  { view, state, project, policy }: Pick<Line, "view" | "state" | "project" | "policy">,
  pending: readonly string[],
  given: string | undefined,
  now: Date,
): LedgerAudit {
  const findings: Finding[] = [];
  const no = (message: string, fix?: string): void => {
    findings.push({ part: "ledger", verdict: "no", message, ...(fix !== undefined && { fix }) });
  };
  const [opened] = view.entries;
  const firstPolicy = opened?.kind === "opened" ? opened.body.policy.digest : undefined;
  for (const { message } of view.problems) no(message, RESTORE);
  const { open, setAside } = misfitsOf({ state, policy });
  for (const { seq, hash, message } of open)
    no(
      `entry ${seq} ${message}`,
      `find out who wrote it, and with which program (factory ledger show). Then policy owners set it aside, so that promotions go on: - { entry: ${hash}, reason: "…" } under setAside in policy.yaml, in a higher version, and factory policy sign`,
    );
  for (const { seq, message, reason } of setAside)
    findings.push({
      part: "ledger",
      verdict: "note",
      message: `entry ${seq} ${message}; the owners of the policy set it aside: ${reason}`,
    });
  const ahead = view.entries.filter((each) => Date.parse(each.at) > now.getTime() + CLOCK_TOLERANCE_MS);
  for (const { seq, kind, by, at } of ahead.slice(0, MAX_AHEAD))
    no(
      `entry ${seq} (${kind}) of ${by} is dated ${at}: this machine says ${now.toISOString()}`,
      "one of the two clocks is wrong, or the entry was dated on purpose: set the clock (NTP), and ask its signer",
    );
  if (ahead.length > MAX_AHEAD) no(`${ahead.length - MAX_AHEAD} more entries are dated in the future`);
  // Who was told how the ledger was opened asks about one that is not there.
  const pilot = given === undefined && isPilot({ view, project, policy });
  if (pilot)
    findings.push({
      part: "ledger",
      verdict: "note",
      message: `${project} is a pilot: the policy does not list it, so that it is registered outside of the ledger, and there is nothing to verify`,
      fix: LIST_IT,
    });
  else if (view.entries.length === 0 && view.problems.length === 0)
    no(
      "the ledger holds no entry, and nothing proves nothing",
      `factory register opens it under a signed policy; if it held entries before: ${BRING_BACK}`,
    );
  if (state.project !== undefined && state.project !== project)
    no(
      `the chain is that of project ${state.project}, not of ${project}`,
      "look where the policy says that the ledger is",
    );
  if (view.tornBytes > 0)
    no(
      `behind the last entry lie ${view.tornBytes} bytes of a line without its end: its writer died`,
      "the next command that writes sets them aside; then the chain is green again",
    );
  if (pending.length > 0)
    no(
      `${pending.length} ${pending.length === 1 ? "file" : "files"} in .factory/pending wait for the ledger: ${pending.slice(0, 5).join(", ")}`,
      "the next command that writes, by whoever made them, puts them into the ledger",
    );
  if (given !== undefined && firstPolicy !== undefined && given !== firstPolicy)
    no(
      `the ledger was opened under policy sha256:${firstPolicy}, not under sha256:${given}`,
      "one of the two is not what you were told: this may be another chain, made by others",
    );
  return {
    entries: view.entries.length,
    head: view.head,
    tornBytes: view.tornBytes,
    pending,
    firstPolicy,
    policy: view.policy && { version: view.policy.version, digest: view.policy.digest },
    pilot,
    findings,
  };
}
