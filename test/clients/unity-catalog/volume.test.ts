import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { volumeObjects } from "../../../src/clients/databricks/volume-store.ts";
import type { StoredFile } from "../../../src/evidence/object-store.ts";
import { sha256 } from "../../../src/lib/hash.ts";
import { gatherEvidence } from "../../../src/promotion/facts-of-evidence.ts";
import { policyOf } from "../../rules/good-facts.ts";
import { type Unity, unity } from "./parts.ts";

let it: Unity;
beforeAll(async () => {
  it = await unity();
}, 120_000);
afterAll(() => it?.stop());

const NOTE = { model: "claims.triage", what: "evidence" as const };
const file = (path: string, text: string): StoredFile => ({
  path,
  sha256: sha256(text),
  bytes: async () => Buffer.from(text),
});
const FILES = [
  file("evidence.json", "{}"),
  file("gates/unit.json", "unit"),
  file("gates/deep/odd name, 100%?&#.txt", "odd"),
];

test("written once, listed, read back; a second time is read only", async () => {
  const digest = "1".repeat(64);
  expect(await it.objects.list(digest)).toEqual([]);
  expect(await it.objects.read(digest, "evidence.json", 100)).toBeUndefined();
  await it.objects.write(digest, FILES, NOTE);
  expect(await it.objects.list(digest)).toEqual(FILES.map((each) => each.path).sort());
  for (const each of FILES) expect(await it.objects.read(digest, each.path, 1000)).toEqual(await each.bytes());
  await expect(it.objects.read(digest, "evidence.json", 1)).rejects.toMatchObject({ code: "http.size" });
  it.fake.log.length = 0;
  await it.objects.write(digest, [...FILES, file("signatures/a.json", "a")], NOTE);
  const written = it.fake.log.filter((each) => each.route === "PUT /api/2.0/fs/files/*path");
  expect(written).toHaveLength(1);
});

test("other bytes under the same path are an error, and are left as they are", async () => {
  const digest = "2".repeat(64);
  await it.objects.write(digest, [file("evidence.json", "one")], NOTE);
  const other = it.objects.write(digest, [file("evidence.json", "two")], NOTE);
  await expect(other).rejects.toMatchObject({ code: "object.bytes", exit: 4 });
  expect((await it.objects.read(digest, "evidence.json", 100))?.toString()).toBe("one");
});

test("two writers at once, and lost replies, leave one whole object", { timeout: 60_000 }, async () => {
  const digest = "3".repeat(64);
  const faults = [
    it.fake.fault({ kind: "reset", when: "after", route: "PUT /api/2.0/fs/files", nth: 2 }),
    it.fake.fault({ kind: "status", status: 503, when: "after", route: "PUT /api/2.0/fs/files", nth: 3 }),
    it.fake.fault({ kind: "status", status: 429, retryAfter: 1, route: "PUT /api/2.0/fs/directories" }),
  ];
  await Promise.all([it.objects.write(digest, FILES, NOTE), it.again().objects.write(digest, FILES, NOTE)]);
  expect(faults.map((each) => each.struck)).toEqual([1, 1, 1]);
  it.fake.clearFaults();
  expect(await it.objects.list(digest)).toEqual(FILES.map((each) => each.path).sort());
});

test("a volume that is not there is told with the statement that makes it", async () => {
  const objects = volumeObjects(it.workspace, "acme_test.claims.elsewhere");
  expect(await objects.list("4".repeat(64))).toEqual([]);
  await expect(objects.write("4".repeat(64), FILES, NOTE)).rejects.toMatchObject({
    code: "volume.missing",
    exit: 4,
    hint: expect.stringContaining("CREATE VOLUME acme_test.claims.elsewhere"),
  });
});

test("a file that comes shorter than it was listed is read again, and told when it stays so", {
  timeout: 60_000,
}, async () => {
  const digest = "5".repeat(64);
  await it.objects.write(digest, [file("signatures/a.json", "a signature, whole")], NOTE);
  await it.objects.list(digest);
  const cut = { kind: "truncate", cut: "body", route: "GET /api/2.0/fs/files" } as const;
  const fault = it.fake.fault(cut);
  expect((await it.objects.read(digest, "signatures/a.json", 100))?.toString()).toBe("a signature, whole");
  expect(fault.struck).toBe(1);
  it.fake.fault({ ...cut, times: 0 });
  await expect(it.objects.read(digest, "signatures/a.json", 100)).rejects.toMatchObject({ code: "files.cut", exit: 4 });
  it.fake.clearFaults();
});

test("evidence that cannot be read is not known; only bytes that are there and wrong are a refusal", {
  timeout: 60_000,
}, async () => {
  const good = sha256("{}");
  await it.objects.write(good, [file("evidence.json", "{}")], NOTE);
  const gather = (digest: string) =>
    gatherEvidence(digest, [it.objects], "prod", policyOf(), join(it.folder, "objects"), []);
  it.fake.fault({ kind: "html", route: "GET /api/2.0/fs/directories", times: 0 });
  await expect(gather(good)).rejects.toMatchObject({ code: "workspace.page", exit: 4 });
  it.fake.clearFaults();
  expect((await gather(good)).problem).toContain("evidence.json");
  const other = "6".repeat(64);
  await it.objects.write(other, [file("evidence.json", "{}")], NOTE);
  expect((await gather(other)).problem).toContain("has another digest");
});
