import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { renderedProject } from "./rendered.ts";
import { type Contexts, evaluate, fill, parseWorkflow, type Step } from "./workflow.ts";

// What a project gets whose policy keeps models in Databricks workspaces: GitHub's ID tokens in the place of secrets.

const HOSTS = { dev: "https://adb-1.azuredatabricks.net", test: "https://adb-2.azuredatabricks.net" };
const GIT = { kind: "git", url: "git@git.example.com:risk/governance.git", branch: "ledger" } as const;
const project = await renderedProject(HOSTS, GIT);
const plain = await renderedProject();
const fileOf = (name: string, of = project): string => of.get(`.github/workflows/${name}`) ?? "";
const automatic = parseWorkflow(fileOf("factory.yml"));
const manual = parseWorkflow(fileOf("ship.yml"));
const jobs = { ...automatic.jobs, ...manual.jobs };
const PROFILES = "Profiles of the workspaces";
const stepOf = (job: string, name: string): Step | undefined => jobs[job]?.steps.find((step) => step.name === name);
const contexts = (vars: Record<string, string>, event_name = "push"): Contexts => ({
  github: { event_name, ref: "refs/heads/main" },
  vars,
  secrets: {},
  inputs: {},
});
const CLIENT = "11111111-1111-4111-8111-111111111111";

/** Runs the step that writes profiles as a runner would; what is in the file that it names to later steps. */
function written(vars: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "factory-profiles-"));
  const step = stepOf("ship", PROFILES);
  const given = Object.entries(step?.env ?? {}).map(([name, value]) => [name, fill(value, contexts(vars))]);
  const env = {
    PATH: process.env.PATH ?? "",
    RUNNER_TEMP: folder,
    GITHUB_ENV: join(folder, "env"),
    ...Object.fromEntries(given),
  };
  try {
    writeFileSync(env.GITHUB_ENV, "");
    execFileSync("bash", ["-eo", "pipefail", "-c", step?.run ?? "exit 9"], { env, stdio: "pipe" });
    const [, path = ""] = /^DATABRICKS_CONFIG_FILE=(.*)$/m.exec(readFileSync(env.GITHUB_ENV, "utf8")) ?? [];
    return readFileSync(path, "utf8");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe("the workflows of a project in Databricks workspaces", () => {
  it("may ask GitHub for an ID token in each job that calls factory, and hold no token of a server", () => {
    expect(Object.fromEntries(Object.entries(jobs).map(([name, job]) => [name, job.permissions]))).toEqual({
      check: { contents: "read", "id-token": "write" },
      sign: { contents: "read", "id-token": "write" },
      ship: { contents: "read", actions: "read", "id-token": "write" },
    });
    for (const name of ["factory.yml", "ship.yml"]) {
      expect(fileOf(name)).not.toContain("MLFLOW_TRACKING");
      expect(fileOf(name)).toMatch(/^[\n\x20-\x7e]*$/);
      // Without workspaces there is none of it.
      expect(fileOf(name, plain)).not.toMatch(/DATABRICKS|id-token|setup-cli/);
    }
  });

  it("write a profile for each workspace of the policy, as the job's own service principal", () => {
    const profile = (name: string, host: string) =>
      `[${name}]\nhost = ${host}\nclient_id = ${CLIENT}\nauth_type = github-oidc\n`;
    const host = "https://adb-3.azuredatabricks.net";
    expect(written({ DATABRICKS_CLIENT_ID: CLIENT, DATABRICKS_HOST_PROD: host })).toBe(
      `${[profile("dev", HOSTS.dev), profile("test", HOSTS.test), profile("prod", host)].join("\n")}\n`,
    );
    expect(() => written({ DATABRICKS_CLIENT_ID: CLIENT })).toThrow(/set the variable DATABRICKS_HOST_PROD/);
    expect(() => written({ DATABRICKS_HOST_PROD: host })).toThrow(/this environment has no such variable/);
  });

  it("write them before anything is asked of a workspace, and never for a pull request", () => {
    for (const [name, first] of [
      ["check", "Train"],
      ["sign", "Sign and register"],
      ["ship", "Promote"],
    ] as const) {
      const names = (jobs[name]?.steps ?? []).map((step) => step.name ?? "");
      expect(names.indexOf(PROFILES)).toBeGreaterThan(0);
      expect(names.indexOf(PROFILES)).toBeLessThan(names.indexOf(first));
    }
    const condition = stepOf("check", PROFILES)?.if ?? "";
    const given = { DATABRICKS_CLIENT_ID: CLIENT };
    expect(
      [contexts(given), contexts(given, "pull_request"), contexts({})].map((each) => evaluate(condition, each)),
    ).toEqual([true, false, false]);
    const local = automatic.jobs.check?.steps.find((step) => step.run === "factory local start");
    expect([contexts(given), contexts(given, "pull_request")].map((each) => evaluate(local?.if ?? "", each))).toEqual([
      false,
      true,
    ]);
    const register = { FACTORY_REGISTER: "true" };
    expect(evaluate(jobs.sign?.if ?? "", contexts({ ...given, ...register }))).toBe(true);
    expect(evaluate(jobs.sign?.if ?? "", contexts(register))).toBe(false);
  });

  it("deploy too, beside the project, with the official program", () => {
    const names = (jobs.ship?.steps ?? []).map((step) => step.name ?? step.uses);
    expect(names.indexOf("Databricks CLI")).toBe(names.indexOf("Deploy") - 1);
    expect(stepOf("ship", "Databricks CLI")?.uses).toMatch(/^databricks\/setup-cli@v\d+\.\d+\.\d+$/);
    const { run = "", env = {} } = stepOf("ship", "Deploy") ?? {};
    expect(run).toContain('cd "$GITHUB_WORKSPACE"');
    expect(run).toMatch(/--policy="\$POLICY" --project=claims-triage --env="\$ENVIRONMENT"/);
    expect(env.POLICY).toBe("project/../policy.yaml");
    expect(Object.keys(env)).toContain("FACTORY_SIGNING_KEY");
    const options = parse(fileOf("ship.yml")).on.workflow_dispatch.inputs.action.options;
    expect(options).toEqual(["promote", "deploy", "release", "rollback"]);
  });

  it("need no key of a ledger that is a table", async () => {
    const prod = { profile: "governance", host: "https://adb-9.azuredatabricks.net" };
    const table = {
      kind: "delta",
      ...prod,
      warehouse: "0a1b2c3d4e5f6a7b",
      table: "governance.factory.ledger",
    } as const;
    const delta = await renderedProject(HOSTS, table);
    for (const name of ["factory.yml", "ship.yml"]) {
      expect(fileOf(name)).toContain("secrets.LEDGER_DEPLOY_KEY");
      expect(fileOf(name, delta)).not.toMatch(/LEDGER_DEPLOY_KEY|GIT_SSH_COMMAND/);
      expect(fileOf(name, delta)).toContain("secrets.POLICY_READ_KEY");
      expect(fileOf(name, delta)).toContain(`profile governance "\${HOST_GOVERNANCE:?`);
      parseWorkflow(fileOf(name, delta));
    }
  });

  it("take no more of a pinned host than an address", async () => {
    const hostile = await renderedProject({ dev: "https://a'||secrets.FACTORY_SIGNING_KEY||'b" });
    expect(fileOf("ship.yml", hostile)).toMatch(/HOST_DEV: \$\{\{ vars\.DATABRICKS_HOST_DEV \}\}\n/);
  });
});
