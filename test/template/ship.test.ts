import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openMlflow } from "../../src/clients/mlflow/open-mlflow.ts";
import { factory } from "../support/factory.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import { program } from "../support/paths.ts";
import { makeLine, type SmallLine } from "../support/small-line.ts";
import { type Contexts, type JobRun, type Runner, readWorkflow, runJob, type Step, type Workflow } from "./workflow.ts";

const HOST = "git.example.com";
const DEPLOY_KEY = "the deploy key\nof the ledger";
const KNOWN_HOST = `${HOST} ssh-ed25519 AAAA`;

/** Stands for ssh: lets in who shows the deploy key and knows the host, then serves the repository from this machine. */
const SSH = `#!/bin/sh
key= hosts=
while [ "$#" -gt 2 ]; do
  case "$1" in
    -i) key="$2"; shift ;;
    -o) case "$2" in UserKnownHostsFile=*) hosts="\${2#*=}" ;; esac; shift ;;
    -F) shift ;;
  esac
  shift
done
[ "$1" = "git@${HOST}" ] || { echo "what host is $1?" >&2; exit 255; }
[ "$(stat -c %a "$key")" = 600 ] && [ "$(cat "$key")" = "${DEPLOY_KEY}" ] || { echo "Permission denied (publickey)." >&2; exit 255; }
[ "$(cat "$hosts")" = "${KNOWN_HOST}" ] || { echo "Host key verification failed." >&2; exit 255; }
exec sh -c "git \${2#git-}"
`;

/** Stands for npm: installs nothing, since factory is there, and says what it was asked for. */
const NPM = `#!/bin/sh
echo "npm $*"
`;

describe("the workflows of a generated project", () => {
  let server: MlflowServer;
  let line: SmallLine;
  let automatic: Workflow;
  let manual: Workflow;
  let runner: Runner;
  let contexts: Contexts;
  let jobs = 0;

  beforeAll(async () => {
    server = await startMlflowServer();
    const variables: Record<string, string> = {};
    line = makeLine(server, {
      variables,
      // Where it is, is known only once the line has a folder.
      policy: (policy, people) => {
        const governance = join(people.ci.home, "governance.git");
        policy.ledger = { kind: "git", url: `ssh://git@${HOST}${governance}`, branch: "ledger" };
        Object.assign(policy.riskTiers?.medium?.prod ?? {}, { ticket: "required" });
      },
    });
    const folder = line.people.ci.home;
    const git = (cwd: string, ...args: string[]) =>
      execFileSync("git", args, { cwd, env: line.variables, stdio: "pipe", encoding: "utf8" });
    // CI has nothing but its secrets.
    const key = line.people.ci.variables.FACTORY_SIGNING_KEY ?? "";
    // People reach the ledger with a key of their own, which is not what is tested here.
    const people = join(folder, "people-bin");
    const bin = join(folder, "bin");
    for (const each of [people, bin]) mkdirSync(each);
    script(join(people, "ssh"), `#!/bin/sh\nfor last; do :; done\nexec sh -c "git \${last#git-}"\n`);
    script(join(bin, "ssh"), SSH);
    script(join(bin, "npm"), NPM);
    script(join(bin, "factory"), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
    for (const each of Object.values(line.people)) each.variables.PATH = `${people}:${line.variables.PATH}`;

    const made = await factory(["new", "claims-triage", "--yes"], { cwd: folder, variables: line.variables });
    expect(made.status, made.stderr).toBe(0);
    const workflows = join(folder, "claims-triage", ".github", "workflows");
    automatic = readWorkflow(join(workflows, "factory.yml"));
    manual = readWorkflow(join(workflows, "ship.yml"));

    const governance = join(folder, "governance.git");
    git(folder, "init", "--quiet", "--bare", "--initial-branch", "main", governance);
    git(line.root, "init", "--quiet", "--initial-branch", "main");
    writeFileSync(join(line.root, ".gitignore"), "project/\n");
    const prod = { state: "approved", project: line.project, environment: "prod" };
    line.tickets({ "CHG-1": prod, "CHG-2": prod });
    git(line.root, "add", ".");
    git(line.root, "commit", "--quiet", "--message", "Policy, signed");
    git(line.root, "push", "--quiet", governance, "main");

    contexts = {
      github: { event_name: "push", ref: "refs/heads/main", token: "of the job" },
      vars: {
        FACTORY_VERSION: "1.2.3",
        FACTORY_REGISTER: "true",
        POLICY_REPOSITORY: "example/governance",
        MLFLOW_TRACKING_URI: server.uri,
        LEDGER_KNOWN_HOSTS: KNOWN_HOST,
      },
      secrets: { FACTORY_SIGNING_KEY: key, LEDGER_DEPLOY_KEY: DEPLOY_KEY },
      inputs: {},
    };
    const { PATH = "", LANG = "" } = line.variables;
    runner = {
      folder: join(folder, "runners"),
      variables: { PATH: `${bin}:${PATH}`, LANG, CI: "true" },
      contexts,
      repositories: { self: line.folder, "example/governance": governance },
      artifacts: join(folder, "artifacts"),
    };
  });
  afterAll(async () => {
    line?.remove();
    await server?.stop();
  });

  function script(path: string, text: string): void {
    writeFileSync(path, text);
    chmodSync(path, 0o755);
  }

  /** What the check job leaves behind, by its own steps that hand over. */
  async function handOver(champion?: {
    version: string;
    digest: string;
  }): Promise<{ digest: string; artifacts: string }> {
    const trained = await line.train();
    const commit = line.commit();
    const facts =
      champion === undefined
        ? {}
        : {
            champion: { environment: "prod", ...champion, commit },
            people: { since: commit, commits: 0, people: [] },
          };
    const sealed = await line.check(trained, { facts });
    const artifacts = join(runner.artifacts, String(++jobs));
    const done = await runJob(automatic, "check", {
      ...runner,
      artifacts,
      skip: (step) => step.uses?.startsWith("actions/upload-artifact") !== true,
      before: (_, workspace) => {
        const to = join(workspace, "project", ".factory", "evidence", sealed.digest);
        cpSync(sealed.folder, to, { recursive: true });
        writeFileSync(join(workspace, "project", "factory-junit.xml"), "<testsuites/>");
      },
    });
    expect(done.ran).toEqual(["Hand over the evidence"]);
    return { digest: trained.digest, artifacts };
  }

  const sign = (artifacts: string, more: Partial<Runner> = {}): Promise<JobRun> =>
    runJob(automatic, "sign", { ...runner, artifacts, ...more });

  function ship(inputs: Record<string, string>, more: Partial<Runner> = {}): Promise<JobRun> {
    const artifacts = join(runner.artifacts, `ship-${++jobs}`);
    const skip = (step: Step): boolean => step.name === "Say what stands now";
    return runJob(manual, "ship", { ...runner, artifacts, skip, contexts: { ...contexts, inputs }, ...more });
  }

  const approve = (number: string, ticket: string) => line.approve(number, "prod", "approver", "--ticket", ticket);

  const served = async (): Promise<unknown> => (await line.run("author", ["status"])).data;

  const governance = (...args: string[]): string =>
    execFileSync("git", ["-C", runner.repositories["example/governance"] ?? "", ...args], {
      env: line.variables,
      encoding: "utf8",
    });
  const head = (): string => governance("rev-parse", "ledger");

  it("take one version from a green check to production, and back", async () => {
    const first = await handOver();
    const signed = await sign(first.artifacts);
    expect(signed.status, signed.output).toBe(0);
    expect(signed.environment).toBe("register");
    expect(signed.output).toContain("npm install --global --ignore-scripts pilot-to-production@1.2.3");
    expect(signed.output).toMatch(/dev\.claims\.\w+ v1 ← run .* signed \(\d+ files\), ledger entry 2/);

    const toTest = await ship({ action: "promote", environment: "test", version: "1" });
    expect(toTest.status, toTest.output).toBe(0);
    expect(toTest.environment).toBe("test");
    expect(toTest.output).toMatch(/test\.claims\.\w+ v1 = dev v1/);

    const early = await ship({ action: "promote", environment: "prod", version: "1", ticket: "CHG-1" });
    expect(early.status, early.output).toBe(3);
    expect(early.failed).toBe("Promote");
    expect(early.output).toContain("Nothing was written");

    expect((await approve("1", "CHG-1")).status).toBe(0);
    const toProd = await ship({ action: "promote", environment: "prod", version: "1", ticket: "CHG-1" });
    expect(toProd.status, toProd.output).toBe(0);
    const released = await ship({ action: "release", environment: "prod", version: "1" }, { skip: () => false });
    expect(released.status, released.output).toBe(0);
    expect(released.output).toMatch(/champion → v1 .*/);
    expect(released.summary).toMatch(/^```\n[\s\S]*prod[\s\S]*\n```\n$/);

    const second = await handOver({ version: "1", digest: first.digest });
    for (const done of [
      await sign(second.artifacts),
      await ship({ action: "promote", environment: "test", version: "2" }),
    ])
      expect(done.status, done.output).toBe(0);
    expect((await approve("2", "CHG-2")).status).toBe(0);
    for (const inputs of [
      { action: "promote", environment: "prod", version: "2", ticket: "CHG-2" },
      { action: "release", environment: "prod", version: "2" },
    ]) {
      const done = await ship(inputs);
      expect(done.status, done.output).toBe(0);
    }

    // What the runbook calls the last resort, and how it is mended: by the rollback that follows.
    const { registry } = openMlflow(server.uri, { variables: {} });
    await registry.setAlias(`prod.${line.model}`, "champion", "1");
    const seen = await line.run("author", ["verify"]);
    expect(seen.status).toBe(3);
    expect(seen.ran.stdout).toContain("alias champion of prod is v1 in the registry, but v2 in the ledger");

    const back = await ship({
      action: "rollback",
      environment: "prod",
      reason: "escalations doubled; $(touch /tmp/never) `id` \"quoted\" 'too'",
      incident: "INC-77",
      detected_at: "2026-01-05 09:12",
    });
    expect(back.status, back.output).toBe(0);
    expect(back.environment).toBe("prod-rollback");
    expect(back.output).toMatch(/champion v2 → v1 .*every byte read before/);
    expect(JSON.stringify(await served())).toContain(first.digest);
    expect((await line.run("author", ["verify"])).status).toBe(0);
    const chain = governance("show", "ledger:claims-triage.jsonl");
    expect(chain).toContain("$(touch /tmp/never) `id`");
    expect(existsSync("/tmp/never")).toBe(false);
  }, 280_000);

  it("keep a rollback that cannot reach the ledger, and record it with a later run", async () => {
    const artifacts = join(runner.artifacts, `ship-${++jobs}`);
    const vars = { ...contexts.vars, LEDGER_KNOWN_HOSTS: "another.example.com ssh-ed25519 AAAA" };
    const inputs = { action: "rollback", environment: "prod", reason: "still wrong" };
    const back = await ship(inputs, { artifacts, contexts: { ...contexts, vars, inputs }, skip: () => false });
    expect(back.status, back.output).toBe(0);
    expect(back.output).toContain("NOT IN THE LEDGER");
    expect(back.summary).toContain("could not be told");
    expect((await line.run("author", ["verify"])).status).toBe(3);

    const again = { action: "promote", environment: "test", version: "2", pending_run: "4711" };
    const recorded = await ship(again, { artifacts });
    // Refused, since v2 was compared with a champion that is gone; the record is written before anything is decided.
    expect(recorded.status, recorded.output).toBe(3);
    expect(recorded.ran).toContain("Take over what an earlier run could not record");
    const history = await line.run("author", ["history", "--env", "prod"]);
    expect(JSON.stringify(history.data), recorded.output).toContain("still wrong");
    expect((await line.run("author", ["verify"])).status).toBe(0);
  });

  it("go no further with a secret that is missing or wrong", async () => {
    const { artifacts } = await handOver();
    const before = head();
    const without = (secrets: Record<string, string>) =>
      sign(artifacts, { contexts: { ...contexts, secrets: { ...contexts.secrets, ...secrets } } });
    const noKey = await without({ FACTORY_SIGNING_KEY: "" });
    expect([noKey.status, noKey.failed], noKey.output).toEqual([2, "Sign and register"]);
    const noDeployKey = await without({ LEDGER_DEPLOY_KEY: "" });
    expect([noDeployKey.status, noDeployKey.failed]).toEqual([1, "Let git reach the ledger"]);
    expect(noDeployKey.output).toContain("LEDGER_DEPLOY_KEY: this environment has no such secret");
    const wrong = await without({ LEDGER_DEPLOY_KEY: "another key" });
    expect([wrong.status, wrong.failed], wrong.output).toEqual([4, "Sign and register"]);
    for (const { output } of [noKey, noDeployKey, wrong]) expect(output).not.toContain("PRIVATE KEY");
    expect(head()).toBe(before);
  });

  it("sign what was checked, and nothing else", async () => {
    const { artifacts } = await handOver();
    const evidence = join(artifacts, "evidence", ".factory", "evidence");
    const [digest = ""] = readdirSync(evidence);
    cpSync(join(evidence, digest), join(evidence, "0".repeat(64)), { recursive: true });
    const two = await sign(artifacts);
    expect([two.status, two.failed]).toEqual([1, "Sign and register"]);
    expect(two.output).toContain("expected exactly one folder of evidence");

    const other = await handOver();
    writeFileSync(join(line.folder, "later.txt"), "later");
    line.git("add", ".");
    line.git("commit", "--quiet", "--message", "Later");
    const late = await sign(other.artifacts);
    expect(late.status, late.output).toBe(3);
    expect(late.output).toMatch(/is checked out, the evidence is about .*: check again/);

    const third = await handOver();
    const touched = await sign(third.artifacts, {
      before: (step, workspace) => {
        if (step.name === "Sign and register") writeFileSync(join(workspace, "project", "conftest.py"), "");
      },
    });
    expect(touched.status, touched.output).toBe(3);
    expect(touched.output).toContain("the working tree differs from its commit");
  });

  it.each([
    { action: "promote", environment: "test", version: "--abandon" },
    { action: "promote", environment: "test", version: "" },
    { action: "promote", environment: "test", version: "1 --to=prod" },
    { action: "promote", environment: "test; touch pwned", version: "1" },
    { action: "promote", environment: "--dry-run", version: "1" },
    { action: "promote", environment: "prod", version: "1", ticket: "--abandon" },
    { action: "release", environment: "prod", version: "$(touch pwned)" },
    { action: "release", environment: "prod", version: "'; touch pwned; '" },
    { action: "rollback", environment: "prod", reason: "" },
    { action: "rollback", environment: "prod", reason: "--yes" },
    { action: "rollback", environment: "prod", reason: "two\nlines" },
    { action: "rollback", environment: "prod", reason: "in time", detected_at: "`touch pwned`" },
  ])("take an input for a value only: %j", async (inputs) => {
    const before = head();
    let made: string[] = [];
    const done = await ship(inputs, {
      before: (_, workspace) => {
        const project = join(workspace, "project");
        if (existsSync(project)) made = readdirSync(project);
      },
    });
    expect(done.status, done.output).toBe(2);
    expect(made).not.toContain("pwned");
    expect(head()).toBe(before);
  });
});
