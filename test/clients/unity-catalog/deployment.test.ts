import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { caller, textAt } from "../../fakes/workspace/calls.ts";
import { hooksOf } from "../../fakes/workspace/hooks.ts";
import { connect, deploymentJob, official, settled, TWO, tagsOf, templateApproval } from "./deployment-parts.ts";
import { type Unity, unity, wanted } from "./parts.ts";

const FACTORY = "factory-test";
const UC = "/api/2.0/mlflow/unity-catalog";
const quiet = () => {};

let it: Unity;
beforeAll(async () => {
  it = await unity();
}, 300_000);
afterAll(() => it?.stop());
beforeEach(() => {
  it.fake.log.length = 0;
  delete hooksOf(it.fake.state).task;
});

let made = 0;
/** A version of a model with a deployment job, made by the same identity through plain calls; its run has settled. */
async function version(
  levels: Record<string, string>,
  tasks?: readonly object[],
  more: { wait?: boolean } = {},
): Promise<{ model: string; version: string; job: string }> {
  const name = `deployed${++made}`;
  const model = `acme_test.claims.${name}`;
  const job = await deploymentJob(it.fake, levels, tasks);
  await it.registry.ensureModel(model);
  await connect(it.fake, FACTORY, model, job);
  const { token } = it.fake.identity(FACTORY);
  const call = caller(it.fake.url, token);
  const said = await call("POST", `${UC}/model-versions/create`, { name: model, source: "/somewhere" });
  const version = textAt(said.json, "model_version", "version");
  const { folder, files } = await it.model(model);
  for (const { path } of files) {
    const place = ["Models", "acme_test", "claims", name, version, ...path.split("/")]
      .map(encodeURIComponent)
      .join("/");
    const put = await fetch(`${it.fake.url}/api/2.0/fs/files/${place}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${token}` },
      body: readFileSync(join(folder, path)),
    });
    expect(put.status, place).toBe(204);
  }
  expect((await call("POST", `${UC}/model-versions/finalize`, { name: model, version })).status).toBe(200);
  if (more.wait !== false) await settled(it.fake, model, version);
  it.fake.log.length = 0;
  return { model, version, job };
}

const approve = (at: { model: string; version: string; job: string }, as = it.registry) => as.deployments?.approve(at);
const repairs = () => it.fake.asked("runs/repair");

test("a version that factory makes starts the job, which waits; factory lets it go on, and the official clients see it", {
  timeout: 240_000,
}, async () => {
  const model = "acme_test.claims.triage";
  const play = templateApproval(it.fake, FACTORY);
  const said: (string | undefined)[] = [];
  hooksOf(it.fake.state).task = async (played, state) => {
    const end = await play(played, state);
    if (end !== undefined) said.push(end.error ?? end.logs);
    return end;
  };
  const job = await deploymentJob(it.fake, { [FACTORY]: "CAN_MANAGE_RUN" });
  await it.registry.ensureModel(model);
  expect(await it.registry.model(model)).toEqual({ name: model, tags: {}, aliases: {} });
  expect(await official(it.fake, FACTORY, "connect", model, job)).toEqual({ job });
  expect(await it.registry.model(model)).toMatchObject({ deploymentJob: job });
  const { version } = await it.registry.createFromFolder(
    { ...wanted(await it.model("one")), seen: { earlierTry: false, model: true } },
    quiet,
  );
  expect(await settled(it.fake, model, version)).toBe("APPROVAL approval");
  expect(await official(it.fake, FACTORY, "look", model, version)).toMatchObject({
    tags: {},
    run_state: "APPROVAL",
    job,
    result: "FAILED",
    tasks: { evaluate: "SUCCESS", approval: "FAILED", deploy: "UPSTREAM_FAILED" },
  });

  expect(await approve({ model, version, job })).toEqual({ tasks: ["approval"], run: "goes on" });
  expect(await settled(it.fake, model, version)).toBe("SUCCEEDED deploy");
  expect(await official(it.fake, FACTORY, "look", model, version)).toEqual({
    tags: { approval: "Approved" },
    run_state: "SUCCEEDED",
    job,
    result: "SUCCESS",
    repairs: 1,
    tasks: { evaluate: "SUCCESS", approval: "SUCCESS", deploy: "SUCCESS" },
  });
  expect(said).toEqual([
    expect.stringContaining(`${model} version ${version} is not approved: its tag 'approval' is not set`),
    `${model} version ${version} is approved\n`,
  ]);
  expect((await it.registry.version(model, version))?.tags).toMatchObject({ approval: "Approved" });
  // Nothing of it moved an alias.
  expect((await it.registry.model(model))?.aliases).toEqual({});

  it.fake.log.length = 0;
  expect(await approve({ model, version, job })).toEqual({ tasks: ["approval"], run: "over" });
  expect(repairs()).toEqual([]);
  expect(await it.registry.deployments?.withdraw({ model, version })).toEqual(["approval"]);
  expect(tagsOf(it.fake, model, version)).toEqual({});
  expect(await it.registry.deployments?.withdraw({ model, version })).toEqual([]);
});

test("each approval task has its tag, spelt as the task is", { timeout: 120_000 }, async () => {
  const at = await version({ [FACTORY]: "CAN_MANAGE_RUN" }, TWO);
  expect(await approve(at)).toEqual({ tasks: ["Approval_Risk", "approval_owner"], run: "goes on" });
  expect(tagsOf(it.fake, at.model, at.version)).toEqual({ Approval_Risk: "Approved", approval_owner: "Approved" });
  expect(await settled(it.fake, at.model, at.version)).toBe("SUCCEEDED deploy");
});

test("a run that waited before is repaired by the number of its last repair", { timeout: 120_000 }, async () => {
  const at = await version({ [FACTORY]: "CAN_MANAGE_RUN" });
  // The first repair does not see the tag yet: it waits again.
  let pressed = 0;
  hooksOf(it.fake.state).task = ({ task }) =>
    task.task_key !== "approval" || ++pressed > 1 ? undefined : { result: "FAILED", error: "not yet" };
  expect(await approve(at)).toMatchObject({ run: "goes on" });
  expect(await settled(it.fake, at.model, at.version)).toBe("APPROVAL approval");
  expect(await approve(at)).toEqual({ tasks: ["approval"], run: "goes on" });
  expect(await settled(it.fake, at.model, at.version)).toBe("SUCCEEDED deploy");
  expect(await official(it.fake, FACTORY, "look", at.model, at.version)).toMatchObject({ repairs: 2 });
});

test("without the right to repair the tag is set, and it is said who must press", { timeout: 120_000 }, async () => {
  const at = await version({ [FACTORY]: "CAN_VIEW" });
  const said = await approve(at);
  expect(said).toMatchObject({ tasks: ["approval"], run: "waits" });
  expect(said?.why).toMatch(/^run \d+ on .* waits, and we may not repair it$/);
  expect(said?.fix).toContain("CAN MANAGE RUN");
  expect(tagsOf(it.fake, at.model, at.version)).toEqual({ approval: "Approved" });
  expect(await settled(it.fake, at.model, at.version)).toBe("APPROVAL approval");
});

test("a job that may not be read: the task that waits is told; without one it is said", {
  timeout: 120_000,
}, async () => {
  const waiting = await version({});
  expect(await approve(waiting)).toMatchObject({ tasks: ["approval"], run: "waits" });
  expect(tagsOf(it.fake, waiting.model, waiting.version)).toEqual({ approval: "Approved" });

  hooksOf(it.fake.state).task = ({ task }) => (task.task_key === "evaluate" ? { result: "FAILED" } : undefined);
  const failed = await version({});
  const said = await approve(failed);
  expect(said).toMatchObject({
    tasks: [],
    run: "waits",
    fix: expect.stringContaining(`CAN VIEW on job ${failed.job}`),
  });
  expect(tagsOf(it.fake, failed.model, failed.version)).toEqual({});
});

test("what cannot be told is said: no approval task, a key that is no tag, a job that is gone, a run that failed", {
  timeout: 240_000,
}, async () => {
  const notebook_task = { notebook_path: "/x" };
  const plain = await version({ [FACTORY]: "CAN_MANAGE_RUN" }, [{ task_key: "deploy", notebook_task }]);
  expect(await approve(plain)).toMatchObject({ tasks: [], run: "none", why: expect.stringContaining("no task") });
  const dashed = await version({ [FACTORY]: "CAN_MANAGE_RUN" }, [{ task_key: "approval-risk", notebook_task }]);
  expect(await approve(dashed)).toMatchObject({ tasks: [], fix: "name the task with letters, digits and _ only" });
  const older = await version({ [FACTORY]: "CAN_MANAGE_RUN" });
  expect(await approve({ ...older, job: "77" })).toMatchObject({ tasks: [], why: "job 77 is not there any more" });
  hooksOf(it.fake.state).task = ({ task }) => (task.task_key === "evaluate" ? { result: "FAILED" } : undefined);
  const failed = await version({ [FACTORY]: "CAN_MANAGE_RUN" });
  expect(await approve(failed)).toMatchObject({
    tasks: ["approval"],
    run: "over",
    why: expect.stringMatching(/^run \d+ failed at task evaluate$/),
  });
  expect(repairs()).toEqual([]);
});

test("a run that has yet to come to its approval finds the tag by itself; one that is at it is waited for", {
  timeout: 120_000,
}, async () => {
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  hooksOf(it.fake.state).task = async ({ task }) => {
    if (task.task_key === "evaluate") await gate;
    return undefined;
  };
  const early = await version({ [FACTORY]: "CAN_MANAGE_RUN" }, undefined, { wait: false });
  expect(await approve(early)).toEqual({ tasks: ["approval"], run: "goes on" });
  open();
  expect(await settled(it.fake, early.model, early.version)).toBe("SUCCEEDED deploy");
  expect(repairs()).toEqual([]);

  let looked = false;
  hooksOf(it.fake.state).task = async ({ task, attempt }) => {
    if (task.task_key !== "approval" || attempt > 0) return undefined;
    // It looked before the tag was set, and says so a moment later.
    looked = true;
    await new Promise((resolve) => setTimeout(resolve, 1500));
    return { result: "FAILED", error: "the tag was not set" };
  };
  const late = await version({ [FACTORY]: "CAN_MANAGE_RUN" }, undefined, { wait: false });
  await expect.poll(() => looked).toBe(true);
  expect(await approve(late)).toEqual({ tasks: ["approval"], run: "goes on" });
  expect(repairs()).toHaveLength(1);
  expect(await settled(it.fake, late.model, late.version)).toBe("SUCCEEDED deploy");
});

test("a reply that is lost after the repair: one repair, and the run goes on", { timeout: 120_000 }, async () => {
  for (const loss of [{ kind: "status", status: 503 }, { kind: "reset" }, { kind: "html" }] as const) {
    const at = await version({ [FACTORY]: "CAN_MANAGE_RUN" });
    const fault = it.fake.fault({ ...loss, route: "runs/repair", when: "after" });
    expect(await approve(at), loss.kind).toEqual({ tasks: ["approval"], run: "goes on" });
    expect(fault.struck).toBe(1);
    fault.clear();
    expect(repairs()).toHaveLength(1);
    expect(await settled(it.fake, at.model, at.version)).toBe("SUCCEEDED deploy");
  }
  const at = await version({ [FACTORY]: "CAN_MANAGE_RUN" });
  const fault = it.fake.fault({ kind: "status", status: 500, route: "runs/repair", times: 0 });
  expect(await approve(at)).toMatchObject({ tasks: ["approval"], run: "waits", why: expect.stringContaining("500") });
  fault.clear();
});

test("who may not tag is told the grant; nothing is repaired", { timeout: 120_000 }, async () => {
  const at = await version({ "reader@example.com": "CAN_MANAGE_RUN" });
  it.fake.grant({ on: "catalog acme_test", to: "reader@example.com", privileges: ["USE_CATALOG"] });
  it.fake.grant({ on: "schema acme_test.claims", to: "reader@example.com", privileges: ["USE_SCHEMA", "EXECUTE"] });
  await expect(approve(at, it.again("reader@example.com").registry)).rejects.toMatchObject({
    exit: 4,
    message: expect.stringMatching(/APPLY TAG|may not|not allowed|denied/i),
  });
  expect(tagsOf(it.fake, at.model, at.version)).toEqual({});
  expect(repairs()).toEqual([]);
});
