import type { LineState } from "../ledger/line-state.ts";
import { EXIT, FactoryError } from "../lib/error.ts";
import type { Environment } from "../policy/policy.ts";
import { registeredName } from "../registry/registry.ts";
import type { ServingEndpoint } from "../release/serving.ts";
import type { Finding } from "./finding.ts";
import { type ExpectedEndpoint, endpointFindings, expectedEndpoints } from "./judge-endpoint-state.ts";

export type ServingOf = (environment: Environment, endpoint: string, model: string) => Promise<ServingEndpoint>;

/** What was asked, and what was found to be otherwise than the ledger says. */
export interface EndpointAudit {
  asked: readonly { environment: string; endpoint: string; answered: boolean }[];
  findings: readonly Finding[];
}

/** Asks every serving endpoint that the ledger names what it answers with, all at the same time. One that fails is a finding. */
export async function auditEndpoints(
  environments: readonly Environment[],
  { state, model }: { state: LineState; model: string },
  servingOf: ServingOf,
): Promise<EndpointAudit> {
  const wanted = environments.flatMap((environment) =>
    expectedEndpoints(state.environment(environment.name)).map((expected) => ({ environment, expected })),
  );
  const looks = await Promise.all(
    wanted.map(({ environment, expected }) => lookAt(environment, expected, model, servingOf)),
  );
  return {
    asked: wanted.map(({ environment, expected }, i) => ({
      environment: environment.name,
      endpoint: expected.endpoint,
      answered: looks[i]?.answered === true,
    })),
    findings: looks.flatMap(({ findings }) => findings),
  };
}

async function lookAt(
  environment: Environment,
  expected: ExpectedEndpoint,
  model: string,
  servingOf: ServingOf,
): Promise<{ answered: boolean; findings: Finding[] }> {
  try {
    const serving = await servingOf(environment, expected.endpoint, registeredName(environment.catalog, model));
    const findings = endpointFindings(environment.name, serving.place, expected, await serving.state());
    return { answered: true, findings };
  } catch (error) {
    if (!(error instanceof FactoryError) || error.exit === EXIT.interrupted) throw error;
    const message = `what endpoint ${expected.endpoint} of ${environment.name} answers could not be seen: ${error.message}`;
    const found: Finding = {
      part: "registry",
      // Whoever can begin a release can name any endpoint.
      verdict: expected.used || expected.underWay !== undefined ? "cannot tell" : "note",
      environment: environment.name,
      message,
      ...(error.hint !== undefined && { fix: error.hint }),
    };
    return { answered: false, findings: [found] };
  }
}
