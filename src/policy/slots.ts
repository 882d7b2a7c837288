import type { Policy } from "./policy.ts";

export interface ProductLineSlots {
  productLine: string;
  owner: string;
  /** How many projects it may have beyond the pilot. */
  capacity: number;
  /** The projects that the policy lists for it, in its order; the first `capacity` of them hold the slots. */
  projects: readonly string[];
}

/** Slots and who holds them, for each product line of the policy in its order. Pure. */
export function slotsOf(policy: Policy): ProductLineSlots[] {
  return Object.entries(policy.productLines).map(([productLine, { capacity, owner }]) => ({
    productLine,
    owner,
    capacity,
    projects: Object.entries(policy.projects)
      .filter(([, project]) => project.productLine === productLine)
      .map(([name]) => name),
  }));
}

/**
 * Why a listed project has no slot in its product line; undefined when it has one. Slots go in the order in which the policy
 * lists the projects, so that one too many does not stop those that were there before. A pilot needs none. Pure.
 */
export function slotProblem(policy: Policy, project: string): string | undefined {
  const line = slotsOf(policy).find((each) => each.projects.includes(project));
  if (line === undefined || line.projects.indexOf(project) < line.capacity) return undefined;
  const holders = line.projects.slice(0, line.capacity).join(", ") || "none";
  return `product line ${line.productLine} has ${line.capacity} ${line.capacity === 1 ? "slot" : "slots"} (taken by: ${holders})`;
}
