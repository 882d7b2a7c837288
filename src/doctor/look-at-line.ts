import { existsSync } from "node:fs";
import { FactoryError } from "../lib/error.ts";
import type { FoundLine } from "../line/find-line.ts";
import type { Line } from "../line/line.ts";
import { misfitsOf } from "../line/misfits.ts";
import type { Policy } from "../policy/policy.ts";
import { ticketsOf } from "../tickets/file-register.ts";
import { type Check, examine } from "./doctor.ts";

/** The policy here, and where it lies. */
interface PolicyHere {
  policy: Policy;
  path: string;
}

/**
 * What a promotion takes beside registries: a ledger that answers, a policy in force, a register of tickets that can be read. Empty without
 * a policy, where nothing is promoted.
 */
export async function lookAtLine(policy: PolicyHere | undefined, find: () => Promise<FoundLine>): Promise<Check[]> {
  if (policy === undefined) return [];
  return [...(await lookAtTickets(policy)), ...(await lookAtChain(policy, find))];
}

async function lookAtTickets({ policy, path }: PolicyHere): Promise<Check[]> {
  const tickets = ticketsOf(policy, path);
  if (tickets === undefined) return [];
  return [
    await examine("tickets", async () => {
      // A pilot needs none.
      if (!existsSync(tickets.place))
        return {
          verdict: "warn",
          found: `${tickets.place} is not there: what needs a ticket is refused`,
          fix: "write it (docs/policy.md), or name another one under tickets:",
        };
      // Any question reads the whole register.
      await tickets.ticket("");
      return { verdict: "ok", found: tickets.place };
    }),
  ];
}

async function lookAtChain({ policy }: PolicyHere, find: () => Promise<FoundLine>): Promise<Check[]> {
  // To read a table would start its warehouse; its rights are looked at with --env.
  if (policy.ledger.kind === "delta") return [];
  try {
    const { line } = await find();
    return [await examine("ledger", () => judgeChain(line)), await examine("policy.inForce", () => judgePolicy(line))];
  } catch (error) {
    // Which project is meant cannot be told here: none has to be.
    if (error instanceof FactoryError && error.code === "project.which") return [];
    return [await examine("ledger", () => Promise.reject(error))];
  }
}

/** The verdict on a ledger that was read. Pure. */
export function judgeChain({
  view,
  ledger,
  state,
  policy,
}: Pick<Line, "view" | "ledger" | "state" | "policy">): Omit<Check, "id"> {
  const [problem] = view.problems;
  if (problem !== undefined)
    return { verdict: "missing", found: `${ledger.place}: ${problem.message}`, fix: "factory ledger verify" };
  const [misfit] = misfitsOf({ state, policy }).open;
  if (misfit !== undefined)
    return {
      verdict: "missing",
      found: `${ledger.place}: entry ${misfit.seq} ${misfit.message}`,
      fix: "factory verify says what to do about it",
    };
  const { length } = view.entries;
  const found = length === 0 ? "empty: the first command that writes opens it" : `${length} entries, chain whole`;
  return { verdict: "ok", found: `${found}  (${ledger.place})` };
}

/** The verdict on the policy that counts for a line. Pure. */
export function judgePolicy({ policy, view }: Pick<Line, "policy" | "view">): Omit<Check, "id"> {
  const because = (why: string, fix: string | undefined): Omit<Check, "id"> => {
    return { verdict: "warn", found: why, ...(fix !== undefined && { fix }) };
  };
  if (!policy.known) return because(policy.why, policy.fix);
  const { problem, fix, inForce } = policy.value;
  if (problem !== undefined) return because(problem, fix);
  const now =
    view.policy?.digest === inForce.digest ? "is in force" : "is signed: the next command that writes puts it in force";
  return { verdict: "ok", found: `version ${inForce.version} ${now}` };
}
