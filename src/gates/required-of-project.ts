import type { GateName } from "../policy/policy.ts";
import { listingOf, type OpenProject } from "../project/read-project.ts";
import { requiredGates } from "./plan-gates.ts";

/** The gates that a project needs by its policy and the tier it has there. Pure. */
export function requiredOfProject(open: OpenProject): readonly GateName[] {
  return requiredGates(open.policy?.policy, listingOf(open)?.riskTier);
}
