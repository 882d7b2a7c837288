import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { sha256 } from "../../../src/lib/hash.ts";
import { fetchModel } from "../../../src/registry/model-files.ts";
import { judge } from "../../fakes/workspace/python-judge.ts";
import { MODEL, type Unity, unity, wanted } from "./parts.ts";

const quiet = () => {};
const texts = z.record(z.string(), z.string());
const seenSchema = z.object({
  mlflow: z.looseObject({ files: texts, created: z.number() }),
  sdk: z.looseObject({ files: texts }),
  wrote: z.object({ version: z.string(), created: z.number(), files: texts }),
});

let it: Unity;
beforeAll(async () => {
  it = await unity();
}, 120_000);
afterAll(() => it?.stop());

test("MLflow and the SDK read what factory wrote, and factory reads what they wrote", {
  timeout: 300_000,
}, async () => {
  const model = await it.model("judged");
  const made = await it.registry.createFromFolder(
    { ...wanted(model), seen: { earlierTry: false, model: false } },
    quiet,
  );
  await it.registry.setAlias(MODEL, "champion", made.version);
  await it.registry.setModelTags(MODEL, { "factory.policy": "p" });
  const digest = sha256("{}");
  const files = [
    { path: "evidence.json", sha256: digest, bytes: async () => Buffer.from("{}") },
    { path: "with space, 1%.txt", sha256: sha256("x"), bytes: async () => Buffer.from("x") },
  ];
  await it.objects.write(digest, files, { model: "claims.triage", what: "evidence" });

  const volume = `/Volumes/acme_test/claims/factory_evidence/factory-evidence/${digest}`;
  const theirs = "acme_test.claims.theirs";
  const { token, name } = it.fake.identity("factory-test");
  const script = join(import.meta.dirname, "judge.py");
  const seen = seenSchema.parse(await judge(script, { url: it.fake.url, token }, [MODEL, "1", volume, theirs]));

  const bytes = Object.fromEntries(model.files.map((each) => [each.path, each.sha256]));
  expect(seen.mlflow).toMatchObject({
    status: "READY",
    created: made.createdAt,
    aliases: ["champion"],
    champion: "1",
    modelTags: { factory_policy: "p" },
    found: ["1"],
    tags: { factory_digest: model.digest, factory_evidence: "e".repeat(64), factory_commit: "c0ffee" },
  });
  expect(seen.mlflow.files).toEqual(bytes);
  expect(seen.sdk).toMatchObject({ status: "READY", champion: 1, listed: [1], owner: name });
  expect(seen.sdk.files).toEqual({ "evidence.json": "{}", "with space, 1%.txt": "x" });

  const found = await it.registry.version(theirs, seen.wrote.version);
  expect(found).toMatchObject({ createdAt: seen.wrote.created, tags: { "factory.digest": "d", other: "kept" } });
  expect(await it.registry.model(theirs)).toEqual({
    name: theirs,
    tags: { "factory.policy": "theirs" },
    aliases: { champion: "1", challenger: "1" },
  });
  expect(await it.registry.versionByAlias(theirs, "challenger")).toMatchObject({ version: "1" });
  const fetched = await fetchModel(
    it.registry.filesOf({ model: theirs, version: "1" }),
    join(it.folder, "theirs"),
    quiet,
  );
  expect(Object.fromEntries(fetched.files.map((each) => [each.path, each.sha256]))).toEqual(seen.wrote.files);
  expect(await it.objects.list(digest)).toContain("beside.txt");
  // What factory's own Python called, a client of the same packages called too.
  const asked = it.fake.log.filter((each) => each.status >= 400);
  expect(asked.filter((each) => each.status === 501)).toEqual([]);
});
