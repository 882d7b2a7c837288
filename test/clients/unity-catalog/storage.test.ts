import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { digestModel, fetchModel } from "../../../src/registry/model-files.ts";
import { MODEL, type Unity, unity, wanted } from "./parts.ts";

const quiet = () => {};
let it: Unity;
beforeAll(async () => {
  it = await unity({ ownPython: true });
  // An older workspace: it does not know the question, and hands bytes out by signed addresses.
  it.fake.fault({
    kind: "status",
    status: 404,
    errorCode: "ENDPOINT_NOT_FOUND",
    route: "artifact-repository-enabled",
    times: 0,
  });
}, 120_000);
afterAll(() => it?.stop());

test("where models are not in the Files API, MLflow's client carries the bytes both ways", {
  timeout: 300_000,
}, async () => {
  const model = await it.model("elsewhere");
  const made = await it.registry.createFromFolder(
    { ...wanted(model), seen: { earlierTry: false, model: false } },
    quiet,
  );
  expect((await digestModel(it.registry.filesOf(made), quiet)).digest).toBe(model.digest);
  const fetched = await fetchModel(it.registry.filesOf(made), join(it.folder, "fetched"), quiet);
  expect(fetched.manifest).toBe(model.manifest);
  const { sha256 } = await it.registry.filesOf(made).fetch("MLmodel", join(it.folder, "MLmodel"));
  expect(sha256).toBe(model.files.find((each) => each.path === "MLmodel")?.sha256);
  await expect(it.registry.filesOf({ model: MODEL, version: "7" }).files()).rejects.toMatchObject({
    code: "version.missing",
  });
});
