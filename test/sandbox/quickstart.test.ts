import { existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { type Story, story } from "../../src/quickstart/story.ts";
import { factory, type Home, makeHome } from "../support/factory.ts";
import { testPython } from "../support/mlflow-server.ts";
import { toolsFolder } from "../support/paths.ts";
import { SAID, said, TYPED, typed } from "../support/quickstart-story.ts";

const TIMEOUT_MS = 1_200_000;

/** Quickstart in the rehearsal workspace: the story that acceptance/quickstart tells on MLflow, with three catalogs and identities. */
describe("factory quickstart --sandbox", () => {
  let home: Home;
  let variables: Record<string, string>;
  let told: Story;
  const run = (args: readonly string[], cwd = home.folder, more: Record<string, string> = {}) =>
    factory([...args, "--json"], { cwd, variables: { ...variables, ...more }, timeoutMs: TIMEOUT_MS });

  beforeAll(async () => {
    await testPython();
    home = makeHome();
    // A sandbox belongs to a user's data folder, so it gets one of its own; only factory's Python is that of all suites.
    const data = join(home.folder, "data");
    const shared = join(toolsFolder, "data", "factory");
    mkdirSync(join(data, "factory"), { recursive: true });
    for (const name of readdirSync(shared))
      if (name.startsWith("mlflow-")) symlinkSync(join(shared, name), join(data, "factory", name));
    variables = { ...home.variables, XDG_DATA_HOME: data };
    const ran = await run(["quickstart", "demo", "--sandbox"]);
    expect(ran.status, `${ran.stderr}\n${ran.stdout}`).toBe(0);
    told = z.object({ ok: z.literal(true), data: story }).parse(JSON.parse(ran.stdout)).data;
  }, TIMEOUT_MS);
  afterAll(async () => {
    await run(["sandbox", "stop"]);
    home.remove();
  });

  it("types what is typed on MLflow, and is answered the same", () => {
    expect(typed(told)).toEqual(TYPED);
    expect(said(told)).toEqual(SAID);
    const start = told.steps.find(({ name }) => name === "sandbox");
    expect(start).toMatchObject({ outcome: "done", commands: ["factory sandbox start"] });
    expect(start?.what).toContain("nothing of it is Databricks");
  });

  it("ends where that one ends: two versions, back on the first, three registries that agree", () => {
    expect(told.versions?.map(({ number }) => number)).toEqual(["1", "2"]);
    expect(new Set([told.worse?.digest, ...(told.versions ?? []).map(({ digest }) => digest)]).size).toBe(3);
    expect(told.rollback).toMatchObject({ from: "2", to: "1" });
    expect(told.verified).toMatchObject({ entries: 19, champion: "1" });
    expect(told.verified?.bundles).toBeGreaterThan(0);
    expect(told.steps.at(-1)?.what).toMatch(/; 3 registries agree$/);
  });

  it("leaves a ledger in a git repository that holds, and nothing that runs", async () => {
    const author = { XDG_CONFIG_HOME: join(home.folder, "demo/home/author/.config") };
    const project = join(home.folder, "demo/claims-triage");
    const verified = await run(["ledger", "verify"], project, author);
    expect(verified.status, verified.stderr).toBe(0);
    const shown = await run(["ledger", "show"], project, author);
    const entries = z.object({ data: z.object({ entries: z.array(z.object({ kind: z.string() })) }) });
    const kinds = entries.parse(JSON.parse(shown.stdout)).data.entries.map(({ kind }) => kind);
    expect(
      kinds.filter((kind) => ["registered", "promoted", "approved", "released", "rolledback"].includes(kind)),
    ).toEqual([
      ...Array.from({ length: 2 }, () => ["registered", "promoted", "approved", "promoted", "released"]).flat(),
      "rolledback",
    ]);
    expect((await run(["sandbox", "status"])).status).toBe(3);
    await expect(fetch(told.mlflow)).rejects.toThrow();
    expect(existsSync(join(home.folder, "data/factory/sandbox/databrickscfg"))).toBe(false);
  });
});
