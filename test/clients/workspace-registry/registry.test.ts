import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openWorkspace } from "../../../src/clients/databricks/open-workspace.ts";
import { nameInWorkspace } from "../../../src/clients/workspace-registry/names.ts";
import { openWorkspaceRegistry } from "../../../src/clients/workspace-registry/open-workspace-registry.ts";
import { sha256 } from "../../../src/lib/hash.ts";
import { digestModel, fetchModel, manifestOfFolder } from "../../../src/registry/model-files.ts";
import type { ModelRegistry } from "../../../src/registry/registry.ts";
import { acls, entryOf } from "../../fakes/workspace/acl.ts";
import { legacy } from "../../fakes/workspace/legacy/store.ts";
import { type FakeWorkspace, startWorkspace } from "../../fakes/workspace/server.ts";

let fake: FakeWorkspace;
let folder = "";
let name = "";
let made = 0;

beforeAll(async () => {
  fake = await startWorkspace({ principals: [{ name: "factory-prod" }, { name: "risk@example.com" }] });
  folder = mkdtempSync(join(tmpdir(), "factory-stages-"));
});
afterAll(async () => {
  await fake?.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  name = `prod.claims.triage${++made}`;
  fake.clearFaults();
  fake.log.length = 0;
});

async function as(who: string) {
  const home = join(folder, who);
  mkdirSync(home, { recursive: true });
  const { token } = fake.identity(who);
  writeFileSync(join(home, ".databrickscfg"), `[prod]\nhost = ${fake.url}\ntoken = ${token}\n`, { mode: 0o600 });
  const places = { config: join(home, "config"), cache: join(home, "cache") };
  const options = { variables: { HOME: home }, home, places, version: "0.0.0" };
  return openWorkspaceRegistry(await openWorkspace({ profile: "prod" }, options), new AbortController().signal);
}

async function model(text: string) {
  const target = join(folder, `model-${sha256(text).slice(0, 12)}-${++made}`);
  const files = { MLmodel: `# ${text}\nflavors: {}\n`, "data/model.bin": text.repeat(100), "with space/é.txt": text };
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(target, path)), { recursive: true });
    writeFileSync(join(target, path), content);
  }
  return { ...(await manifestOfFolder(target)), folder: target };
}

async function create(registry: ModelRegistry, text: string, above = 0) {
  const bytes = await model(text);
  const tags = { "factory.digest": bytes.digest, "factory.evidence": "e".repeat(64) };
  const { folder: from, files } = bytes;
  const request = { model: name, above, environment: "prod", folder: from, files, tags };
  return { bytes, version: await registry.createFromFolder(request, () => {}) };
}

const state = () => legacy.of(fake.state);
const there = () => nameInWorkspace(name);
const stages = () => [...(state().models.get(there())?.versions.values() ?? [])].map((each) => each.current_stage);

describe("the registry of a workspace", () => {
  test("keeps bytes of its own, which come back as they were", async () => {
    const { registry } = await as("factory-prod");
    expect(await registry.model(name)).toBeUndefined();
    expect(await registry.versions(name)).toEqual([]);
    const { bytes, version } = await create(registry, "one");
    expect(version).toMatchObject({ model: name, version: "1", aliases: [], tags: { "factory.digest": bytes.digest } });
    expect((await digestModel(registry.filesOf(version), () => {})).digest).toBe(bytes.digest);
    const fetched = await fetchModel(registry.filesOf(version), join(folder, `fetched-${made}`), () => {});
    expect(fetched.digest).toBe(bytes.digest);
    expect(await registry.version(name, "1")).toMatchObject({ version: "1", createdAt: version.createdAt });
    expect(await registry.version(name, "7")).toBeUndefined();
    await expect(registry.filesOf({ model: name, version: "7" }).files()).rejects.toMatchObject({
      code: "version.missing",
    });
  });

  test("has stages for aliases: who was there before is archived, and what is said names the evidence", async () => {
    const { registry } = await as("factory-prod");
    await create(registry, "one");
    await create(registry, "two", 1);
    await registry.setAlias(name, "challenger", "1");
    expect((await registry.model(name))?.aliases).toEqual({ challenger: "1" });
    await registry.setAlias(name, "champion", "1");
    expect((await registry.model(name))?.aliases).toEqual({ champion: "1" });
    await registry.setAlias(name, "challenger", "2");
    await registry.setAlias(name, "champion", "2");
    expect(stages()).toEqual(["Archived", "Production"]);
    expect(await registry.versionByAlias(name, "champion")).toMatchObject({ version: "2", aliases: ["champion"] });
    // Back, as a rollback goes.
    await registry.setAlias(name, "champion", "1");
    expect(stages()).toEqual(["Production", "Archived"]);
    await registry.removeAlias(name, "champion");
    await registry.removeAlias(name, "champion");
    expect(stages()).toEqual(["Archived", "Archived"]);
    const said = state().activities.filter(
      (each) => each.name === there() && each.activity_type === "APPROVED_REQUEST",
    );
    expect(said.length).toBe(6);
    for (const { comment } of said)
      expect(comment).toMatch(/^factory: .*model sha256:[0-9a-f]{64}; evidence sha256:e{64}$/);
    expect(state().requests.filter((each) => each.name === there())).toEqual([]);
  });

  test("is asked for no transition that has been made", async () => {
    const { registry } = await as("factory-prod");
    await create(registry, "one");
    await registry.setAlias(name, "champion", "1");
    fake.log.length = 0;
    await registry.setAlias(name, "champion", "1");
    expect(fake.log.filter((each) => each.method !== "GET")).toEqual([]);
  });

  test("without the right to approve, the request waits for somebody who has it, and the same command goes on", async () => {
    const mine = await as("factory-prod");
    await create(mine.registry, "one");
    const { id } = state().models.get(there()) ?? { id: "" };
    acls.of(fake.state).objects.set(`registered-models/${id}`, {
      direct: [
        entryOf(fake.identity("factory-prod"), "CAN_EDIT"),
        entryOf(fake.identity("risk@example.com"), "CAN_MANAGE_PRODUCTION_VERSIONS"),
      ],
      inherited: [],
    });
    expect(await mine.registry.missingRights(name, true)).toEqual([
      `CAN_MANAGE_PRODUCTION_VERSIONS on the registered model ${there()} (it has CAN_EDIT)`,
    ]);
    for (let i = 0; i < 2; i++)
      await expect(mine.registry.setAlias(name, "champion", "1")).rejects.toMatchObject({
        code: "stage.approval",
        exit: 4,
      });
    expect(state().requests.filter((each) => each.name === there())).toHaveLength(1);
    expect(stages()).toEqual(["None"]);
    await (await as("risk@example.com")).registry.setAlias(name, "champion", "1");
    await mine.registry.setAlias(name, "champion", "1");
    expect(stages()).toEqual(["Production"]);
  });

  test.each([
    ["model-versions/create", "version"],
    ["transition-requests/create", "request"],
    ["transition-requests/approve", "move"],
    ["registered-models/create", "model"],
    ["set-tag", "tag"],
  ])("a lost reply of %s makes no second %s", async (route) => {
    const { registry } = await as("factory-prod");
    for (const fault of [{ kind: "reset" }, { kind: "status", status: 503 }] as const) {
      name = `prod.claims.lost${++made}`;
      fake.clearFaults();
      const handle = fake.fault({ ...fault, when: "after", method: "POST", route });
      await create(registry, "one");
      await registry.setModelTags(name, { "factory.policy": "p" });
      await registry.setAlias(name, "champion", "1");
      expect(handle.struck, route).toBe(1);
      expect(stages(), route).toEqual(["Production"]);
      expect((await registry.model(name))?.tags).toEqual({ "factory.policy": "p" });
      const asked = state().activities.filter((each) => each.name === there());
      expect(asked.map((each) => each.activity_type)).toEqual(["REQUESTED_TRANSITION", "APPROVED_REQUEST"]);
    }
  });

  test("an earlier try that was cut off is found by its digest, above the number that was there", async () => {
    const { registry } = await as("factory-prod");
    const { version } = await create(registry, "one");
    expect((await create(registry, "one")).version.version).toBe(version.version);
    expect((await create(registry, "one", 1)).version.version).toBe("2");
  });

  test("a version that could not be copied is named, and the next try makes another", async () => {
    const { registry } = await as("factory-prod");
    await create(registry, "one");
    const broken = state().models.get(there())?.versions.get("1");
    if (broken !== undefined) broken.status = "FAILED_REGISTRATION";
    expect((await create(registry, "one")).version.version).toBe("2");
    expect((await registry.versions(name)).map((each) => each.version)).toEqual(["2"]);
  });

  test("an answer about another version is refused, and nothing is moved by it", async () => {
    const { registry } = await as("factory-prod");
    for (const [i, text] of ["one", "two"].entries()) await create(registry, text, i);
    const versions = state().models.get(there())?.versions;
    const second = versions?.get("2");
    if (second === undefined) throw new Error("no second version");
    versions?.set("1", second);
    const refused = { code: "registry.form", exit: 4 };
    await expect(registry.version(name, "1")).rejects.toMatchObject(refused);
    await expect(registry.setAlias(name, "champion", "1")).rejects.toMatchObject(refused);
    expect(second.current_stage).toBe("None");
  });

  test("a version in a stage is not removed", async () => {
    const { registry } = await as("factory-prod");
    await create(registry, "one");
    await registry.setAlias(name, "challenger", "1");
    await expect(registry.removeVersion(name, "1")).rejects.toMatchObject({ code: "version.alias", exit: 5 });
    await registry.removeAlias(name, "challenger");
    await registry.removeVersion(name, "1");
    await registry.removeVersion(name, "1");
    expect(await registry.versions(name)).toEqual([]);
  });

  test("evidence is kept beside it", async () => {
    const { objects } = await as("factory-prod");
    const store = objects("prod", `claims.kept${made}`);
    const bytes = Buffer.from("{}\n");
    const files = [{ path: "evidence.json", sha256: sha256(bytes), bytes: async () => bytes }];
    const digest = sha256(bytes);
    await store.write(digest, files, { model: "claims.triage", what: "evidence" });
    await store.write(digest, files, { model: "claims.triage", what: "evidence" });
    expect(await store.list(digest)).toEqual(["evidence.json"]);
    expect(await store.read(digest, "evidence.json", 100)).toEqual(bytes);
  });

  test("a workspace without it says so", async () => {
    const { registry } = await as("factory-prod");
    state().settings.disabled = true;
    try {
      await expect(registry.model(name)).rejects.toMatchObject({ exit: 4, message: expect.stringMatching(/disabled/) });
    } finally {
      state().settings.disabled = false;
    }
  });
});
