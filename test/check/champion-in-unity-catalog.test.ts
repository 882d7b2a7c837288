import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findChampion } from "../../src/check/find-champion.ts";
import type { Environment } from "../../src/policy/policy.ts";
import { manifestOfFolder } from "../../src/registry/model-files.ts";
import { MODEL, type Unity, unity, wanted } from "../clients/unity-catalog/parts.ts";

// Which model serves in the last environment, when that is a catalog: asked through the registry, as any other.

let it: Unity;
beforeAll(async () => {
  it = await unity();
}, 300_000);
afterAll(() => it?.stop());

const environment: Environment = {
  name: "prod",
  catalog: "acme_test",
  registry: { kind: "unity-catalog", profile: "unity" },
};

const find = (as = "factory-test", model = "claims.triage") =>
  findChampion(
    [environment],
    async () => it.again(as).registry,
    model,
    mkdtempSync(join(it.folder, "champion-")),
    () => {},
  );

test("nothing was released yet: neither where there is no model, nor where no alias is", {
  timeout: 200_000,
}, async () => {
  expect(await find("factory-test", "claims.none")).toEqual({ kind: "first-release" });
  await it.registry.createFromFolder(wanted(await it.model("first")), () => {});
  expect(await find()).toEqual({ kind: "first-release" });
});

test("the version behind champion, with its bytes and its commit", { timeout: 200_000 }, async () => {
  const model = await it.model("champion");
  const made = await it.registry.createFromFolder(wanted(model), () => {});
  await it.registry.setAlias(MODEL, "champion", made.version);
  const found = await find();
  expect(found).toMatchObject({
    kind: "version",
    environment: "prod",
    version: made.version,
    digest: model.digest,
    commit: "c0ffee",
  });
  if (found.kind !== "version") throw new Error("unreachable");
  expect((await manifestOfFolder(found.folder)).digest).toBe(model.digest);
});

test("who may not see it does not take that for a first release", async () => {
  expect(await find("reader@example.com")).toMatchObject({ kind: "unreadable", environment: "prod" });
});

test("a tag that names other bytes, and a registry that does not answer, are unreadable", async () => {
  const champion = await it.registry.versionByAlias(MODEL, "champion");
  await it.registry.setVersionTags(MODEL, champion?.version ?? "", { "factory.digest": "f".repeat(64) });
  expect(await find()).toMatchObject({ kind: "unreadable", reason: expect.stringMatching(/was registered/) });
  const fault = it.fake.fault({ kind: "status", status: 500, times: 0 });
  expect(await find()).toMatchObject({ kind: "unreadable" });
  fault.clear();
});
