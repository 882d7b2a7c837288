import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import type { Ran } from "../../support/factory.ts";
import { checkAnswer, readyProject, type TestProject } from "../../support/project.ts";

/** What a user's shell or a CI job holds. Values are unlike each other, so that a leak names its source. */
const SECRET_NAMES = [
  "FACTORY_SIGNING_KEY",
  "FACTORY_SIGNING_KEY_FILE",
  "FACTORY_KEY_PASSPHRASE",
  "FACTORY_ANYTHING_LATER",
  "DATABRICKS_TOKEN",
  "DATABRICKS_CLIENT_ID",
  "DATABRICKS_CLIENT_SECRET",
  "DATABRICKS_PASSWORD",
  "DATABRICKS_HOST",
  "DATABRICKS_CONFIG_PROFILE",
  "DATABRICKS_USERNAME",
  "DATABRICKS_ACCOUNT_ID",
  "DATABRICKS_AZURE_RESOURCE_ID",
  "DATABRICKS_OIDC_TOKEN",
  "DATABRICKS_OIDC_TOKEN_FILEPATH",
  "DATABRICKS_GOOGLE_SERVICE_ACCOUNT",
  "DATABRICKS_METADATA_SERVICE_URL",
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "AWS_PROFILE",
  "ARM_CLIENT_ID",
  "ARM_TENANT_ID",
  "ARM_CLIENT_SECRET",
  "ARM_ACCESS_KEY",
  "AZURE_CLIENT_SECRET",
  "AZURE_STORAGE_KEY",
  "GOOGLE_APPLICATION_CREDENTIALS",
  "GITHUB_TOKEN",
  "GH_TOKEN",
  "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
  "ACTIONS_ID_TOKEN_REQUEST_URL",
  "ACTIONS_RUNTIME_TOKEN",
  "CI_JOB_TOKEN",
  "CI_REGISTRY_PASSWORD",
  "SYSTEM_ACCESSTOKEN",
  "SSH_AUTH_SOCK",
  "NPM_TOKEN",
  "UV_PUBLISH_TOKEN",
  "UV_INDEX_INTERNAL_PASSWORD",
  "TWINE_PASSWORD",
  "PGPASSWORD",
  "OPENAI_API_KEY",
  "SLACK_WEBHOOK_URL",
  "NODE_OPTIONS_NOTE",
  "PYTHONSTARTUP_NOTE",
];
const plain = Object.fromEntries(
  SECRET_NAMES.map((name, i) => [name, `planted-${i}-${name.toLowerCase().replaceAll("_", "-")}-value`]),
);
/** Harmless names whose value carries a password. */
const IN_ADDRESSES: Record<string, string> = {
  HTTPS_PROXY: "planted-proxy-password",
  https_proxy: "planted-lower-proxy-password",
  ALL_PROXY: "planted-all-proxy-password",
  PIP_EXTRA_INDEX_URL: "planted-pip-password",
  UV_EXTRA_INDEX_URL: "planted-uv-password",
};
const addresses = Object.fromEntries(
  Object.entries(IN_ADDRESSES).map(([name, password]) => [name, `http://user:${password}@127.0.0.1:9/simple`]),
);
/** The first environment's own tracking server: training has to write there, nothing else has. */
const tracking = {
  MLFLOW_TRACKING_USERNAME: "planted-tracking-user",
  MLFLOW_TRACKING_PASSWORD: "planted-tracking-password",
};
const FORBIDDEN = [...Object.values(plain), ...Object.values(IN_ADDRESSES)];

const sighting = z.object({ by: z.string(), argv: z.array(z.string()), environment: z.record(z.string(), z.string()) });
type Sighting = z.infer<typeof sighting>;

let project: TestProject;
let spies: string;
let variables: Record<string, string>;

beforeAll(async () => {
  project = await readyProject({ server: true });
  spies = join(project.home.folder, "spies");
  mkdirSync(spies);
  const spy = (by: string) => `
import json, os, sys, time
def _look():
    seen = {"by": "${by}", "argv": list(getattr(sys, "orig_argv", sys.argv)), "environment": dict(os.environ)}
    path = os.path.join(${JSON.stringify(spies)}, f"{os.getpid()}-{time.time_ns()}-${by}.json")
    with open(path, "w", errors="surrogateescape") as out:
        json.dump(seen, out)
    return seen
`;
  // Both also print what they see, as careless code would: what they print lands in logs.
  project.write(
    "conftest.py",
    `${spy("conftest")}\nprint(_look()["environment"])\nprint(dict(os.environ), file=sys.stderr)\n`,
  );
  writeFileSync(
    join(sitePackages(project.folder), "sitecustomize.py"),
    `${spy("sitecustomize")}\n_look()\nif "claims_triage.train" in " ".join(getattr(sys, "orig_argv", [])):\n    print(dict(os.environ))\n`,
  );
  variables = {
    ...project.home.variables,
    ...plain,
    ...addresses,
    ...tracking,
    MLFLOW_TRACKING_URI: project.uri,
    NO_PROXY: "127.0.0.1,localhost",
    no_proxy: "127.0.0.1,localhost",
  };
});
afterAll(async () => project?.remove());

function sitePackages(folder: string): string {
  const lib = join(folder, ".venv/lib");
  const python = readdirSync(lib).find((name) => name.startsWith("python3"));
  if (python === undefined) throw new Error(`no Python in ${lib}`);
  return join(lib, python, "site-packages");
}

function sightings(before: readonly string[] = []): Sighting[] {
  return readdirSync(spies)
    .filter((name) => !before.includes(name))
    .map((name) => sighting.parse(JSON.parse(readFileSync(join(spies, name), "utf8"))));
}

/** Which planted values a text or a file holds. */
function leaks(text: string | Buffer, values = FORBIDDEN): string[] {
  return values.filter((value) => text.includes(value));
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesUnder(path) : entry.isFile() ? [path] : [];
  });
}

function expectNoLeak(ran: Ran): void {
  expect(leaks(ran.stdout + ran.stderr, [...FORBIDDEN, tracking.MLFLOW_TRACKING_PASSWORD])).toEqual([]);
  const files = filesUnder(join(project.folder, ".factory"));
  expect(files.length).toBeGreaterThan(3);
  const found = files
    .filter((path) => statSync(path).size < 64 << 20)
    .flatMap((path) =>
      leaks(readFileSync(path), [...FORBIDDEN, tracking.MLFLOW_TRACKING_PASSWORD]).map((value) => `${path}: ${value}`),
    );
  expect(found).toEqual([]);
}

function expectBlind(seen: readonly Sighting[], values: readonly string[]): void {
  const told = seen.flatMap(({ by, argv, environment }) =>
    Object.entries(environment).flatMap(([name, value]) =>
      leaks(value, [...values]).map((secret) => `${by} (${argv.slice(0, 4).join(" ")}) saw ${secret} in ${name}`),
    ),
  );
  expect(told).toEqual([]);
}

describe("project code sees no key and no token", () => {
  it("plants enough to be worth it, and the spies do see an environment", () => {
    expect(FORBIDDEN.length).toBeGreaterThanOrEqual(30);
    expect(leaks(JSON.stringify(variables))).toEqual(FORBIDDEN);
  });

  it("while it trains: only what its own tracking server asks for", async () => {
    const ran = await project.run(["train", "--json"], { variables });
    expect(ran.status, ran.stdout + ran.stderr).toBe(0);
    const seen = sightings();
    const training = seen.filter(({ argv }) => argv.includes("claims_triage.train"));
    expect(training.length).toBeGreaterThan(0);
    expect(training[0]?.environment).toMatchObject({ ...tracking, MLFLOW_TRACKING_URI: project.uri });
    expectBlind(seen, FORBIDDEN);
    expectBlind(
      seen.filter((each) => !training.includes(each) && each.environment.MLFLOW_RUN_ID === undefined),
      Object.values(tracking),
    );
    expectNoLeak(ran);
  });

  it("while it is checked: nothing, neither the tests nor the lint nor the build of its wheel", async () => {
    const before = readdirSync(spies);
    const ran = await project.run(["check", "--json"], { variables });
    const answer = checkAnswer(ran);
    expect(answer.data?.subject, ran.stderr).toBe("candidate");
    expect(answer.data?.evidence?.files).toBeGreaterThan(10);
    const seen = sightings(before);
    expect(seen.filter(({ by }) => by === "conftest").length, "unit and model tests").toBeGreaterThanOrEqual(2);
    expect(seen.filter(({ by }) => by === "sitecustomize").length).toBeGreaterThanOrEqual(2);
    expectBlind(seen, [...FORBIDDEN, ...Object.values(tracking)]);
    expectNoLeak(ran);
  });

  it("nor when uv looks at the environment's Python anew, with passwords of indexes at hand", async () => {
    const before = readdirSync(spies);
    const ran = await project.run(["check", "--project-only", "--only", "lint", "--json"], {
      variables: { ...variables, UV_CACHE_DIR: join(project.home.folder, "empty-cache") },
    });
    expect(checkAnswer(ran).data, ran.stderr).toBeDefined();
    const seen = sightings(before);
    expect(seen.filter(({ argv }) => argv.includes("-I")).length, "uv asked that Python").toBeGreaterThan(0);
    expectBlind(seen, [...FORBIDDEN, ...Object.values(tracking)]);
  });
});
