import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { outsideError } from "../../src/lib/error.ts";
import { endpointTwins, twinsFix } from "../../src/project/endpoint-twin.ts";
import { judgeEndpoint } from "../../src/release/judge-endpoint.ts";
import { takeRequestsBack } from "../../src/release/serve-release.ts";
import type { EndpointState, ServingEndpoint } from "../../src/release/serving.ts";
import { withoutLedger } from "../../src/release/without-ledger.ts";
import {
  goodFacts,
  type PolicyDraft,
  type ProjectDraft,
  policyDraft,
  policyOf,
  projectDraft,
  projectOf,
} from "../rules/good-facts.ts";

const [ONE, OTHER] = ["https://adb-1.azuredatabricks.net", "https://adb-2.azuredatabricks.net"];
/** Environments by the profile that leads to them, and the host that the policy pins. */
type Places = Record<string, readonly [profile: string, host?: string]>;
const at = (places: Places) => (draft: PolicyDraft) => {
  for (const environment of draft.environments) {
    const [profile, host] = places[environment.name] ?? [];
    if (profile !== undefined) environment.registry = { kind: "unity-catalog", profile, ...(host && { host }) };
  }
};
/** Serving from one endpoint everywhere, but for environments that have their own. */
const serves = (endpoint: string | undefined, own: Record<string, string>) => (draft: ProjectDraft) => {
  if (endpoint !== undefined) draft.release = { endpoint };
  draft.environments = Object.fromEntries(
    Object.entries(own).map(([name, each]) => [name, { release: { endpoint: each } }]),
  );
};

describe("an endpoint that two environments would share", () => {
  const everywhere: Places = { dev: ["dev", ONE], test: ["test", ONE], prod: ["prod", ONE] };
  it.each<[string, Places, string | undefined, Record<string, string>, readonly string[] | undefined]>([
    ["one workspace for all", everywhere, "triage", {}, ["dev", "test"]],
    [
      "the same host in other letters",
      { test: ["t", ONE], prod: ["p", ONE.toUpperCase().replace("HTTPS", "https")] },
      "triage",
      {},
      ["test", "prod"],
    ],
    ["one profile, which nobody pins", { test: ["shared"], prod: ["shared"] }, "triage", {}, ["test", "prod"]],
    [
      "names given by environment that are one",
      everywhere,
      undefined,
      { test: "triage", prod: "triage" },
      ["test", "prod"],
    ],
    ["a workspace for each", { test: ["test", ONE], prod: ["prod", OTHER] }, "triage", {}, undefined],
    ["profiles that nobody pins", { test: ["test"], prod: ["prod"] }, "triage", {}, undefined],
    ["no workspace at all", {}, "triage", {}, undefined],
    ["jobs that read the alias", everywhere, undefined, {}, undefined],
    ["an endpoint in one of them only", everywhere, undefined, { prod: "triage" }, undefined],
    ["a name for each", everywhere, "triage", { dev: "triage-dev", test: "triage-test" }, undefined],
  ])("%s", (_, places, endpoint, own, expected) => {
    const twins = endpointTwins(projectOf(serves(endpoint, own)), policyOf(at(places)));
    expect(twins?.environments).toEqual(expected);
  });

  it("is mended by the line that the message gives", () => {
    const places: Places = { test: ["test", ONE], prod: ["prod", ONE] };
    const twins = endpointTwins(projectOf(serves("triage", {})), policyOf(at(places)));
    if (twins === undefined) throw new Error("no twins");
    expect(twinsFix(twins)).toContain("environments: { prod: { release: { endpoint: triage-prod } } }");
    expect(endpointTwins(projectOf(serves("triage", { prod: "triage-prod" })), policyOf(at(places)))).toBeUndefined();
    expect(endpointTwins(projectOf(serves("triage", {})), policyOf(at(places)), "dev")).toBeUndefined();
  });
});

describe("the plan of a release", () => {
  const steady: EndpointState = { served: [], strangers: [], phase: "steady", ready: true, trouble: undefined };
  async function judged(
    state: () => Promise<EndpointState | undefined>,
    places: Places,
    own: Record<string, string> = {},
  ) {
    const changes = { policy: at(places), project: serves("triage", own) };
    const facts = goodFacts({ action: "release", environment: "prod", ...changes });
    const asked: string[] = [];
    const never = () => Promise.reject(new Error("a plan changes nothing"));
    const endpoint: ServingEndpoint = { place: "endpoint at its host", state, ask: never, remove: never, score: never };
    const verdict = await judgeEndpoint(
      { facts, project: projectOf(changes.project), target: facts.environment, name: "prod.claims.triage" },
      {
        async serving(_, name) {
          asked.push(name);
          return endpoint;
        },
      },
    );
    return { verdict, asked };
  }
  const apart: Places = { test: ["test", ONE], prod: ["prod", OTHER] };

  it("says no before anything is asked where the policy shows it", async () => {
    const { verdict, asked } = await judged(async () => steady, { test: ["test", ONE], prod: ["prod", ONE] });
    expect(verdict).toMatchObject({ rule: "endpoint", verdict: "no", fix: expect.stringContaining("triage-prod") });
    expect(verdict?.why).toContain("test and prod are in one workspace");
    expect(asked).toEqual([]);
  });
  it("says no where the endpoint serves something else, which no policy tells", async () => {
    const { verdict } = await judged(async () => ({ ...steady, strangers: ["test.claims.triage"] }), apart);
    expect(verdict).toMatchObject({ verdict: "no", why: expect.stringContaining("serves test.claims.triage") });
    expect(verdict?.fix).toContain("environments: { prod: { release: { endpoint: triage-prod } } }");
  });
  it("says yes to one of its own, and to one that is not there yet; asks for the environment's own name", async () => {
    expect((await judged(async () => steady, apart)).verdict?.verdict).toBe("yes");
    expect(await judged(async () => undefined, apart, { prod: "mine" })).toMatchObject({
      verdict: { verdict: "yes" },
      asked: ["mine"],
    });
  });
  it("cannot tell while the workspace does not answer", async () => {
    const { verdict } = await judged(() => Promise.reject(outsideError("http", "it answers 503")), apart);
    expect(verdict).toMatchObject({ verdict: "cannot tell", why: "it answers 503" });
  });
});

describe("going back", () => {
  it.each([
    ["triage", { test: "triage-test" }, { test: "triage-test", prod: "triage" }],
    [undefined, { prod: "triage" }, { test: undefined, prod: "triage" }],
  ])("without the ledger takes the environment's own endpoint: %s and %j", (everywhere, own, expected) => {
    const folder = mkdtempSync(join(tmpdir(), "factory-endpoint-"));
    try {
      const project = { ...projectDraft(), policy: "policy.yaml" };
      serves(everywhere, own)(project);
      writeFileSync(join(folder, "factory.yaml"), JSON.stringify(project));
      writeFileSync(join(folder, "policy.yaml"), JSON.stringify(policyDraft()));
      const of = (environment: string) => withoutLedger(folder, undefined, environment).endpoint;
      expect({ test: of("test"), prod: of("prod") }).toEqual(expected);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each([
    [["prod.claims.other"], 0],
    [[], 1],
  ])("to nothing removes an endpoint only when nothing else is on it: %j", async (strangers, removals) => {
    let removed = 0;
    const never = () => Promise.reject(new Error("nothing else is asked"));
    const endpoint: ServingEndpoint = {
      place: "endpoint at its host",
      state: async () => ({ served: [], strangers, phase: "steady", ready: true, trouble: undefined }),
      ask: never,
      score: never,
      remove: async () => {
        removed++;
      },
    };
    const { environment } = goodFacts();
    const world = { serving: async () => endpoint, report: () => {}, signal: new AbortController().signal };
    const back = takeRequestsBack(
      { endpoint: "triage", model: "claims.triage", version: undefined },
      environment,
      world,
    );
    if (removals === 0) await expect(back).rejects.toMatchObject({ code: "serving.strangers", exit: 4 });
    else await back;
    expect(removed).toBe(removals);
  });
});
