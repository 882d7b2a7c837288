import { createHash } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { digestModel, fetchModel, manifestOfFolder } from "../../../src/registry/model-files.ts";
import { type BothSides, bothSides, openFake, type Side, workspaceSide, writeFiles } from "./parts.ts";

// The same questions to a real MLflow server and to a workspace, through the one interface that training uses.

let both: BothSides;
beforeAll(async () => {
  both = await bothSides();
});
afterAll(() => both?.stop());

const FILES = {
  MLmodel: "flavors: {}\n",
  "data/model.bin": Buffer.alloc(300_000, 7),
  "data/empty": "",
  "a/b/c/deep.txt": "deep",
  "with space/ü & 100%.txt": "odd",
};

async function onBoth<T>(ask: (side: Side) => Promise<T>): Promise<T[]> {
  const answers: T[] = [];
  for (const side of both.sides) answers.push(await ask(side));
  return answers;
}

/** Both sides must give this answer. */
async function expectOnBoth<T>(ask: (side: Side) => Promise<T>, expected: unknown): Promise<void> {
  expect(await onBoth(ask)).toEqual([expected, expected]);
}

describe("experiments", () => {
  test("one is made once, by two at a time too, and found again", async () => {
    await expectOnBoth(async ({ tracking, again }) => {
      const ids = await Promise.all([tracking.ensureExperiment("made-once"), again().ensureExperiment("made-once")]);
      return new Set([...ids, await again().ensureExperiment("made-once")]).size;
    }, 1);
  });

  test("a deleted one is said, and not made anew", async () => {
    await expectOnBoth(
      async ({ tracking, again, call }) => {
        await call("POST", "experiments/delete", { experiment_id: await tracking.ensureExperiment("gone") });
        return again()
          .ensureExperiment("gone")
          .catch((error: unknown) => error);
      },
      expect.objectContaining({ code: "experiment.deleted", exit: 2 }),
    );
  });

  test("in a workspace it is a file in a folder of its own, made with the folder", async () => {
    const { tracking } = workspaceSide(both.fake, await openFake(both.fake, both.folder));
    const before = both.fake.asked("workspace/mkdirs").length;
    await tracking.ensureExperiment("its-place");
    expect(both.fake.asked("workspace/mkdirs").length).toBe(before + 1);
    expect(tracking.experimentName("its-place")).toBe("/Shared/factory/its-place");
  });
});

describe("runs", () => {
  test("made, tagged, closed, found by tag in the order of their start", async () => {
    await expectOnBoth(
      async ({ tracking, again }) => {
        const experimentId = await tracking.ensureExperiment("runs");
        const tags = { "factory.project": "p", "mlflow.source.git.commit": "c0ffee", "odd key": "ü = '1'" };
        const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute));
        const first = await tracking.createRun({ experimentId, name: "one", tags, startedAt: at(1) });
        const second = await tracking.createRun({ experimentId, name: "two", tags, startedAt: at(2) });
        await tracking.setTags(first.id, { "factory.project": "p", more: "" });
        await tracking.finishRun(first.id, "FINISHED", at(3));
        const { id, experimentId: _, tags: found, ...run } = (await again().run(first.id)) ?? first;
        const tag = { key: "factory.project", value: "p" };
        return {
          same: id === first.id,
          run,
          tags: Object.fromEntries(
            Object.entries(found).filter(([key]) => !/^(?:mlflow\.(?:user|runName)|factory\.attempt)$/.test(key)),
          ),
          latest: (await again().latestRun("runs", tag))?.id === second.id,
          first: (await again().firstRun("runs", tag))?.id === first.id,
          other: await again().latestRun("runs", { key: "factory.project", value: "q" }),
          nowhere: await again().firstRun("no-such", tag),
        };
      },
      {
        same: true,
        run: {
          name: "one",
          status: "FINISHED",
          startedAt: Date.UTC(2026, 0, 1, 0, 1),
          endedAt: Date.UTC(2026, 0, 1, 0, 3),
          metrics: {},
          params: {},
        },
        tags: { "factory.project": "p", "mlflow.source.git.commit": "c0ffee", "odd key": "ü = '1'", more: "" },
        latest: true,
        first: true,
        other: undefined,
        nowhere: undefined,
      },
    );
  });

  test("one that is not there, one that was deleted, and no run id at all", async () => {
    await expectOnBoth(
      async ({ tracking, call }) => {
        const experimentId = await tracking.ensureExperiment("runs");
        const run = await tracking.createRun({ experimentId, name: "r", tags: {}, startedAt: new Date() });
        await call("POST", "runs/delete", { run_id: run.id });
        return [
          await tracking.run("0".repeat(32)),
          await tracking.run(run.id),
          await tracking.run("../x").catch((error: unknown) => error),
        ];
      },
      [undefined, undefined, expect.objectContaining({ code: "run.id", exit: 2 })],
    );
  });
});

describe("logged models", () => {
  test("the one of a run, with every byte of its files", async () => {
    const folder = join(both.folder, "expected");
    writeFiles(folder, FILES);
    const expected = await manifestOfFolder(folder);
    await expectOnBoth(
      async (side) => {
        const { runId, modelId } = await side.logged("models", FILES);
        const run = await side.tracking.run(runId);
        if (run === undefined) throw new Error("no run");
        const [model, ...others] = await side.tracking.loggedModels(run);
        if (model === undefined) throw new Error("no model");
        const source = side.tracking.filesOf(model);
        const to = join(both.folder, `fetched-${side.name.replace(/ /g, "-")}`);
        const fetched = await fetchModel(source, to, () => {});
        return {
          id: model.id === modelId,
          others,
          model: { name: model.name, ready: /READY$/.test(model.status), own: model.runId === runId },
          fetched: fetched.digest,
          bytes: fetched.bytes,
          kept: (await manifestOfFolder(to)).digest,
          read: (await digestModel(source, () => {})).digest,
        };
      },
      {
        id: true,
        others: [],
        model: { name: "model", ready: true, own: true },
        fetched: expected.digest,
        bytes: expected.bytes,
        kept: expected.digest,
        read: expected.digest,
      },
    );
  });

  test("none, two, one that is not finished, and one of another run", async () => {
    await expectOnBoth(
      async ({ tracking, call, logged }) => {
        const experimentId = await tracking.ensureExperiment("counts");
        const run = await tracking.createRun({ experimentId, name: "r", tags: {}, startedAt: new Date() });
        const none = await tracking.loggedModels(run);
        const make = async () =>
          /"model_id":"(m-[0-9a-f]{32})"/.exec(
            JSON.stringify(
              await call("POST", "logged-models", { experiment_id: experimentId, name: "m", source_run_id: run.id }),
            ),
          )?.[1] ?? "";
        await logged("counts", { MLmodel: "x" });
        for (const id of [await make(), await make()])
          await call("POST", "runs/outputs", { run_id: run.id, models: [{ model_id: id, step: 0 }] });
        return { none, statuses: (await tracking.loggedModels(run)).map((model) => model.status.replace(/^.*_/, "")) };
      },
      { none: [], statuses: ["PENDING", "PENDING"] },
    );
  });

  test("whose files are gone is said so", async () => {
    await expectOnBoth(
      async (side) => {
        const { modelId: id } = await side.logged("empty", {});
        const source = side.tracking.filesOf({ id, name: "model", runId: "", status: "" });
        return fetchModel(source, join(both.folder, `none-${side.name.replace(/ /g, "-")}`), () => {}).catch(
          (error: unknown) => error,
        );
      },
      expect.objectContaining({ code: "model.empty", exit: 4 }),
    );
  });
});

test("a digest tells one changed byte on both sides", async () => {
  const digests = await onBoth(async (side) => {
    const { modelId: id } = await side.logged("digest", { MLmodel: "abc" });
    return side.tracking.filesOf({ id, name: "model", runId: "", status: "" }).digest("MLmodel");
  });
  const sha256 = createHash("sha256").update("abc").digest("hex");
  expect(digests).toEqual([
    { sha256, bytes: 3 },
    { sha256, bytes: 3 },
  ]);
});
