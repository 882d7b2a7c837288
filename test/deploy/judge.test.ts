import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findingsOf } from "../../src/clients/databricks/cli-output.ts";
import { compareVersions, findCli } from "../../src/clients/databricks/find-cli.ts";
import { shortName, stateOf } from "../../src/clients/databricks/jobs.ts";
import { judgeMaterial } from "../../src/deploy/judge-material.ts";
import { filesDigest, type Material } from "../../src/deploy/material.ts";
import { compareTree } from "../../src/deploy/working-tree.ts";
import type { EntryBody } from "../../src/ledger/entry.ts";
import { lineState } from "../../src/ledger/line-state.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { type Behaviour, standIn } from "../fakes/databricks-cli/stand-in.ts";
import { chainOf, makePerson, opened, registered, signedPolicy } from "../support/line.ts";
import { BUNDLE, WHEEL } from "./world.ts";

const material = (change: Readonly<Record<string, string>> = {}, wheel = WHEEL.name): Material => ({
  files: Object.entries({ ...BUNDLE, ...change }).map(([path, text]) => ({
    path,
    sha256: sha256(text),
    bytes: Buffer.from(text),
  })),
  wheel: { path: wheel, sha256: sha256(WHEEL.bytes), bytes: WHEEL.bytes },
});
const HOST = "https://adb-1.azuredatabricks.net";
const known = { model_version: "7", commit: "c".repeat(40), unheard: "x" };
const against = (given: Material, target = "test", isFirst = false) =>
  judgeMaterial(given, { target, isFirst, host: HOST, known })
    .verdicts.filter((each) => each.verdict !== "yes")
    .map((each) => `${each.rule}: ${each.why}`);
const root = (change: (text: string) => string) =>
  material({ "databricks.yml": change(BUNDLE["databricks.yml"] ?? "") });
const jobs = (change: (text: string) => string) =>
  material({ "resources/jobs.yml": change(BUNDLE["resources/jobs.yml"] ?? "") });
const reference = (name: string) => `$\{${name}}`;

const named = (include: string) => (BUNDLE["databricks.yml"] ?? "").replace("resources/*.yml", include);
const task = (text: string) =>
  jobs((all) => all.replace(/python_wheel_task:[\s\S]*?environments:/, `${text}\n      environments:`));

const pinned = (task: string) =>
  jobs((text) =>
    text
      .replace(/python_wheel_task:[\s\S]*?environments:/, `${task}\n      environments:`)
      .replace(
        "      tags:\n",
        `      git_source: { git_provider: gitHub, git_url: https://example.com/x, git_commit: ${"d".repeat(40)} }\n      tags:\n`,
      ),
  );

describe("what may be deployed", () => {
  it("is a whole bundle with its wheel, told what it declares and no more", () => {
    expect(against(material())).toEqual([]);
    const judged = judgeMaterial(material(), { target: "test", isFirst: false, host: HOST, known });
    expect(judged.wheelPaths).toEqual([`dist/${WHEEL.name}`]);
    expect(judged.variables).toEqual({ model_version: "7", commit: "c".repeat(40) });
  });

  it.each([
    [
      "a target that is not there",
      material(),
      "staging",
      /target: the bundle has no target staging: it has test, prod/,
    ],
    [
      "a misspelt mode",
      root((text) => text.replace("mode: production", "mode: prodction")),
      "test",
      /bundle: .*databricks.yml:\d+ "prodction" is not one of/,
    ],
    [
      "mode development",
      root((text) =>
        text.replace(
          "mode: production\n    workspace:\n      root_path: /Workspace/Shared/.bundle/claims-triage/test",
          "mode: development",
        ),
      ),
      "test",
      /target: target test is not of mode production/,
    ],
    [
      "another workspace",
      root((text) =>
        text.replace("root_path: /Workspace", "host: https://elsewhere.example.com\n      root_path: /Workspace"),
      ),
      "test",
      /target: target test is of https:\/\/elsewhere/,
    ],
    [
      "a profile of its own",
      root((text) => text.replace("root_path: /Workspace", "profile: mine\n      root_path: /Workspace")),
      "test",
      /target: target test says how to log in \(profile\)/,
    ],
    [
      "an artifact that builds",
      root((text) => `${text}artifacts: { wheel: { type: whl, build: make, path: . } }\n`),
      "test",
      /nothing built: artifacts.wheel/,
    ],
    [
      "an artifact without files",
      root((text) => `${text}artifacts: { wheel: { type: whl, path: . } }\n`),
      "test",
      /nothing built: artifacts.wheel/,
    ],
    [
      "Python that runs while deploying",
      root((text) => `${text}python: { mutators: ["resources:change"] }\n`),
      "test",
      /nothing built: python/,
    ],
    [
      "scripts that run while deploying",
      root((text) => `${text}experimental: { scripts: { predeploy: make } }\n`),
      "test",
      /nothing built: experimental.scripts/,
    ],
    [
      "a commit that git is asked for",
      jobs((text) => text.replace(reference("var.commit"), reference("bundle.git.commit"))),
      "test",
      /target: .*is asked of git/,
    ],
    [
      "a wheel of another name",
      jobs((text) => text.replace("../dist/*.whl", "../dist/other-*.whl")),
      "test",
      /wheel: the bundle asks for ..\/dist\/other-\*.whl/,
    ],
    [
      "scripts by a merge key",
      root(
        (text) =>
          `${text.replace("  commit:\n", "  hook:\n    type: complex\n    default: &h { scripts: { preinit: make } }\n  commit:\n")}experimental:\n  <<: *h\n`,
      ),
      "prod",
      /bundle: .*databricks.yml:\d+ is not read: the merge key <</,
    ],
    [
      "an include with a backslash",
      root((text) => text.replace("resources/*.yml", "resource\\s/*.yml")),
      "prod",
      /bundle: .*has a backslash/,
    ],
    [
      "a YAML file that nothing includes",
      material({ "resources/later.yml": "resources: {}\n", "databricks.yml": named("resources/jobs.yml") }),
      "prod",
      /nothing else: .*resources\/later.yml, which nothing includes/,
    ],
    ["a file to build from", material({ "setup.py": "" }), "prod", /nothing else: .*the file setup.py/],
    ["another wheel", material({ "dist/b-2-py3-none-any.whl": "" }), "prod", /nothing else: .*the file dist\/b-2/],
    [
      "a folder above",
      root((text) => `${text}sync: { paths: [., ../..] }\n`),
      "prod",
      /nothing else: .*sync.paths ..\/../,
    ],
    [
      "an artifact from elsewhere",
      root((text) => `${text}artifacts: { x: { files: [{ source: /proc/self/environ }] } }\n`),
      "prod",
      /nothing else: .*artifacts.x/,
    ],
    ...[
      "/Volumes/acme/x/evil-1-py3-none-any.whl",
      `${reference("var.catalog")}/evil.whl`,
      "-r ../other.txt",
      "sub/../../x.tar.gz",
    ].map((library): [string, Material, string, RegExp] => [
      `the library ${library}`,
      jobs((text) => text.replace("../dist/*.whl", `../dist/*.whl\n              - "${library}"`)),
      "prod",
      /nothing else: .*the library|wheel: the bundle asks for/,
    ]),
    [
      "libraries by a variable",
      {
        ...material({
          "databricks.yml": (BUNDLE["databricks.yml"] ?? "").replace(
            "  commit:\n",
            '  spec:\n    type: complex\n    default: { environment_version: "4", dependencies: [../dist/*.whl] }\n  commit:\n',
          ),
          "resources/jobs.yml": (BUNDLE["resources/jobs.yml"] ?? "").replace(
            /spec:\n[\s\S]*$/,
            `spec: ${reference("var.spec")}\n`,
          ),
        }),
      },
      "prod",
      /nothing else: .*the library ..\/dist\/\*.whl of a variable/,
    ],
    [
      "the library of a task for each item",
      task(
        "for_each_task: { inputs: '[1]', task: { task_key: one, notebook_task: { notebook_path: /Shared/x }, libraries: [{ whl: /Volumes/a/b.whl }] } }",
      ),
      "prod",
      /nothing else: .*the library \/Volumes\/a\/b.whl \(resources\/jobs.yml:17\); the code at \/Shared\/x/,
    ],
    [
      "the library of a pipeline",
      jobs((text) => `${text}  pipelines:\n    p:\n      name: p\n      libraries: [{ jar: /Volumes/a/b.jar }]\n`),
      "prod",
      /nothing else: .*the library \/Volumes\/a\/b.jar/,
    ],
    [
      "a notebook of somebody's",
      task("notebook_task: { notebook_path: /Workspace/Users/mallory@example.com/x }"),
      "prod",
      /nothing else: .*the code at \/Workspace\/Users/,
    ],
    [
      "a branch",
      jobs((text) =>
        text.replace(
          "      tags:\n",
          "      git_source: { git_provider: gitHub, git_url: https://example.com/x, git_branch: main }\n      tags:\n",
        ),
      ),
      "prod",
      /nothing else: .*jobs.scoring.git_source \(resources\/jobs.yml:8\): from git without a commit/,
    ],
    [
      "a notebook of somebody's beside one commit",
      pinned("notebook_task: { notebook_path: /Workspace/Users/mallory@example.com/x, source: WORKSPACE }"),
      "prod",
      /nothing else: .*the code at \/Workspace\/Users/,
    ],
    [
      "an engine with providers of its own",
      root((text) => text.replace("name: claims-triage\n", "name: claims-triage\n  engine: terraform\n")),
      "prod",
      /nothing built: bundle.engine/,
    ],
    [
      "a version that changes while deploying",
      root((text) => `${text}presets: { artifacts_dynamic_version: "true" }\n`),
      "prod",
      /nothing built: presets.artifacts_dynamic_version/,
    ],
    [
      "a file that the evidence does not hold",
      jobs((text) =>
        text.replace(
          /python_wheel_task:[\s\S]*?environments:/,
          "notebook_task:\n            notebook_path: ../notebooks/score.py\n      environments:",
        ),
      ),
      "test",
      /bundle: .*there is no such file/,
    ],
  ])("not %s", (_, given, target, why) => {
    expect(against(given, target).join("\n")).toMatch(why);
  });

  it.each([
    [
      "a requirement",
      jobs((text) => text.replace("../dist/*.whl", `../dist/*.whl\n              - "pandas>=2,<3"`)),
      "prod",
    ],
    ["one commit of a repository", pinned("notebook_task: { notebook_path: notebooks/x }"), "prod"],
  ])("is %s besides", (_, given, target) => expect(against(given, target)).toEqual([]));

  it("in the first environment people try libraries that lie in the workspace", () => {
    const given = jobs((text) => text.replace("../dist/*.whl", "../dist/*.whl\n              - /Volumes/acme/x/a.txt"));
    expect(against(given, "test", true)).toEqual([]);
    expect(against(given, "test").join()).toMatch(/the library \/Volumes\/acme\/x\/a.txt/);
  });

  it("has a digest that sha256sum would give", () => {
    const files = [
      { path: "b", sha256: sha256("2") },
      { path: "a/c", sha256: sha256("1") },
    ];
    expect(filesDigest(files)).toBe(sha256(`${sha256("1")}  a/c\n${sha256("2")}  b\n`));
  });

  it("differs from a working tree by name", () => {
    const file = (path: string, text: string) => ({ path, sha256: sha256(text), bytes: Buffer.from(text) });
    expect(
      compareTree([file("a", "1"), file("b", "2"), file("d", "4")], [file("a", "1"), file("b", "x"), file("c", "3")]),
    ).toEqual([
      { path: "b", how: "changed" },
      { path: "c", how: "missing" },
      { path: "d", how: "added" },
    ]);
  });
});

describe("deployments in a chain", () => {
  const owner = makePerson("owner@example.com");
  const model = registered(1);
  const started: EntryBody<"deploy.started"> = {
    model: model.body.model,
    digest: model.body.digest,
    environment: "dev",
    version: "1",
    evidence: model.body.evidence,
    rules: sha256("rules"),
    policy: sha256("policy"),
    approvals: [],
    files: sha256("files"),
    wheel: sha256("wheel"),
    workspace: HOST,
    tool: "databricks 1.13.0",
    verdicts: [],
  };
  const ended: EntryBody<"deployed"> = {
    model: started.model,
    digest: started.digest,
    environment: "dev",
    started: 3,
    version: "1",
    files: started.files,
    wheel: started.wheel,
    tool: started.tool,
  };
  const state = (...facts: Parameters<typeof chainOf>[0][number]["fact"][]) =>
    lineState(
      chainOf([opened(signedPolicy({ people: [owner] })), model, ...facts].map((fact) => ({ fact, by: owner })))
        .entries,
    );

  it("fit what stands there, and lock nothing", () => {
    const { problems, environment } = state(
      { kind: "deploy.started", body: started },
      { kind: "deployed", body: ended },
    );
    expect(problems).toEqual([]);
    expect(environment("dev")).toMatchObject({ open: [], deploying: [] });
    expect(environment("dev").deployed).toHaveLength(1);
  });

  it("that was cut off is over once a later one is done", () => {
    const { problems, environment } = state(
      { kind: "deploy.started", body: started },
      { kind: "deploy.started", body: started },
      { kind: "deployed", body: { ...ended, started: 4 } },
    );
    expect(problems).toEqual([]);
    expect(environment("dev").deploying).toEqual([]);
  });

  it.each([
    [
      "of a version that never stood there",
      { ...started, version: "9" },
      ended,
      /deploys v9, which was never promoted there/,
    ],
    ["that ends with other files", started, { ...ended, files: sha256("others") }, /says another files than entry 3/],
    ["that ends what was never begun", started, { ...ended, started: 2 }, /ends what was never started/],
  ])("%s are seen", (_, begin, end, why) => {
    const { problems } = state({ kind: "deploy.started", body: begin }, { kind: "deployed", body: end });
    expect(problems.map((each) => each.message).join()).toMatch(why);
  });
});

describe("what the official program and the jobs say", () => {
  it("findings by file and line, errors only", () => {
    const output =
      "Warning: unknown field: x\n  at resources.jobs.a\n  in resources/a.yml:3:7\n\nError: no such target\n  in databricks.yml:9:3\n\nFound 1 error\n";
    expect(findingsOf(output)).toEqual([{ message: "no such target", file: "databricks.yml", line: 9 }]);
  });

  it("versions in their order", () => {
    expect(["1.2.0", "0.279.0", "0.1000.0", "0.280.1"].sort(compareVersions)).toEqual([
      "0.279.0",
      "0.280.1",
      "0.1000.0",
      "1.2.0",
    ]);
  });

  it.each<[string, Behaviour, { code: string; message: RegExp } | { version: string }]>([
    ["new enough", {}, { version: "1.13.0" }],
    ["too old", { version: "0.278.9" }, { code: "databricks-cli.old", message: /0\.279\.0 or later/ }],
    ["the retired one", { says: "Version 0.18.0\n" }, { code: "databricks-cli.other", message: /retired Python tool/ }],
    ["another one", { says: "hello\n" }, { code: "databricks-cli.other", message: /is not the Databricks CLI/ }],
  ])("a program that is %s", async (_, behaviour, expected) => {
    const folder = mkdtempSync(join(tmpdir(), "factory-cli-"));
    try {
      const { path } = standIn(folder, behaviour);
      const found = findCli({ DATABRICKS_CLI_PATH: path }, new AbortController().signal).catch(
        (error: unknown) => error,
      );
      expect(await found).toMatchObject(
        "code" in expected ? { code: expected.code, message: expect.stringMatching(expected.message) } : expected,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("a failed task is a failed run, though the old life cycle state says INTERNAL_ERROR", () => {
    const status = (state: string, code?: string) => ({
      status: { state, ...(code !== undefined && { termination_details: { code } }) },
    });
    expect(
      stateOf({
        ...status("TERMINATED", "RUN_EXECUTION_ERROR"),
        state: { life_cycle_state: "INTERNAL_ERROR", result_state: "FAILED" },
      }),
    ).toBe("failed");
    expect(stateOf({ state: { life_cycle_state: "INTERNAL_ERROR", result_state: "FAILED" } })).toBe("failed");
    expect(stateOf({ state: { life_cycle_state: "SKIPPED" } })).toBe("failed");
    expect(stateOf(status("TERMINATED", "SUCCESS"))).toBe("succeeded");
    expect(stateOf(status("TERMINATED", "SUCCESS_WITH_FAILURES"))).toBe("failed");
    expect(stateOf(status("TERMINATED", "USER_CANCELED"))).toBe("cancelled");
    expect(stateOf(status("QUEUED"))).toBe("waiting");
    expect(stateOf(status("TERMINATING"))).toBe("running");
    expect(() => stateOf({})).toThrow(/without saying how it stands/);
  });

  it("short names as bundles make them", () => {
    expect(shortName("Anna.Maria-Gruber@example.com", undefined)).toBe("anna_maria_gruber");
    expect(shortName("0a1b-2c3d", "Deploy Bot")).toBe("deploy_bot");
  });
});
