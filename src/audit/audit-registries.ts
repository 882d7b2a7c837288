import type { Report } from "../lib/progress.ts";
import { isPilot, type Line } from "../line/line.ts";
import { recordedVersions } from "../line/registry-differences.ts";
import type { Environment } from "../policy/policy.ts";
import type { ModelRegistry } from "../registry/registry.ts";
import { deploymentFindings } from "./audit-deployments.ts";
import { auditEndpoints, type ServingOf } from "./audit-endpoints.ts";
import { auditLeftovers } from "./audit-leftovers.ts";
import { anchorOf, auditBytes, registryFindings } from "./audit-registry.ts";
import type { JudgeStart } from "./audit-starts.ts";
import type { Finding } from "./finding.ts";
import { type Look, lookAtRegistries } from "./look.ts";

/** What a registry holds, beside what was found to be wrong with it. */
export interface SeenRegistry {
  environment: string;
  /** Full name of the model there. */
  name: string;
  answered: boolean;
  place?: string;
  versions?: number;
  /** Versions whose every byte was read. */
  read?: number;
  /** By the registry. */
  champion?: string | null;
  challenger?: string | null;
  /** `seq:hash` */
  anchor?: string | null;
  /** Serving endpoints that answered what they serve. */
  endpoints: readonly string[];
}

/** Every registry and serving endpoint of the policy in force against the ledger, the bytes in use read. One that fails is a finding, not an error. */
export async function auditRegistries(
  { policy, project, model, state, view }: Pick<Line, "policy" | "project" | "model" | "state" | "view">,
  { registryOf, servingOf }: { registryOf(environment: Environment): Promise<ModelRegistry>; servingOf: ServingOf },
  judge: JudgeStart,
  report: Report,
): Promise<{ environments: SeenRegistry[]; findings: Finding[] }> {
  if (!policy.known) return { environments: [], findings: [unasked(policy.why, policy.fix)] };
  const { policy: inForce } = policy.value.inForce;
  const listed = inForce.environments;
  const pilot = isPilot({ policy, project, view });
  const approved = { state, project, entries: view.entries };
  const [looks, serving] = await Promise.all([
    lookAtRegistries(listed, model, registryOf),
    auditEndpoints(listed, { state, model }, servingOf),
  ]);
  const environments: SeenRegistry[] = [];
  const findings: Finding[] = state.environments
    .filter((name) => !listed.some((each) => each.name === name))
    .map((name) => retired(name));
  for (const look of looks) {
    const environment = look.environment.name;
    const endpoints = serving.asked
      .filter((each) => each.environment === environment && each.answered)
      .map((each) => each.endpoint);
    if (!look.answered) {
      findings.push(unanswered(look));
      environments.push({ environment, name: look.name, answered: false, endpoints });
      continue;
    }
    const here = state.environment(environment);
    const { read, findings: found } = await auditBytes(look, here, report);
    const recorded = recordedVersions(state, environment);
    const { left, findings: begun } = await auditLeftovers(look, here, recorded, judge, report);
    findings.push(...registryFindings({ ...look.picture, pilot }, state, view.entries, left), ...begun, ...found);
    findings.push(...deploymentFindings(look.picture, look.registry.deployments, approved, inForce));
    const { versions, model: registered } = look.picture;
    environments.push({
      environment,
      name: look.name,
      answered: true,
      place: look.place,
      versions: versions.length,
      read,
      champion: registered?.aliases.champion ?? null,
      challenger: registered?.aliases.challenger ?? null,
      anchor: anchorOf(look.picture) ?? null,
      endpoints,
    });
  }
  return { environments, findings: [...findings, ...serving.findings] };
}

function retired(environment: string): Finding {
  const message = `the policy in force lists no environment ${environment}: its registry was not looked at`;
  return { part: "registry", verdict: "note", environment, message };
}

function unasked(why: string, fix: string | undefined): Finding {
  const message = `no registry was asked: ${why}`;
  return { part: "registry", verdict: "cannot tell", message, ...(fix !== undefined && { fix }) };
}

function unanswered({ environment, why, fix }: Extract<Look, { answered: false }>): Finding {
  return {
    part: "registry",
    verdict: "cannot tell",
    environment: environment.name,
    message: `the registry of ${environment.name} did not answer: ${why}`,
    ...(fix !== undefined && { fix }),
  };
}
