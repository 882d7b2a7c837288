import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { renderedProject } from "./rendered.ts";
import { type Contexts, evaluate, fill, parseWorkflow, type Step } from "./workflow.ts";

const project = await renderedProject();
const fileOf = (name: string): string => project.get(`.github/workflows/${name}`) ?? "";
const FILES = ["factory.yml", "ship.yml"];
const automatic = parseWorkflow(fileOf("factory.yml"));
const manual = parseWorkflow(fileOf("ship.yml"));
const jobs = [automatic, manual].flatMap(({ jobs }) => Object.entries(jobs).map(([name, job]) => ({ name, job })));
const steps = jobs.flatMap(({ name, job }) => job.steps.map((step) => ({ job: name, step })));
const scripts = steps.flatMap(({ job, step }) => (step.run === undefined ? [] : [{ job, run: step.run }]));
const installs = scripts.filter(({ run }) => run.includes("npm install"));

const secretsOf = (step: Step): string[] =>
  [...JSON.stringify(step).matchAll(/secrets\.(\w+)/g)].map((match) => match[1] ?? "");
const contexts = (more: Partial<Contexts> = {}): Contexts => ({
  github: { event_name: "push", ref: "refs/heads/main", token: "of the job" },
  vars: { POLICY_REPOSITORY: "example/governance", MLFLOW_TRACKING_URI: "https://mlflow.example.com" },
  secrets: { FACTORY_SIGNING_KEY: "s", LEDGER_DEPLOY_KEY: "s", POLICY_READ_KEY: "s", MLFLOW_TRACKING_TOKEN: "s" },
  inputs: {},
  ...more,
});

describe("the workflows of the batch-scoring template", () => {
  it("are the ones that are judged here", () => {
    expect(jobs.map(({ name }) => name)).toEqual(["check", "sign", "ship"]);
    expect(scripts.length).toBeGreaterThan(12);
    expect(installs.map(({ job }) => job)).toEqual(["check", "sign", "ship"]);
  });

  it.each(scripts)(
    "no expression is pasted into a shell line of $job, and each script stops at the first fault",
    ({ run }) => {
      expect(run).not.toContain("${{");
      if (run.includes("\n")) expect(run).toMatch(/^set -euo pipefail\n/);
    },
  );

  it("give each job only what it needs of the token", () => {
    expect([automatic.permissions, manual.permissions]).toEqual([{}, {}]);
    expect(Object.fromEntries(jobs.map(({ name, job }) => [name, job.permissions]))).toEqual({
      check: { contents: "read" },
      sign: { contents: "read" },
      ship: { contents: "read", actions: "read" },
    });
    for (const { step } of steps)
      if (step.uses?.startsWith("actions/checkout@") === true) expect(step.with["persist-credentials"]).toBe("false");
  });

  it("read the whole history of the project, wherever who changed the code is read", () => {
    const projects = steps.filter(({ step }) => step.name === "Project" && step.uses?.startsWith("actions/checkout@"));
    const depths = Object.fromEntries(projects.map(({ job, step }) => [job, step.with["fetch-depth"]]));
    expect(depths).toMatchObject({ check: "0", sign: "0" });
  });

  it("give no key to the job that runs the project's code", () => {
    const held = steps.filter(({ job }) => job === "check").flatMap(({ step }) => secretsOf(step));
    expect([...new Set(held)].sort()).toEqual(["MLFLOW_TRACKING_TOKEN", "POLICY_READ_KEY"]);
  });

  it("give a pull request no secret at all", () => {
    const pull = contexts({ github: { event_name: "pull_request" } });
    const given = (automatic.jobs.check?.steps ?? []).filter(
      (step) => secretsOf(step).length > 0 && (step.if === undefined || evaluate(step.if, pull) === true),
    );
    expect(given.map((step) => step.name)).toEqual(["Train", "Check"]);
    for (const step of given)
      for (const value of Object.values({ ...step.with, ...step.env })) expect(fill(value, pull)).toBe("");
  });

  it("install the factory that made the project, unless the repository names another version", () => {
    for (const { env } of [automatic, manual]) {
      const version = (vars: Contexts["vars"]) => fill(env.FACTORY_VERSION ?? "", contexts({ vars }));
      expect([version({}), version({ FACTORY_VERSION: "2.0.1" })]).toEqual(["1.2.3", "2.0.1"]);
    }
  });

  it.each(installs)("install no version that moves, and say what to set: $job", ({ run }) => {
    const folder = mkdtempSync(join(tmpdir(), "factory-install-"));
    const npm = join(folder, "npm");
    writeFileSync(npm, '#!/bin/sh\nfor last; do :; done\necho "npm $last"\n', { mode: 0o755 });
    const install = (FACTORY_VERSION: string) =>
      spawnSync("bash", ["--noprofile", "--norc", "-e", "-c", run], {
        env: { PATH: `${folder}:${process.env.PATH}`, FACTORY_VERSION },
        encoding: "utf8",
      });
    try {
      for (const version of ["1.2.3", "10.0.12-rc.1"])
        expect(install(version)).toMatchObject({ status: 0, stdout: `npm pilot-to-production@${version}\n` });
      for (const version of [
        "",
        "latest",
        "1",
        "1.2",
        "^1.2.3",
        "1.x.3",
        "1.2.3 || 2",
        "1.2.3\nlatest",
        "file:x-1.2.3",
      ])
        expect(install(version)).toMatchObject({
          status: 1,
          stdout: "",
          stderr: expect.stringMatching(/^::error::set the repository variable FACTORY_VERSION to an exact version/),
        });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("run nothing of the project where there is a key", () => {
    const keyed = jobs.filter(({ job }) => job.steps.some((step) => secretsOf(step).includes("FACTORY_SIGNING_KEY")));
    expect(keyed.map(({ name }) => name)).toEqual(["sign", "ship"]);
    const started = keyed.flatMap(({ job }) =>
      job.steps.flatMap(({ run = "" }) => [
        ...run.matchAll(/\bfactory (\w+)|\b(npm|uv|uvx|python3?|pytest|node|make)\b/g),
      ]),
    );
    expect([...new Set(started.map(([text]) => text))].sort()).toEqual([
      "factory promote",
      "factory register",
      "factory release",
      "factory rollback",
      "factory status",
      "npm",
    ]);
    for (const { job } of keyed)
      for (const step of job.steps) {
        expect(step.uses ?? "").not.toMatch(/^\./);
        if (step.run?.includes("npm") === true) expect(step.run).toContain("--ignore-scripts");
      }
  });

  it.each([
    ["a push, switched on, with a shared server", "push", "true", "https://mlflow.example.com", true],
    ["started by hand, to check a run again", "workflow_dispatch", "true", "https://mlflow.example.com", true],
    ["a pull request", "pull_request", "true", "https://mlflow.example.com", false],
    ["not switched on", "push", "", "https://mlflow.example.com", false],
    ["no shared server: the run went with the job", "push", "true", "", false],
  ])("sign or not: %s", (_, event_name, FACTORY_REGISTER, MLFLOW_TRACKING_URI, expected) => {
    const where = contexts({ github: { event_name }, vars: { FACTORY_REGISTER, MLFLOW_TRACKING_URI } });
    expect(evaluate(automatic.jobs.sign?.if ?? "", where)).toBe(expected);
    const local = automatic.jobs.check?.steps.find((step) => step.run === "factory local start");
    expect(evaluate(local?.if ?? "", where)).toBe(event_name === "pull_request" || MLFLOW_TRACKING_URI === "");
  });

  it("check a run again by hand: on main only, without training, and at the run's own commit", () => {
    const { check } = automatic.jobs;
    const inputs = { run: "3f2c91", commit: "a".repeat(40) };
    const byHand = (ref: string) => contexts({ github: { event_name: "workflow_dispatch", ref }, inputs });
    const here = byHand("refs/heads/main");
    const starts = (where: Contexts) => evaluate(check?.if ?? "", where);
    expect([here, byHand("refs/heads/other"), contexts()].map(starts)).toEqual([true, false, true]);
    const named = (name: string) => check?.steps.find((step) => step.name === name);
    expect([here, contexts()].map((where) => evaluate(named("Train")?.if ?? "", where))).toEqual([false, true]);
    expect([here, contexts()].map((where) => fill(named("Check")?.env.RUN ?? "", where))).toEqual(["3f2c91", ""]);
    const projects = steps.filter(({ job, step }) => job !== "ship" && step.name === "Project");
    expect(projects.map(({ step }) => fill(step.with.ref ?? "", here))).toEqual([inputs.commit, inputs.commit]);
    const only = steps.filter(({ step }) => step.name === "A commit of main, and no other");
    expect(new Set(only.map(({ step }) => step.run)).size).toBe(1);
    expect(
      only.map(({ job, step }) => [job, evaluate(step.if ?? "", here), evaluate(step.if ?? "", contexts())]),
    ).toEqual([
      ["check", true, false],
      ["sign", true, false],
    ]);
  });

  it("ship from the main branch only, and let no reviewer stand before a rollback", () => {
    const { if: condition = "", environment = "" } = manual.jobs.ship ?? {};
    expect(evaluate(condition, contexts())).toBe(true);
    expect(evaluate(condition, contexts({ github: { ref: "refs/heads/other" } }))).toBe(false);
    const named = (action: string) => fill(environment, contexts({ inputs: { action, environment: "prod" } }));
    expect(["promote", "release", "rollback"].map(named)).toEqual(["prod", "prod", "prod-rollback"]);
    expect(automatic.jobs.sign?.environment).toBe("register");
  });

  it("take policy and tickets from the policy's own repository where there is one, whatever factory.yaml names", () => {
    const { POLICY, POLICY_REPOSITORY = "" } = manual.env;
    expect(POLICY).toBe("../policy.yaml");
    expect([contexts(), contexts({ vars: {} })].map((each) => fill(POLICY_REPOSITORY, each))).toEqual([
      "example/governance",
      "",
    ]);
    for (const name of ["Promote", "Release", "Roll back"])
      expect(manual.jobs.ship?.steps.find((step) => step.name === name)?.run).toContain(
        'if [ -n "$POLICY_REPOSITORY" ]; then set -- "$@" --policy="$POLICY"; fi\n',
      );
  });

  it("reach the ledger in the same way", () => {
    const reach = scripts.filter(({ run }) => run.includes("GIT_SSH_COMMAND"));
    expect(reach.map(({ job }) => job)).toEqual(["sign", "ship"]);
    expect(new Set(reach.map(({ run }) => run)).size).toBe(1);
  });

  it.each(FILES)("%s is made of ASCII, so that nothing in it looks like something else", (file) => {
    expect(fileOf(file)).toMatch(/^[\n\x20-\x7e]*$/);
  });
});
