import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { freePort } from "../../src/clients/port.ts";
import { checkAnswer, readyProject, type TestProject } from "../support/project.ts";

// One project, one real MLflow server, one trained run; the cases build on it in this order.
let project: TestProject;
let run: string;
let experimentId: string;
let modelId: string;
let modelDigest: string;

const MODEL = "prod.claims.triage";

beforeAll(async () => {
  project = await readyProject({ server: true });
  const trained = await project.run(["train", "--json"]);
  expect(trained.status, trained.stdout + trained.stderr).toBe(0);
  const { data } = z
    .object({ data: z.object({ run: z.string(), model: z.object({ digest: z.string() }) }) })
    .parse(JSON.parse(trained.stdout));
  run = data.run;
  modelDigest = data.model.digest;
  experimentId = z
    .object({ run: z.object({ info: z.object({ experiment_id: z.string() }) }) })
    .parse(await get(`runs/get?run_id=${run}`)).run.info.experiment_id;
  const models = z
    .object({ models: z.array(z.object({ info: z.object({ model_id: z.string() }) })) })
    .parse(await post("logged-models/search", { experiment_ids: [experimentId], filter: `source_run_id = '${run}'` }));
  modelId = models.models[0]?.info.model_id ?? "";
  expect(modelId).toMatch(/^m-/);
});
afterAll(async () => project?.remove());
afterEach(() => project.revert());

async function post(path: string, json: object): Promise<unknown> {
  return reply(
    await fetch(`${project.uri}/api/2.0/mlflow/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(json),
    }),
  );
}

async function get(path: string): Promise<unknown> {
  return reply(await fetch(`${project.uri}/api/2.0/mlflow/${path}`));
}

async function reply(answer: Response): Promise<unknown> {
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.url}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

function evidenceFolders(): string[] {
  const root = join(project.folder, ".factory/evidence");
  return existsSync(root) ? readdirSync(root).sort() : [];
}

async function check(...args: string[]) {
  return checkAnswer(await project.run(["check", "--json", ...args]));
}

describe("a run is judged", () => {
  it("passes all gates as a first release, and its evidence verifies", async () => {
    const answer = await check();
    expect(answer).toMatchObject({ status: 0, ok: true });
    expect(answer.data).toMatchObject({ subject: "candidate", verdict: "pass", run, notRegistrable: [] });
    expect(answer.data?.gates.map(({ verdict }) => verdict)).toEqual(Array(7).fill("pass"));
    expect(answer.data?.gates.find(({ gate }) => gate === "baseline")?.summary).toMatch(/^first release/);
    const digest = answer.data?.evidence?.digest ?? "";
    const shown = await project.run(["evidence", "show", "--json"]);
    expect(shown.status).toBe(0);
    expect(JSON.parse(shown.stdout).data).toMatchObject({
      digest,
      run,
      champion: "first release",
      dirty: false,
      model: answer.data?.model,
    });
    expect(readdirSync(join(project.folder, ".factory/cache/check"))).toEqual([]);
  });

  it("seals other evidence each time, and keeps what was there", async () => {
    const before = evidenceFolders();
    const answer = await check("--only", "docs");
    expect(answer).toMatchObject({ status: 0, ok: true });
    expect(answer.data?.notRegistrable.join()).toMatch(/not evaluated: lint, unit, data, model, baseline, secrets/);
    expect(evidenceFolders()).toEqual(expect.arrayContaining(before));
    expect(evidenceFolders()).toHaveLength(before.length + 1);
    expect(before).not.toContain(answer.data?.evidence?.digest);
  });

  it("notices one changed byte in what was sealed", async () => {
    const { digest = "", folder = "" } = (await check("--only", "docs")).data?.evidence ?? {};
    const path = join(folder, "project/factory.yaml");
    writeFileSync(path, readFileSync(path, "utf8").replace("0.62", "0.61"));
    const shown = await project.run(["evidence", "show", digest]);
    expect(shown.status).not.toBe(0);
    expect(shown.stderr).toMatch(/project\/factory\.yaml/);
  });

  it("says that uncommitted code cannot be registered", async () => {
    project.write("README.md", `${project.read("README.md")}\nOne more line.\n`);
    const answer = await check("--only", "docs");
    expect(answer.data?.notRegistrable.join("\n")).toMatch(/working tree differs from its commit/);
  });
});

describe("an interruption", () => {
  it.each(["SIGINT", "SIGTERM"] as const)(
    "%s ends the tests with all that they started, and leaves no evidence",
    async (signal) => {
      const pids = join(project.home.folder, `pids-${signal}`);
      project.write(
        "tests/unit/test_planted.py",
        `import os, signal, subprocess, sys, time
def test_waits():
    # Deaf to polite signals, and its own child too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with open(${JSON.stringify(`${pids}.new`)}, "w") as out:
        out.write(f"{os.getpid()} {os.getppid()} {child.pid}")
    os.rename(${JSON.stringify(`${pids}.new`)}, ${JSON.stringify(pids)})
    time.sleep(600)
`,
      );
      project.edit("factory.yaml", "uv run pytest tests/unit }", "uv run pytest tests/unit/test_planted.py }");
      const before = evidenceFolders();
      let sent = 0;
      const ran = await project.run(["check", "--only", "unit", "--json"], {
        started: (child) =>
          void (async () => {
            while (!existsSync(pids)) await pause(50);
            sent = performance.now();
            child.kill(signal);
          })(),
      });
      expect(performance.now() - sent).toBeLessThan(15_000);
      expect(ran.status).toBe(130);
      expect(checkAnswer(ran).error?.code).toBe("interrupted");
      const started = readFileSync(pids, "utf8").split(" ").map(Number);
      expect(started).toHaveLength(3);
      await expect.poll(() => started.filter(isAlive), { timeout: 5000 }).toEqual([]);
      expect(evidenceFolders()).toEqual(before);
      expect(readdirSync(join(project.folder, ".factory/cache/check"))).toEqual([]);
    },
  );
});

const runAnswer = z.object({ run: z.object({ info: z.object({ run_id: z.string() }) }) });
async function openRun(): Promise<string> {
  return runAnswer.parse(await post("runs/create", { experiment_id: experimentId, start_time: Date.now() })).run.info
    .run_id;
}

/** A run that came to its end, and logged so many models without a file. */
async function finishedRun(models: number): Promise<{ id: string; models: string[] }> {
  const id = await openRun();
  const made: string[] = [];
  for (let i = 0; i < models; i++) {
    const { model } = z
      .object({ model: z.object({ info: z.object({ model_id: z.string() }) }) })
      .parse(await post("logged-models", { experiment_id: experimentId, name: `model-${i}`, source_run_id: id }));
    const { model_id } = model.info;
    await reply(
      await fetch(`${project.uri}/api/2.0/mlflow/logged-models/${model_id}`, {
        method: "PATCH",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model_id, status: "LOGGED_MODEL_READY" }),
      }),
    );
    made.push(model_id);
  }
  await post("runs/update", { run_id: id, status: "FINISHED", end_time: Date.now() });
  return { id, models: made };
}

describe("a run that cannot be judged", () => {
  it.each([
    { models: 0, code: "run.no-model", message: /logged no model/ },
    { models: 2, code: "run.models", message: /logged 2 models.*model-0.*model-1|logged 2 models.*model-1.*model-0/ },
  ])("because it logged $models models: exit 2", async ({ models, code, message }) => {
    const before = evidenceFolders();
    const answer = await check("--run", (await finishedRun(models)).id);
    expect(answer).toMatchObject({ status: 2, error: { code } });
    expect(answer.error?.message).toMatch(message);
    expect(evidenceFolders()).toEqual(before);
  });

  it("because it never ended, or nobody knows it: exit 2", async () => {
    expect(await check("--run", await openRun())).toMatchObject({ status: 2, error: { code: "run.unfinished" } });
    expect(await check("--run", "0".repeat(32))).toMatchObject({ status: 2, error: { code: "run.unknown" } });
  });
});

describe("a champion", () => {
  const serves = async (version: string, runId: string, model: string) => {
    await post("model-versions/create", { name: MODEL, source: `models:/${model}`, run_id: runId, model_id: model });
    await post("registered-models/alias", { name: MODEL, alias: "champion", version });
  };
  beforeAll(async () => {
    await post("registered-models/create", { name: MODEL });
    await serves("1", run, modelId);
  });

  const tagDigest = (value: string) =>
    post("model-versions/set-tag", { name: MODEL, version: "1", key: "factory.digest", value });

  /** Numbers to compare come of the tests that measure; where the champion cannot be read, any number will do. */
  async function baseline(tests = "pytest tests/model/test_quality.py") {
    project.edit("factory.yaml", "pytest tests/model\n", `${tests}\n`);
    const answer = await check("--only", "baseline");
    return { answer, gate: answer.data?.gates.find(({ gate }) => gate === "baseline") };
  }
  async function unreadable(why: RegExp): Promise<void> {
    project.write(
      "tests/test_numbers.py",
      `import json, os
def test_numbers():
    values = [("roc_auc", 0.7, None), ("roc_auc", 0.7, "physlm=0"), ("roc_auc", 0.7, "physlm=1"), ("latency_p95_ms", 1, None)]
    metrics = [
        {"name": name, "value": value, "n": 9, "model": "candidate", "dataset": "0" * 64, **({"slice": part} if part else {})}
        for name, value, part in values
    ]
    with open(os.environ["FACTORY_METRICS"], "w") as out:
        json.dump({"schema": "factory.metrics/v1", "metrics": metrics}, out)
`,
    );
    expectUnreadable((await baseline("pytest tests/test_numbers.py")).answer, why);
  }
  /** An error keeps the document to the error itself: which gate it was, and why. */
  function expectUnreadable(answer: Awaited<ReturnType<typeof check>>, why: RegExp): void {
    expect(answer.status).toBe(4);
    expect(answer.error?.problems).toHaveLength(1);
    expect(answer.error?.problems[0]?.message).toMatch(/^baseline: /);
    expect(answer.error?.problems[0]?.message).toMatch(why);
  }

  it("that does not say which bytes were registered is an error", async () => {
    await unreadable(/carries no factory\.digest/);
  });

  it("with the same bytes is equalled", async () => {
    await tagDigest(`sha256:${modelDigest}`);
    const { answer, gate } = await baseline();
    expect(answer).toMatchObject({ status: 0, ok: true });
    expect(gate).toMatchObject({ verdict: "pass", cases: 1 });
    expect(gate?.summary).toMatch(/^champion prod v1 roc_auc (0\.\d+) → \1$/);
  });

  it("whose bytes are not those that were registered is an error", async () => {
    await tagDigest("0".repeat(64));
    await unreadable(/were changed/);
    await tagDigest(modelDigest);
  });

  it("whose registry does not answer is an error, never a first release", async () => {
    const policy = join(project.root, "policy.yaml");
    const text = readFileSync(policy, "utf8");
    writeFileSync(
      policy,
      text.replace(
        /(name: prod, +catalog: prod, +registry: \{ kind: mlflow, uri: )[^}]+/,
        `$1"http://127.0.0.1:${await freePort()}" `,
      ),
    );
    expect(readFileSync(policy, "utf8")).not.toBe(text);
    try {
      await unreadable(/127\.0\.0\.1/);
    } finally {
      writeFileSync(policy, text);
    }
  });

  it("whose files are gone is an error, while the candidate is whole", async () => {
    const { id, models } = await finishedRun(1);
    await serves("2", id, models[0] ?? "");
    await post("model-versions/set-tag", { name: MODEL, version: "2", key: "factory.digest", value: modelDigest });
    await unreadable(/prod\.claims\.triage v2 has no files/);
  });
});

/** Alive and not merely waiting to be reaped by whoever adopts orphans here. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  if (process.platform !== "linux") return true;
  const stat = `/proc/${pid}/stat`;
  return existsSync(stat) && !/\) Z /.test(readFileSync(stat, "utf8"));
}
