import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { type FakeWorkspace, startWorkspace } from "../fakes/workspace/server.ts";
import type { Ran } from "../support/factory.ts";
import { checkAnswer, readyProject, type TestProject } from "../support/project.ts";

// The project that the template makes, unchanged, with three environments in a workspace, and with the built program.

/** What a CI job holds beside what it needs: none of it is for project code. */
const PLANTED: Readonly<Record<string, string>> = Object.fromEntries(
  `FACTORY_SIGNING_KEY FACTORY_KEY_PASSPHRASE DATABRICKS_TOKEN DATABRICKS_CLIENT_SECRET DATABRICKS_PASSWORD DATABRICKS_OIDC_TOKEN DATABRICKS_ACCOUNT_ID
  DATABRICKS_AZURE_RESOURCE_ID DATABRICKS_GOOGLE_SERVICE_ACCOUNT DATABRICKS_METADATA_SERVICE_URL DATABRICKS_CONFIG_PROFILE ARM_CLIENT_ID ARM_CLIENT_SECRET
  ARM_TENANT_ID ACTIONS_ID_TOKEN_REQUEST_URL ACTIONS_ID_TOKEN_REQUEST_TOKEN ACTIONS_RUNTIME_TOKEN AZURE_CLIENT_SECRET GOOGLE_CREDENTIALS GITHUB_TOKEN
  AWS_SECRET_ACCESS_KEY MLFLOW_TRACKING_TOKEN MLFLOW_TRACKING_PASSWORD`
    .split(/\s+/)
    .map((name, i) => [name, `planted-${i}-${name.toLowerCase().replaceAll("_", "-")}`]),
);

const sighting = z.object({ by: z.string(), argv: z.array(z.string()), environment: z.record(z.string(), z.string()) });
type Sighting = z.infer<typeof sighting>;

let fake: FakeWorkspace;
let project: TestProject;
let spies: string;
/** Of three identities: none but a token of the first is for project code, and that for training alone. */
let secrets: string[];

beforeAll(async () => {
  fake = await startWorkspace({
    principals: [{ name: "factory-dev" }, { name: "factory-test" }, { name: "factory-prod" }],
    catalogs: ["dev", "test", "prod"].map((name) => ({ name, schemas: [{ name: "claims" }] })),
    grants: ["dev", "test", "prod"].flatMap((name) => [
      { on: `catalog ${name}`, to: `factory-${name}`, privileges: ["USE_CATALOG"] },
      { on: `schema ${name}.claims`, to: `factory-${name}`, privileges: ["USE_SCHEMA", "CREATE_MODEL"] },
    ]),
  });
  project = await readyProject();
  const identities = ["dev", "test", "prod"].map((name) => ({ ...fake.identity(`factory-${name}`), name }));
  secrets = identities.flatMap(({ token, clientSecret }) => [token, clientSecret ?? []].flat());
  writeFileSync(
    join(project.home.folder, "home/.databrickscfg"),
    identities
      .map(({ name, token, clientId, clientSecret }) =>
        name === "dev"
          ? `[${name}]\nhost = ${fake.url}\nclient_id = ${clientId}\nclient_secret = ${clientSecret}\n`
          : `[${name}]\nhost = ${fake.url}\ntoken = ${token}\n`,
      )
      .join("\n"),
    { mode: 0o600 },
  );
  const policy = join(project.root, "policy.yaml");
  const text = readFileSync(policy, "utf8");
  const registry = (name: string) => `registry: { kind: unity-catalog, profile: ${name}, host: ${fake.url} }`;
  let at = 0;
  const changed = text.replace(/registry: \{ kind: mlflow[^}]*\}/g, (found) => {
    const name = ["dev", "test", "prod"][at++];
    return name === undefined ? found : registry(name);
  });
  expect(at).toBeGreaterThanOrEqual(3);
  writeFileSync(policy, changed);

  spies = join(project.home.folder, "spies");
  mkdirSync(spies);
  const spy = (by: string) => `
import json, os, sys, time
_seen = {"by": "${by}", "argv": list(getattr(sys, "orig_argv", sys.argv)), "environment": dict(os.environ)}
with open(os.path.join(${JSON.stringify(spies)}, f"{os.getpid()}-{time.time_ns()}-${by}.json"), "w", errors="surrogateescape") as _out:
    json.dump(_seen, _out)
`;
  project.write("conftest.py", `${spy("conftest")}\nprint(dict(os.environ))\n`);
  const lib = join(project.folder, ".venv/lib");
  const python = readdirSync(lib).find((name) => name.startsWith("python3")) ?? "";
  writeFileSync(
    join(lib, python, "site-packages/sitecustomize.py"),
    `${spy("sitecustomize")}\nif "claims_triage.train" in " ".join(_seen["argv"]):\n    print(dict(os.environ))\n`,
  );
});
afterAll(async () => {
  await project?.remove();
  await fake?.stop();
});

const sightings = (before: readonly string[] = []): Sighting[] =>
  readdirSync(spies)
    .filter((name) => !before.includes(name))
    .map((name) => sighting.parse(JSON.parse(readFileSync(join(spies, name), "utf8"))));

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesUnder(path) : entry.isFile() ? [path] : [];
  });
}

/** Nothing that was printed, and no file that factory left in the project, holds any of these. */
function expectNowhere(ran: Ran, values: readonly string[]): void {
  const found = values.filter((value) => (ran.stdout + ran.stderr).includes(value));
  const files = filesUnder(join(project.folder, ".factory")).filter((path) => statSync(path).size < 64 << 20);
  expect(files.length).toBeGreaterThan(2);
  for (const path of files) {
    const bytes = readFileSync(path);
    found.push(...values.filter((value) => bytes.includes(value)).map((value) => `${path}: ${value}`));
  }
  expect(found).toEqual([]);
}

const run = (args: readonly string[]) =>
  project.run(args, {
    variables: { ...project.home.variables, ...PLANTED, MLFLOW_TRACKING_URI: "https://elsewhere.example" },
  });

describe("the template's project with a workspace as its first environment", () => {
  let minted = "";

  it("trains, with a token of the first environment alone", { timeout: 280_000 }, async () => {
    const ran = await run(["train", "--json"]);
    expect(ran.status, ran.stdout + ran.stderr).toBe(0);
    const { data } = z
      .object({
        data: z.object({
          outcome: z.literal("trained"),
          experiment: z.string(),
          run: z.string(),
          model: z.object({ digest: z.string() }),
          metrics: z.record(z.string(), z.number().nullable()),
        }),
      })
      .parse(JSON.parse(ran.stdout));
    expect(data.experiment).toBe("/Shared/factory/claims-triage");
    expect(Object.keys(data.metrics).length).toBeGreaterThan(2);

    const seen = sightings();
    const training = seen.filter(({ environment }) => environment.MLFLOW_RUN_ID === data.run);
    expect(training.length).toBeGreaterThan(0);
    minted = training[0]?.environment.DATABRICKS_TOKEN ?? "";
    expect(minted.length).toBeGreaterThan(20);
    // Made for this: not a secret of the profile.
    expect(secrets).not.toContain(minted);
    expect(training[0]?.environment).toMatchObject({ MLFLOW_TRACKING_URI: "databricks", DATABRICKS_HOST: fake.url });
    const told = JSON.stringify(seen);
    expect([...secrets, ...Object.values(PLANTED)].filter((value) => told.includes(value))).toEqual([]);
    const others = JSON.stringify(seen.filter((each) => each.environment.MLFLOW_RUN_ID === undefined));
    expect(others).not.toContain(minted);
    expect(others).not.toContain("DATABRICKS_");
    expectNowhere(ran, [...secrets, ...Object.values(PLANTED), minted]);
    expect(readFileSync(join(project.folder, `.factory/cache/train/${data.run}.log`), "utf8")).toContain(
      "DATABRICKS_HOST",
    );
  });

  it("is checked: the run's model, the champions of three catalogs, and project code that sees no workspace", {
    timeout: 400_000,
  }, async () => {
    const before = readdirSync(spies);
    const ran = await run(["check", "--json"]);
    const answer = checkAnswer(ran);
    expect(answer.data?.subject, ran.stdout + ran.stderr).toBe("candidate");
    expect(answer.data?.evidence?.files).toBeGreaterThan(10);
    const { model, baseline } = Object.fromEntries(answer.data?.gates.map((gate) => [gate.gate, gate]) ?? []);
    expect(baseline).toMatchObject({ verdict: "pass", summary: expect.stringMatching(/^first release/) });
    // How fast it predicts is the machine's matter, and it may be busy.
    expect(model?.findings.filter(({ message }) => !/latency|fast/.test(message))).toEqual([]);
    for (const name of ["prod", "test", "dev"])
      expect(fake.log.some(({ url }) => url.includes(`${name}.claims.triage`) || url.includes(`${name}.claims`))).toBe(
        true,
      );
    const told = JSON.stringify(sightings(before));
    expect([...secrets, ...Object.values(PLANTED), minted].filter((value) => told.includes(value))).toEqual([]);
    expect(told).not.toContain("DATABRICKS_");
    expectNowhere(ran, [...secrets, ...Object.values(PLANTED), minted]);
  });
});
