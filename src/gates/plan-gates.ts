import { GATE_NAMES, type GateName, type Policy } from "../policy/policy.ts";
import { stageOf } from "../policy/stage-of.ts";
import type { Project } from "../project/project.ts";

/** What to do about one gate. `missing`: it must be there and is not, which fails. `left-out`: not asked for this time. */
export interface PlannedGate {
  gate: GateName;
  action: "run" | "missing" | "left-out";
  why?: string;
  timeoutMs: number;
}

const DEFAULT_SECONDS: Record<GateName, number> = {
  lint: 120,
  unit: 600,
  data: 600,
  model: 900,
  baseline: 60,
  docs: 30,
  secrets: 120,
};

/**
 * The gates that policy names for any environment of the project's tier. A pilot, or a project without a policy, gets all
 * seven: what nobody decided is not left out. Pure.
 */
export function requiredGates(policy: Policy | undefined, tier: string | undefined): readonly GateName[] {
  if (policy === undefined || tier === undefined) return GATE_NAMES;
  const named = policy.environments.flatMap((environment) => stageOf(policy, tier, environment.name).gates ?? []);
  return named.length === 0 ? GATE_NAMES : GATE_NAMES.filter((gate) => named.includes(gate));
}

/** Which gates run, in order. Built-in gates always can; the others need their section in factory.yaml. Pure. */
export function planGates(
  gates: Project["gates"],
  required: readonly GateName[],
  only: readonly GateName[] | undefined,
): PlannedGate[] {
  return GATE_NAMES.map((gate): PlannedGate => {
    const timeoutMs = secondsOf(gates, gate) * 1000;
    // The baseline compares what the model gate measured, so asking for it asks for both.
    const wanted = only === undefined || only.includes(gate) || (gate === "model" && only.includes("baseline"));
    if (!wanted) return { gate, action: "left-out", why: "not asked for (--only)", timeoutMs };
    if (isConfigured(gates, gate)) return { gate, action: "run", timeoutMs };
    if (required.includes(gate) || only?.includes(gate))
      return { gate, action: "missing", why: `factory.yaml has no gates.${gate}`, timeoutMs };
    return { gate, action: "left-out", why: "not in factory.yaml, and no environment requires it", timeoutMs };
  });
}

function isConfigured(gates: Project["gates"], gate: GateName): boolean {
  return gate === "unit" || gate === "data" || gate === "model" ? gates[gate] !== undefined : true;
}

function secondsOf(gates: Project["gates"], gate: GateName): number {
  const setting = gate === "baseline" ? undefined : gates[gate];
  return setting?.timeoutSeconds ?? DEFAULT_SECONDS[gate];
}
