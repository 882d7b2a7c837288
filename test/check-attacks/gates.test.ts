import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { collectAttachments } from "../../src/check/attachments.ts";
import { findChampion } from "../../src/check/find-champion.ts";
import { attachmentPath } from "../../src/evidence/seal.ts";
import { judgeBaseline } from "../../src/gates/baseline.ts";
import { runCommandGate } from "../../src/gates/command-gate.ts";
import { runDataGate } from "../../src/gates/data-gate.ts";
import { judgeDocs } from "../../src/gates/docs.ts";
import type { GateSetting, Outcome } from "../../src/gates/gate.ts";
import type { Metric } from "../../src/gates/metrics.ts";
import { demandInside, readPlainFile } from "../../src/gates/plain-file.ts";
import { type GateRunners, runGates } from "../../src/gates/run-gates.ts";
import { judgeSecrets } from "../../src/gates/secrets.ts";
import { sha256 } from "../../src/lib/hash.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "factory-attack-")));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const variables = { PATH: process.env.PATH ?? "", HOME: root };
const HEX = "0123456789abcdef0123456789abcdef";
/** In halves, so that this file holds no secret itself. */
const SECRET = ["dap", "i", HEX].join("");
const PASSED = '<testsuites><testsuite><testcase name="a"/></testsuite></testsuites>';
let number = 0;
let folder = "";
let setting: GateSetting;
beforeEach(() => {
  folder = join(root, `project-${++number}`);
  const work = join(root, `work-${number}`);
  mkdirSync(folder);
  mkdirSync(work);
  setting = {
    folder,
    work,
    childEnvironment: variables,
    timeoutMs: 20_000,
    signal: new AbortController().signal,
    progress: () => {},
  };
});
const git = (...args: string[]) => execFileSync("git", args, { cwd: folder, env: variables, encoding: "utf8" });

describe("reports of a command", () => {
  it("a report below a link that leads out of the project is refused, and what is there stays", async () => {
    const outside = join(root, `outside-${number}`);
    mkdirSync(outside);
    writeFileSync(join(outside, "precious.xml"), PASSED);
    symlinkSync(outside, join(folder, "link"));
    await expect(
      runCommandGate({ name: "unit", run: "true", junit: "link/precious.xml" }, setting),
    ).rejects.toMatchObject({
      code: "project.outside",
    });
    expect(existsSync(join(outside, "precious.xml"))).toBe(true);
  });
  it.each([
    ["a pipe", "mkfifo"],
    ["a link to an earlier report", "ln -s /dev/zero"],
  ])("%s is no report and holds nothing up", async (_, make) => {
    const run = ["sh", "-c", `${make} report.xml`];
    expect((await runCommandGate({ name: "unit", run, junit: "report.xml" }, setting)).verdict).toBe("error");
  });
  it("what is sealed is what was judged, though the file changes later", async () => {
    const run = ["sh", "-c", `echo '${PASSED}' > report.xml`];
    const outcome = await runCommandGate({ name: "unit", run, junit: "report.xml" }, setting);
    expect(outcome.verdict).toBe("pass");
    writeFileSync(join(folder, "report.xml"), "<other/>");
    const [report] = outcome.files;
    expect(String(report?.content).trim()).toBe(PASSED);
  });
  it("findings that are sealed hold no secret, no control sequence, and are bounded", async () => {
    const outcome: Outcome = {
      verdict: "fail",
      summary: `\u001b[31m${SECRET}`,
      findings: Array.from({ length: 10_000 }, () => ({
        message: "m".repeat(100_000),
        detail: `token ${SECRET}\u001b[2J`,
      })),
    };
    const runner = async () => outcome;
    const runners: GateRunners = {
      lint: runner,
      unit: runner,
      data: runner,
      model: runner,
      baseline: runner,
      docs: runner,
      secrets: runner,
    };
    const [result] = await runGates({
      plan: [{ gate: "unit", action: "run", timeoutMs: 1000 }],
      runners,
      folder,
      work: setting.work,
      childEnvironment: {},
      signal: setting.signal,
      now: () => new Date(),
      onEvent: () => {},
    });
    const text = JSON.stringify(result);
    expect(text).not.toContain(HEX);
    expect(text).not.toContain("\\u001b");
    expect(text.length).toBeLessThan(8 << 20);
    expect(result?.findings.at(-1)?.message).toBe("and 9500 more");
  });
});

describe("data gate", () => {
  const place = {
    environment: { name: "dev", catalog: "dev", registry: { kind: "mlflow" as const, uri: "http://127.0.0.1:5210" } },
    schema: "claims",
  };
  const check = (work: (signal: AbortSignal) => Promise<string>) =>
    runDataGate(
      { contracts: "*.yaml", source: "d.csv" },
      { ...setting, timeoutMs: 200 },
      async (request) => ({
        verdict: "pass",
        reason: "",
        contract: { path: "c", id: "c", version: "1", digest: "" },
        source: {
          path: "d",
          format: "csv",
          digest: await work(request.signal),
          bytes: 1,
          rows: 1,
          undeclaredColumns: [],
        },
        engine: "x",
        checks: [],
        durationMs: 1,
      }),
      place,
    );
  beforeEach(() => {
    writeFileSync(join(folder, "d.csv"), "a\n1\n");
    writeFileSync(join(folder, "a.yaml"), "");
    writeFileSync(join(folder, "b.yaml"), "");
  });
  it("a rule that takes too long is an error", async () => {
    const outcome = await check(
      (signal) =>
        new Promise((_, reject) => {
          const give = setTimeout(() => reject(new Error("no limit")), 5000);
          signal.addEventListener("abort", () => {
            clearTimeout(give);
            reject(signal.reason);
          });
        }),
    );
    expect(outcome).toMatchObject({ verdict: "error", summary: "timed out after 0.2 s" });
  });
  it("a source that changes between two contracts is an error", async () => {
    let calls = 0;
    expect(await check(async () => sha256(String(++calls)))).toMatchObject({ verdict: "error", data: [] });
  });
  it("a contract that is a link to a device is no contract", async () => {
    rmSync(join(folder, "a.yaml"));
    symlinkSync("/dev/zero", join(folder, "a.yaml"));
    const outcome = await check(async () => "0").catch((error: Error) => error.message);
    // Left out by the search for files, or refused when read: never waited for.
    expect(outcome === "a.yaml is not a plain file" || typeof outcome === "object").toBe(true);
  });
  it("a pattern with braces cannot name a contract outside the project", async () => {
    writeFileSync(join(root, `outside-${number}.yaml`), "");
    const outcome = await runDataGate(
      { contracts: `{..,x}/outside-${number}.yaml`, source: "d.csv" },
      setting,
      () => {
        throw new Error("was read");
      },
      place,
    );
    expect(outcome).toMatchObject({ verdict: "fail", summary: expect.stringContaining("no contract matches") });
  });
});

describe("secrets gate", () => {
  const name = "s.txt";
  it.each<[string, () => void]>([
    ["UTF-16 without its mark", () => writeFileSync(join(folder, name), Buffer.from(`x ${SECRET}`, "utf16le"))],
    [
      "a repository in the repository",
      () => {
        mkdirSync(join(folder, "inner"));
        execFileSync("git", ["init", "-q"], { cwd: join(folder, "inner"), env: variables });
        writeFileSync(join(folder, "inner", name), SECRET);
        git("-c", "advice.addEmbeddedRepo=false", "add", "-N", "--", name);
      },
    ],
  ])("sees one in %s", async (_, plant) => {
    git("init", "-q");
    writeFileSync(join(folder, name), "nothing");
    plant();
    expect((await judgeSecrets(setting)).verdict).toBe("fail");
  });
  it("a tracked name that is not UTF-8 is not skipped", async () => {
    git("init", "-q");
    writeFileSync(join(folder, "a.txt"), "x");
    const blob = git("hash-object", "-w", "a.txt").trim();
    const line = Buffer.concat([Buffer.from(`100644 ${blob}\t`), Buffer.from([0x61, 0xff, 0x62]), Buffer.from("\0")]);
    execFileSync("git", ["update-index", "-z", "--index-info"], { cwd: folder, env: variables, input: line });
    expect((await judgeSecrets(setting)).verdict).toBe("error");
  });
  it("keeps its time limit on a huge line", async () => {
    git("init", "-q");
    writeFileSync(join(folder, "big.txt"), "a-".repeat(15 << 20));
    const started = performance.now();
    expect(await judgeSecrets({ ...setting, timeoutMs: 300 })).toMatchObject({ verdict: "error" });
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

describe("docs gate", () => {
  it("a document that is a link out of the project is none of the project's; one within is", () => {
    const text = "# T\n## A\n## B\n## C\n";
    mkdirSync(join(folder, "project/texts"), { recursive: true });
    for (const path of ["outside.md", "project/texts/inside.md"]) writeFileSync(join(folder, path), text);
    symlinkSync(join(folder, "outside.md"), join(folder, "project/README.md"));
    const saidOfReadme = () =>
      judgeDocs(join(folder, "project")).findings?.flatMap(({ message, where = "" }) =>
        `${message} ${where}`.includes("README.md") ? [message] : [],
      );
    expect(saidOfReadme()).toEqual(["README.md is a link that leads out of the project"]);
    rmSync(join(folder, "project/README.md"));
    symlinkSync("texts/inside.md", join(folder, "project/README.md"));
    expect(saidOfReadme()).toEqual([]);
  });
  it("a document made to be slow, or of any size, ends", () => {
    writeFileSync(join(folder, "README.md"), "](".repeat(400_000));
    const started = performance.now();
    expect(judgeDocs(folder).verdict).toBe("fail");
    expect(performance.now() - started).toBeLessThan(20_000);
    truncateSync(join(folder, "README.md"), 2 << 20);
    expect(() => judgeDocs(folder)).toThrow(/larger than/);
  });
});

describe("baseline", () => {
  const value = (model: Metric["model"], slice: string, auc = 0.7): Metric => ({
    name: "auc",
    value: auc,
    slice,
    n: 10,
    model,
    dataset: "a".repeat(64),
  });
  const judge = (metrics: Metric[]) =>
    judgeBaseline([{ name: "auc", slice: "g", champion: { maxDrop: 0.01 } }], metrics, {
      kind: "version",
      environment: "prod",
      version: "1",
      digest: "",
      commit: undefined,
      folder: "",
    });
  it("a group that only the champion was measured on cannot be left out", () => {
    const both = [value("candidate", "g=0"), value("champion", "g=0"), value("champion", "g=1")];
    expect(judge(both).verdict).toBe("error");
    expect(judge([...both, value("candidate", "g=1")]).verdict).toBe("pass");
  });
  it("a champion that is reported twice cannot choose the lower value", () => {
    expect(
      judge([value("candidate", "g=0", 0.6), value("champion", "g=0", 0.5), value("champion", "g=0", 0.9)]).verdict,
    ).toBe("error");
  });
  it("a champion without a recorded digest is not a champion to compare with", async () => {
    const found = await findChampion(
      [{ name: "prod", catalog: "prod", registry: { kind: "mlflow", uri: "http://127.0.0.1:1" } }],
      async () => ({
        versionByAlias: async () => ({
          model: "m",
          version: "1",
          createdAt: 0,
          runId: undefined,
          tags: {},
          aliases: [],
        }),
        version: async () => undefined,
        filesOf: () => ({
          label: "m v1",
          files: async () => [{ path: "MLmodel", bytes: 0 }],
          fetch: async () => ({ sha256: sha256(""), bytes: 0 }),
          digest: async () => ({ sha256: sha256(""), bytes: 0 }),
        }),
      }),
      "m",
      join(setting.work, "champion"),
      () => {},
    );
    expect(found).toMatchObject({ kind: "unreadable", reason: expect.stringContaining("factory.digest") });
  });
});

describe("files of the evidence", () => {
  it("names that evidence cannot hold get one that it can, and two never meet", () => {
    mkdirSync(join(folder, "resources"));
    for (const name of ["my job.yml", "my_job.yml", "my+job.yml", "größe.yml"])
      writeFileSync(join(folder, "resources", name), "");
    writeFileSync(join(folder, "databricks.yml"), "bundle: { name: b }\ninclude:\n  - resources/*.yml\n");
    const names = collectAttachments(folder, "", "", [], [])
      .filter((each) => each.kind === "bundle")
      .map((each) => attachmentPath(each));
    expect(new Set(names).size).toBe(5);
  });
  it("a link or a pipe is never read", () => {
    symlinkSync("/dev/zero", join(folder, "zero"));
    execFileSync("mkfifo", [join(folder, "pipe")]);
    for (const name of ["zero", "pipe"])
      expect(() => readPlainFile(join(folder, name), 10)).toThrow(/not a plain file/);
  });
  it("factory's own folder may not lead out of the project", () => {
    symlinkSync(root, join(folder, ".factory"));
    expect(() => demandInside(folder, join(folder, ".factory/cache/check/x"), ".factory")).toThrow(/leads out/);
    expect(() => demandInside(folder, join(folder, "new/deep/x"), "x")).not.toThrow();
  });
});
