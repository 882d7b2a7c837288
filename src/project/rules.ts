import { canonicalJson } from "../lib/canonical-json.ts";
import { sha256 } from "../lib/hash.ts";
import { firstReleaseOf, listingIn } from "../policy/listing.ts";
import type { Environment, Policy, Stage } from "../policy/policy.ts";
import { stageOf } from "../policy/stage-of.ts";
import type { MetricRule, Project } from "./project.ts";

/** What policy and factory.yaml together ask of a project in one environment. People, keys, freezes and capacity are not in it. */
export interface Rules {
  v: 1;
  project: string;
  environment: string;
  model: string;
  /** `pilot` when the policy does not list the project. */
  riskTier: string;
  firstRelease: "withdraw" | "deny";
  /** Approvals by role and count, ticket, lifetimes, strategy, human review; the gates stand below. */
  stage: Omit<Stage, "gates">;
  /** Gates that the policy demands, sorted; empty when it says nothing. */
  gates: readonly string[];
  metrics: readonly MetricRule[];
  strategy: string;
  /** Serving endpoint; not there where jobs read the alias. */
  endpoint?: string;
}

/** The rules for one environment. A project outside the policy is a pilot: the tier that it names itself gives it no rights. */
export function rulesFor(project: Project, policy: Policy | undefined, environment: Pick<Environment, "name">): Rules {
  const tier = listingIn(policy, project.project)?.riskTier;
  const {
    gates = [],
    approvals,
    ...rest
  }: Stage = policy === undefined || tier === undefined ? {} : stageOf(policy, tier, environment.name);
  const endpoint = endpointIn(project, environment.name);
  const byRole =
    approvals && [...approvals].sort((a, b) => (a.role < b.role ? -1 : a.role > b.role ? 1 : a.count - b.count));
  return {
    v: 1,
    project: project.project,
    environment: environment.name,
    model: project.model.name,
    riskTier: tier ?? "pilot",
    firstRelease: firstReleaseOf(policy, project.project),
    stage: { ...rest, ...(byRole && { approvals: byRole }) },
    gates: [...gates].sort(),
    metrics: metricsFor(project, environment.name),
    strategy: project.release?.strategy ?? "direct",
    ...(endpoint !== undefined && { endpoint }),
  };
}

/** The serving endpoint that follows `champion` in an environment; undefined where jobs read the alias. Pure. */
export function endpointIn(project: Project, environmentName: string): string | undefined {
  return project.environments?.[environmentName]?.release?.endpoint ?? project.release?.endpoint;
}

/** SHA-256 (hex) of the rules in canonical JSON: the same rules give the same digest, whatever the order of keys in the files. */
export function rulesDigest(
  project: Project,
  policy: Policy | undefined,
  environment: Pick<Environment, "name">,
): string {
  return sha256(canonicalJson(rulesFor(project, policy, environment)));
}

/**
 * The metric rules that hold in an environment: those of the project, and those that it sets for the environment. Where both
 * speak of the same metric and slice the stricter limit holds, so that an environment can never loosen one.
 */
export function metricsFor(project: Project, environmentName: string): MetricRule[] {
  const base = project.gates.model?.metrics ?? [];
  const own = project.environments?.[environmentName]?.gates?.model?.metrics ?? [];
  const same = (a: MetricRule, b: MetricRule): boolean => a.name === b.name && a.slice === b.slice;
  const joined = base.map((rule) => own.filter((other) => same(rule, other)).reduce(strictest, rule));
  return [...joined, ...own.filter((rule) => !base.some((other) => same(rule, other)))];
}

function strictest(a: MetricRule, b: MetricRule): MetricRule {
  const limit = (
    pick: (...values: number[]) => number,
    x: number | undefined,
    y: number | undefined,
  ): number | undefined => (x === undefined || y === undefined ? (x ?? y) : pick(x, y));
  const min = limit(Math.max, a.min, b.min);
  const max = limit(Math.min, a.max, b.max);
  const maxGap = limit(Math.min, a.maxGap, b.maxGap);
  const maxDrop = limit(Math.min, a.champion?.maxDrop, b.champion?.maxDrop);
  const maxRise = limit(Math.min, a.champion?.maxRise, b.champion?.maxRise);
  return {
    name: a.name,
    ...(a.slice !== undefined && { slice: a.slice }),
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
    ...(maxGap !== undefined && { maxGap }),
    ...((maxDrop !== undefined || maxRise !== undefined) && {
      champion: { ...(maxDrop !== undefined && { maxDrop }), ...(maxRise !== undefined && { maxRise }) },
    }),
  };
}

/** The gates of factory.yaml as they are for one environment: its own data source, time limits and stricter metric rules. */
export function gatesFor(project: Project, environmentName: string): Project["gates"] {
  const { unit, data, model, ...builtIn } = project.gates;
  const own = project.environments?.[environmentName]?.gates;
  const timeout = (gate: { timeoutSeconds?: number | undefined } | undefined) =>
    gate?.timeoutSeconds === undefined ? {} : { timeoutSeconds: gate.timeoutSeconds };
  return {
    ...builtIn,
    ...(unit && { unit: { ...unit, ...timeout(own?.unit) } }),
    ...(data && { data: { ...data, ...timeout(own?.data), ...(own?.data?.source && { source: own.data.source }) } }),
    ...(model && { model: { ...model, ...timeout(own?.model), metrics: metricsFor(project, environmentName) } }),
  };
}
