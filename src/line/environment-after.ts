import { listingIn } from "../policy/listing.ts";
import { stageOf } from "../policy/stage-of.ts";
import type { Line } from "./line.ts";

/** The environment after one, and what the policy in force asks for there; undefined after the last. Pure. */
export function environmentAfter({ policy: known, project }: Pick<Line, "policy" | "project">, name: string) {
  if (!known.known) return undefined;
  const { policy } = known.value.inForce;
  const next = policy.environments[policy.environments.findIndex((each) => each.name === name) + 1];
  if (next === undefined) return undefined;
  const { approvals = [], ticket } = stageOf(policy, listingIn(policy, project)?.riskTier ?? "", next.name);
  return { name: next.name, asks: { approvals: approvals.length > 0, ticket: ticket === "required" } };
}
