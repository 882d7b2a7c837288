import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { viewOf } from "../../src/ledger/view.ts";
import { startCatalogs } from "../clients/unity-catalog/line-parts.ts";
import { jobs } from "../fakes/workspace/jobs/state.ts";
import type { FakeWorkspace } from "../fakes/workspace/server.ts";
import { workspaceTree } from "../fakes/workspace/workspace-files.ts";
import { forge } from "../promotion/front-door.ts";
import { factory } from "../support/factory.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import { DEEP } from "../support/sample.ts";
import type { LineAnswer } from "../support/small-line.ts";
import { BUNDLE, type DeployLine, deployLine, RUN_AS, WHEEL } from "./world.ts";

let server: MlflowServer;
let fake: FakeWorkspace;
let line: DeployLine;

const deploy = (env: string, ...more: string[]): Promise<LineAnswer> =>
  line.run("ci", ["deploy", "--env", env, "--yes", ...more]);
const kinds = () => line.ledger().map(({ kind }) => kind);
const job = (name: string) => [...jobs.of(fake.state).jobs.values()].find(({ settings }) => settings.name === name);
const sha256 = (bytes: string | Buffer) => createHash("sha256").update(bytes).digest("hex");
const uploaded = (path: string) => workspaceTree.of(fake.state).objects.get(path)?.digest;
const said = (answer: LineAnswer) => `${answer.ran.stdout}${answer.ran.stderr}`;

beforeAll(async () => {
  [server, fake] = await Promise.all([
    startMlflowServer(),
    startCatalogs({
      principals: [
        { name: "factory-test" },
        { name: "factory-prod" },
        { name: "reader@example.com" },
        { name: "jobs-of-claims", kind: "service-principal", applicationId: RUN_AS },
      ],
    }),
  ]);
  line = await deployLine(server, fake);
  line.tickets({ "CHG-1": { state: "approved", project: "claims-triage" } });
  await line.bring("weights 1");
}, 300_000);
afterAll(async () => {
  line?.remove();
  await fake?.stop();
  await server?.stop();
});

describe.sequential("deploy", { timeout: 300_000 }, () => {
  it("refuses what was not promoted there, and starts nothing", async () => {
    const answer = await deploy("test");
    expect(answer.status, said(answer)).toBe(2);
    expect(answer.error?.code).toBe("deploy.none");
    const named = await line.run("ci", ["deploy", "1", "--env", "test", "--yes"]);
    expect(named.status, said(named)).toBe(3);
    expect(named.against.join()).toContain("order: the ledger knows no promotion of it to test");
    expect(kinds()).not.toContain("deploy.started");
  });

  it("plans: every file by digest, the variables, nothing written", async () => {
    const promoted = await line.promote("1", "test");
    expect(promoted.status, said(promoted)).toBe(0);
    const before = line.cli.calls().length;
    const answer = await deploy("test", "--dry-run");
    expect(answer.status, said(answer)).toBe(0);
    expect(answer.data).toMatchObject({
      outcome: "planned",
      version: "1",
      variables: { model_version: "1", commit: line.commit() },
      tool: "databricks 1.13.0",
    });
    expect(answer.data?.files).toEqual([
      { path: "databricks.yml", sha256: sha256(BUNDLE["databricks.yml"] ?? "") },
      { path: `dist/${WHEEL.name}`, sha256: sha256(WHEEL.bytes) },
      { path: "resources/jobs.yml", sha256: sha256(BUNDLE["resources/jobs.yml"] ?? "") },
    ]);
    expect(
      line.cli
        .calls()
        .slice(before)
        .map(({ argv }) => argv),
    ).toEqual([["version"]]);
    expect(kinds()).not.toContain("deploy.started");
  });

  it("deploys the wheel and the bundle files of the evidence, as one identity, and nothing else", async () => {
    line.write("dist/claims_triage-0.2.0-py3-none-any.whl", "another wheel");
    line.write("setup.py", "raise SystemExit('nothing may be built')");
    const before = line.cli.calls().length;
    const answer = await deploy("test");
    expect(answer.status, said(answer)).toBe(0);
    expect(kinds().slice(-2)).toEqual(["deploy.started", "deployed"]);

    const [, validate, deployed] = line.cli.calls().slice(before);
    expect(validate?.argv.slice(0, 4)).toEqual(["bundle", "validate", "--target", "test"]);
    expect(deployed?.argv).toEqual([
      "bundle",
      "deploy",
      "--target",
      "test",
      "--var",
      "model_version=1",
      "--var",
      `commit=${line.commit()}`,
    ]);
    expect(deployed?.files.sort()).toEqual(["databricks.yml", `dist/${WHEEL.name}`, "resources/jobs.yml"]);
    const { token } = fake.identity("factory-test");
    expect(deployed?.env).toMatchObject({ DATABRICKS_HOST: fake.url, DATABRICKS_TOKEN: token });
    const others = JSON.stringify(deployed?.env);
    for (const secret of [fake.identity("factory-prod").token, "stolen", "not-for-the-program", "PRIVATE KEY"])
      expect(others).not.toContain(secret);
    expect(said(answer)).not.toContain(token);

    const made = job("claims-triage-scoring-test");
    expect(made?.settings).toMatchObject({ tags: { model_version: "1" }, run_as: { service_principal_name: RUN_AS } });
    expect(made?.creator_user_name).toBe(fake.identity("factory-test").name);
    expect(uploaded(`/Shared/.bundle/claims-triage/test/artifacts/.internal/${WHEEL.name}`)).toBe(sha256(WHEEL.bytes));
    expect(uploaded("/Shared/.bundle/claims-triage/test/files/resources/jobs.yml")).toBe(
      sha256(BUNDLE["resources/jobs.yml"] ?? ""),
    );
    expect(uploaded("/Shared/.bundle/claims-triage/test/files/setup.py")).toBeUndefined();
  });

  it("is what status and history say of the environment", async () => {
    const status = await line.run("approver", ["status"]);
    expect(status.status, said(status)).toBe(0);
    const ended = line.ledger().at(-1);
    expect(status.data?.environments).toMatchObject([
      { environment: "dev", deployed: null, deploying: null },
      {
        environment: "test",
        deployed: { version: "1", number: "1", seq: ended?.seq, by: "ci@example.com", workspace: fake.url },
        deploying: null,
      },
      { environment: "prod", deployed: null, deploying: null },
    ]);
    const variables = { ...line.people.approver.variables, NO_COLOR: "1" };
    const shown = await factory(["status"], { cwd: line.folder, variables });
    expect(shown.stdout).toMatch(/^ +champion .* challenger +deployed$/m);
    expect(shown.stdout).toMatch(/^ +test .* v1 \(dev v1\) +v1 \(dev v1\)$/m);
    const history = await line.run("approver", ["history"]);
    expect(history.data?.changes).toMatchObject([
      {
        kind: "deployed",
        environment: "test",
        by: "ci@example.com",
        deployment: { version: "1", tool: "databricks 1.13.0" },
      },
    ]);
    const told = await factory(["history", "--env", "test"], { cwd: line.folder, variables });
    expect(told.stdout).toMatch(
      /test {2}v1 {2}sha256:\w+… {2}wheel and bundle deployed by ci@example\.com {3}entry \d+/,
    );
    expect(told.stdout).toContain(`to ${fake.url}, databricks 1.13.0   no approval asked for`);
  });

  it("is in a ledger that verifies, with the digest of what was deployed", async () => {
    const verified = await line.run("approver", ["verify"]);
    expect(verified.status, said(verified)).toBe(0);
    const shown = await line.run("approver", ["ledger", "show"]);
    expect(shown.ran.stdout).toContain("by databricks 1.13.0, ends entry");
    const manifest = [
      `${sha256(BUNDLE["databricks.yml"] ?? "")}  databricks.yml\n`,
      `${sha256(WHEEL.bytes)}  dist/${WHEEL.name}\n`,
      `${sha256(BUNDLE["resources/jobs.yml"] ?? "")}  resources/jobs.yml\n`,
    ].join("");
    expect(readFileSync(line.ledgerPath, "utf8")).toContain(`"files":"${sha256(manifest)}"`);
  });

  it("is refused, and does not verify, once the ledger names another commit than the evidence", async () => {
    const text = readFileSync(line.ledgerPath);
    const entry = viewOf(text).entries.findLast((each) => each.kind === "registered");
    if (entry?.kind !== "registered") throw new Error("nothing is registered");
    await forge(line, "author", { kind: "registered", body: { ...entry.body, commit: "f".repeat(40) } });
    try {
      const calls = line.cli.calls().length;
      const answer = await deploy("test");
      expect(answer.status, said(answer)).toBe(3);
      expect(answer.against.join("\n")).toContain(`registered with commit ${"f".repeat(40)}`);
      expect(
        line.cli
          .calls()
          .slice(calls)
          .filter(({ argv }) => argv.includes("deploy")),
      ).toEqual([]);
      const verified = await line.run("approver", ["verify"]);
      expect(verified.status, said(verified)).toBe(3);
      expect(said(verified)).toContain(`registered with commit ${"f".repeat(40)}`);
    } finally {
      writeFileSync(line.ledgerPath, text);
    }
  });

  it("deploys again onto the same job", async () => {
    const { job_id } = job("claims-triage-scoring-test") ?? {};
    expect((await deploy("test")).status).toBe(0);
    expect(job("claims-triage-scoring-test")?.job_id).toBe(job_id);
    expect(
      [...jobs.of(fake.state).jobs.values()].filter(({ settings }) =>
        settings.name.startsWith("claims-triage-scoring"),
      ),
    ).toHaveLength(1);
  });

  it("refuses a working tree whose bundle files differ, by name", async () => {
    line.write("resources/jobs.yml", `${BUNDLE["resources/jobs.yml"]}# changed\n`);
    line.write("resources/more.yml", "resources: {}\n");
    const before = kinds().length;
    const answer = await deploy("test");
    line.write("resources/jobs.yml", BUNDLE["resources/jobs.yml"] ?? "");
    expect(answer.status, said(answer)).toBe(3);
    expect(answer.against.join()).toContain("resources/jobs.yml changed, resources/more.yml added");
    expect(kinds()).toHaveLength(before);
    line.git("clean", "--force", "--quiet", "resources", "setup.py", "dist");
  });

  it("asks in the last environment for what a release needs: an approval that holds, no freeze", async () => {
    const early = await line.run("ci", ["deploy", "1", "--env", "prod", "--yes"]);
    expect(early.status, said(early)).toBe(3);
    expect((await line.approve("1", "prod", "approver")).status).toBe(0);
    expect((await line.promote("1", "prod")).status).toBe(0);
    const answer = await deploy("prod");
    expect(answer.status, said(answer)).toBe(0);
    expect(job("claims-triage-scoring-prod")?.creator_user_name).toBe(fake.identity("factory-prod").name);

    line.writePolicy((policy) => {
      policy.version = 2;
      const prod = policy.environments.at(-1);
      if (prod !== undefined) prod.freeze = ["2020-01-01/2099-01-01"];
    });
    const frozen = await deploy("prod");
    expect(frozen.status, said(frozen)).toBe(3);
    expect(frozen.against.join()).toMatch(/freeze/);
    line.writePolicy((policy) => {
      policy.version = 3;
      const prod = policy.environments.at(-1);
      if (prod !== undefined) delete prod.freeze;
    });
  });

  it("goes before a release and does not outlive its rollback: a new approval is asked for then", async () => {
    const released = await line.release("1", "prod");
    expect(released.status, said(released)).toBe(0);
    expect((await deploy("prod")).status).toBe(0);
    const back = await line.rollback("prod");
    expect(back.status, said(back)).toBe(0);
    const refused = await deploy("prod");
    expect(refused.status, said(refused)).toBe(3);
    expect(refused.against.join()).toMatch(/approvals: 0 of 1.*given before it was rolled back/);
    const verified = await line.run("approver", ["verify"]);
    expect(verified.status, said(verified)).toBe(0);
  });
});

describe.sequential("the official program", { timeout: 300_000 }, () => {
  it("too old: exit 2, with what to do", async () => {
    line.behave({ version: "0.212.0" });
    const answer = await deploy("test");
    line.behave({});
    expect(answer.status, said(answer)).toBe(2);
    expect(answer.error).toMatchObject({ code: "databricks-cli.old" });
    expect(answer.error?.message).toContain("0.279.0 or later");
    expect(said(answer)).toContain("dev-tools/cli/install");
  });

  it("missing: exit 2, with where to get it", async () => {
    const { DATABRICKS_CLI_PATH: _, ...without } = line.people.ci.variables;
    const answer = await line.run("ci", ["deploy", "--env", "test", "--yes"], { variables: without });
    expect(answer.status, said(answer)).toBe(2);
    expect(answer.error?.code).toBe("databricks-cli.missing");
  });

  it("that does not take the bundle: its findings by file and line, nothing begun", async () => {
    line.behave({
      fail: {
        validate: { message: "unknown field: taskz", path: "resources.jobs.scoring", place: "resources/jobs.yml:6:7" },
      },
    });
    const before = kinds().length;
    const answer = await deploy("test");
    line.behave({});
    expect(answer.status, said(answer)).toBe(4);
    expect(answer.error?.problems).toMatchObject([{ message: "unknown field: taskz" }]);
    expect(JSON.parse(answer.ran.stdout).error.problems[0]).toMatchObject({ file: "resources/jobs.yml", line: 6 });
    expect(kinds()).toHaveLength(before);
  });

  it("that fails while it deploys: exit 4 in words, begun stays in the ledger, and the next one ends it", async () => {
    line.behave({ fail: { deploy: { message: "Failed to acquire deployment lock: deploy lock is already held" } } });
    const answer = await deploy("test");
    line.behave({});
    expect(answer.status, said(answer)).toBe(4);
    expect(answer.error?.message).toContain("another deployment of this bundle holds the workspace's lock");
    expect(kinds().at(-1)).toBe("deploy.started");
    const status = await line.run("approver", ["verify"]);
    expect(status.status, said(status)).toBe(0);
    const again = await deploy("test");
    expect(again.status, said(again)).toBe(0);
    expect(kinds().slice(-2)).toEqual(["deploy.started", "deployed"]);
  });

  it("is ended by Ctrl-C, and the same command goes on", async () => {
    line.behave({ hang: "deploy" });
    const before = line.cli.calls().length;
    const answer = await line.run("ci", ["deploy", "--env", "test", "--yes"], {
      started(child) {
        const timer = setInterval(() => {
          if (
            !line.cli
              .calls()
              .slice(before)
              .some(({ argv }) => argv[1] === "deploy")
          )
            return;
          clearInterval(timer);
          child.kill("SIGINT");
        }, 50);
      },
    });
    line.behave({});
    expect(answer.status, said(answer)).toBe(130);
    const again = await deploy("test");
    expect(again.status, said(again)).toBe(0);
  });

  it.runIf(DEEP)("that is not let in: told as that", async () => {
    line.behave({ fail: { validate: { message: "default auth: cannot configure default credentials" } } });
    const answer = await deploy("test");
    line.behave({});
    expect(answer.status, said(answer)).toBe(4);
    expect(answer.error?.message).toContain("does not take this credential");
  });
});

describe.sequential("evidence that cannot be deployed", { timeout: 300_000 }, () => {
  const promoted = async (text: string, change: Parameters<DeployLine["bring"]>[1]) => {
    const number = await line.bring(text, change);
    const answer = await line.promote(number, "test");
    expect(answer.status, said(answer)).toBe(0);
    return deploy("test");
  };
  /** Another text of a bundle file, in the tree and in the evidence. */
  const withChange = async (name: string, path: string, change: (text: string) => string) => {
    line.write(path, change(BUNDLE[path] ?? ""));
    const answer = await promoted(name, (all) => all);
    line.write(path, BUNDLE[path] ?? "");
    return answer;
  };

  it("without a wheel", async () => {
    const answer = await promoted("no wheel", (all) => all.filter(({ kind }) => kind !== "wheel"));
    expect(answer.status, said(answer)).toBe(3);
    expect(answer.against.join()).toContain("code: the evidence holds 0 wheels, one is needed");
  });

  it.runIf(DEEP)("with a bundle that builds", async () => {
    const change = (text: string) =>
      text.replace("include:", "artifacts:\n  wheel:\n    type: whl\n    build: uv build --wheel\n\ninclude:");
    const answer = await withChange("builds", "databricks.yml", change);
    expect(answer.status, said(answer)).toBe(3);
    expect(answer.against.join()).toContain("nothing built: artifacts.wheel (databricks.yml:5)");
  });

  it("with folders that nobody checked", async () => {
    const change = (text: string) => text.replace("include:", "sync:\n  paths: [., ../..]\n\ninclude:");
    const answer = await withChange("folders", "databricks.yml", change);
    expect(answer.status, said(answer)).toBe(3);
    expect(answer.against.join()).toContain("nothing else: the bundle also brings sync.paths ../..");
  });
});

it("--check-only needs no workspace, no key and no program", async () => {
  const { DATABRICKS_CLI_PATH: _, FACTORY_SIGNING_KEY: __, ...bare } = line.people.ci.variables;
  const good = await line.run("ci", ["deploy", "--check-only"], { variables: bare });
  expect(good.data, said(good)).toMatchObject({
    outcome: "checked",
    files: ["databricks.yml", "resources/jobs.yml"],
    findings: [],
  });
  line.write("databricks.yml", (BUNDLE["databricks.yml"] ?? "").replace("mode: production", "mode: prod"));
  const bad = await line.run("ci", ["deploy", "--check-only"], { variables: bare });
  line.write("databricks.yml", BUNDLE["databricks.yml"] ?? "");
  expect(bad.status).toBe(3);
  expect(bad.data?.findings).toMatchObject([{ file: "databricks.yml", line: 17, severity: "error" }]);
});
