import { afterAll, beforeAll, expect, test } from "vitest";
import { demandRights } from "../../../src/registry/rights.ts";
import { MODEL, type Unity, unity, wanted } from "./parts.ts";

const quiet = () => {};
const NEWCOMER = "newcomer@example.com";
let it: Unity;

beforeAll(async () => {
  it = await unity({
    principals: [
      { name: "factory-test" },
      { name: "reader@example.com" },
      { name: NEWCOMER },
      { name: "grouped@example.com", groups: ["ml-engineers"] },
      { name: "keeper@example.com" },
    ],
    catalogs: [
      { name: "acme_test", schemas: [{ name: "claims", volumes: ["factory_evidence"] }] },
      { name: "owned", schemas: [{ name: "claims", volumes: ["factory_evidence"] }], owner: "keeper@example.com" },
    ],
    grants: [
      { on: "catalog acme_test", to: "factory-test", privileges: ["USE_CATALOG"] },
      { on: "schema acme_test.claims", to: "factory-test", privileges: ["USE_SCHEMA", "CREATE_MODEL"] },
      { on: "volume acme_test.claims.factory_evidence", to: "factory-test", privileges: ["ALL_PRIVILEGES"] },
      { on: "catalog acme_test", to: "ml-engineers", privileges: ["ALL_PRIVILEGES"] },
      { on: "catalog acme_test", to: "reader@example.com", privileges: ["USE_CATALOG", "USE_SCHEMA"] },
    ],
  });
}, 120_000);
afterAll(() => it?.stop());

test("every missing grant is named as SQL before anything is written", async () => {
  const { registry } = it.again(NEWCOMER);
  it.fake.log.length = 0;
  const missing = await registry.missingRights(MODEL, false);
  expect(missing).toEqual([
    `GRANT CREATE MODEL ON SCHEMA acme_test.claims TO \`${NEWCOMER}\``,
    `GRANT READ VOLUME ON VOLUME acme_test.claims.factory_evidence TO \`${NEWCOMER}\``,
    `GRANT WRITE VOLUME ON VOLUME acme_test.claims.factory_evidence TO \`${NEWCOMER}\``,
  ]);
  await expect(demandRights(registry, MODEL, false)).rejects.toMatchObject({
    code: "grants.missing",
    exit: 4,
    problems: missing.map((message) => ({ message })),
  });
  expect(it.fake.log.every((each) => each.method === "GET")).toBe(true);
});

test("what is granted to oneself, to a group or above, and what one owns, is not missing", {
  timeout: 60_000,
}, async () => {
  expect(await it.registry.missingRights(MODEL, false)).toEqual([]);
  expect(await it.again("grouped@example.com").registry.missingRights(MODEL, false)).toEqual([]);
  // The owner of a catalog may give itself whatever it needs there.
  const keeper = it.again("keeper@example.com").registry;
  expect((await keeper.missingRights("owned.claims.triage", false)).join()).not.toContain(" ON SCHEMA owned");
  const name = "acme_test.claims.owned";
  await it.registry.createFromFolder(
    { ...wanted(await it.model("owned"), { name }), seen: { earlierTry: false, model: false } },
    quiet,
  );
  expect(await it.registry.missingRights(name, true)).toEqual([]);
  expect(await it.again("reader@example.com").registry.missingRights(name, true)).toContain(
    `GRANT CREATE MODEL VERSION ON FUNCTION ${name} TO \`reader@example.com\``,
  );
});

test("a refusal in the middle names the grant, and leaves nothing unfinished", { timeout: 60_000 }, async () => {
  const { registry, objects } = it.again("reader@example.com");
  await expect(registry.ensureModel("acme_test.claims.mine")).rejects.toMatchObject({
    exit: 4,
    hint: expect.stringContaining("GRANT CREATE MODEL ON SCHEMA acme_test.claims TO `reader@example.com`"),
  });
  await expect(registry.setAlias("acme_test.claims.owned", "champion", "1")).rejects.toMatchObject({
    hint: expect.stringContaining("GRANT MANAGE ON FUNCTION acme_test.claims.owned"),
  });
  await expect(registry.versions("acme_test.claims.owned")).rejects.toMatchObject({
    hint: expect.stringContaining("GRANT EXECUTE ON FUNCTION acme_test.claims.owned"),
  });
  await expect(objects.list("a".repeat(64))).rejects.toMatchObject({
    hint: expect.stringContaining("GRANT READ VOLUME ON VOLUME acme_test.claims.factory_evidence"),
  });
  const model = await it.model("refused");
  const refused = registry.createFromFolder(
    { ...wanted(model, { name: "acme_test.claims.owned", above: 1 }), seen: { earlierTry: false, model: true } },
    quiet,
  );
  await expect(refused).rejects.toMatchObject({
    exit: 4,
    hint: expect.stringContaining("GRANT CREATE MODEL VERSION ON FUNCTION acme_test.claims.owned"),
  });
  expect((await it.registry.versions("acme_test.claims.owned")).map((each) => each.version)).toEqual(["1"]);
});

test("a schema that is not there is said", async () => {
  const registry = it.again("grouped@example.com").registry;
  await expect(registry.ensureModel("acme_test.nowhere.triage")).rejects.toMatchObject({
    exit: 4,
    code: "unity.schema",
    hint: expect.stringContaining("CREATE SCHEMA acme_test.nowhere"),
  });
});
