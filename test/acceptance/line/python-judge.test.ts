import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { runProcess } from "../../../src/lib/run-process.ts";
import { manifestOfFolder } from "../../../src/registry/model-files.ts";
import {
  call,
  loggedModel,
  type ModelFolder,
  modelFolder,
  open,
  python,
  remove,
  run,
  temporary,
} from "../../registry/world.ts";
import { type MlflowServer, startMlflowServer } from "../../support/mlflow-server.ts";
import { makeLine, type SmallLine, type TrainedRun } from "../../support/small-line.ts";
import { signatureJudges } from "../../support/uv.ts";

const ENVIRONMENTS = ["dev", "test", "prod"];
const stringMap = z.record(z.string(), z.string());
const seen = z.record(
  z.string(),
  z.object({
    aliases: stringMap,
    tags: stringMap,
    versions: z.record(
      z.string(),
      z.object({ digest: z.string(), files: z.array(z.string()), aliases: z.array(z.string()), tags: stringMap }),
    ),
    objects: z.record(z.string(), z.object({ kind: z.string(), index: z.string(), files: z.int() })),
  }),
);

let server: MlflowServer;
let line: SmallLine;
let work = "";
let model: ModelFolder;
let logged: { runId: string; loggedModelId: string };
let evidence = "";

/** A run whose model MLflow can load, as training in the project would leave it. */
async function train(): Promise<TrainedRun> {
  model = await modelFolder(work, line.model);
  logged = await loggedModel(server, model, line.project);
  await open(server.uri).tracking.setTags(logged.runId, {
    "factory.project": line.project,
    "factory.dirty": "false",
    "factory.commit": line.commit(),
    "factory.lock": "d".repeat(64),
  });
  const { manifest } = await manifestOfFolder(model.folder);
  return { run: logged.runId, digest: model.digest, loggedModel: logged.loggedModelId, manifest };
}

beforeAll(async () => {
  server = await startMlflowServer();
  work = temporary();
  line = makeLine(server);
  evidence = (await line.check(await train())).digest;
  for (const step of [
    () => line.register(),
    () => line.promote("1", "test"),
    () => line.approve("1", "prod"),
    () => line.promote("1", "prod"),
    () => line.release("1", "prod"),
  ]) {
    const said = await step();
    if (said.status !== 0) throw new Error(said.ran.stdout + said.ran.stderr);
  }
});
afterAll(async () => {
  line?.remove();
  remove(work);
  await server?.stop();
});

const look = async (environments: readonly string[]) =>
  seen.parse(
    JSON.parse(await run(server, "python", [join(import.meta.dirname, "judge.py"), line.model, ...environments])),
  );
const predict = async (uri: string): Promise<unknown> =>
  JSON.parse(
    await python(
      server,
      `import json, mlflow, pandas
print(json.dumps(mlflow.pyfunc.load_model("${uri}").predict(pandas.DataFrame({"x": [1, 2]})).tolist()))`,
    ),
  );

describe("MLflow's own client", () => {
  it("reads versions, aliases, tags and evidence in every environment, all of one digest", async () => {
    const found = await look(ENVIRONMENTS);
    expect(Object.keys(found)).toEqual(ENVIRONMENTS);
    const files = model.files.map((each) => each.path).sort();
    for (const [environment, { versions, objects, tags }] of Object.entries(found)) {
      expect(Object.keys(versions), environment).toEqual(["1"]);
      expect(versions["1"], environment).toMatchObject({ digest: model.digest, files });
      expect(versions["1"]?.tags, environment).toMatchObject({
        "factory.digest": model.digest,
        "factory.evidence": evidence,
        "factory.run": logged.runId,
        "factory.commit": line.commit(),
      });
      expect(tags["factory.ledger.head"], environment).toMatch(/^\d+:[0-9a-f]{64}$/);
      expect(objects[evidence], environment).toMatchObject({ kind: "evidence", index: evidence });
      for (const [digest, { index }] of Object.entries(objects)) expect(index, environment).toBe(digest);
      const bundles = Object.values(objects).filter((each) => each.kind === "bundle");
      expect(bundles, environment).toHaveLength({ dev: 0, test: 1, prod: 2 }[environment] ?? -1);
    }
    expect(found.dev?.aliases).toEqual({ challenger: "1" });
    expect(found.test?.aliases).toEqual({ challenger: "1" });
    expect(found.prod?.aliases).toEqual({ champion: "1" });
    expect(found.prod?.versions["1"]?.aliases).toEqual(["champion"]);
    expect(await predict(`models:/prod.${line.model}@champion`)).toEqual([3, 6]);
  });

  it("still loads prod after dev was deleted and collected, and prod's evidence, approvals and decisions still verify", async () => {
    const name = `dev.${line.model}`;
    const { experiment_id: own } = z
      .object({ experiment: z.object({ experiment_id: z.string() }) })
      .parse(
        await call(
          server,
          "GET",
          `experiments/get-by-name?experiment_name=${encodeURIComponent(`factory/dev/${line.model}`)}`,
        ),
      ).experiment;
    await call(server, "DELETE", "registered-models/delete", { name });
    await call(server, "POST", "runs/delete", { run_id: logged.runId });
    await call(server, "DELETE", `logged-models/${logged.loggedModelId}`);
    await call(server, "POST", "experiments/delete", { experiment_id: own });
    await run(server, "mlflow", [
      ...["gc", "--backend-store-uri", `sqlite:///${server.folder}/mlflow.db`],
      ...["--artifacts-destination", join(server.folder, "artifacts")],
    ]);
    await expect(predict(`models:/${logged.loggedModelId}`)).rejects.toThrow();
    expect(await open(server.uri).tracking.run(logged.runId)).toBeUndefined();

    expect(await predict(`models:/prod.${line.model}@champion`)).toEqual([3, 6]);
    const { prod } = await look(["prod"]);
    expect(prod?.versions["1"]?.digest).toBe(model.digest);

    // Somebody who has fetched nothing yet: all of it must come from the environments that are left.
    mkdirSync(join(work, "fresh"));
    const variables = { ...line.people.owner.variables, XDG_CACHE_HOME: join(work, "fresh") };
    const verified = await line.run("owner", ["verify"], { variables });
    const findings = z
      .object({
        bundles: z.object({ named: z.int(), good: z.int(), evidence: z.int() }),
        findings: z.array(z.object({ part: z.string(), verdict: z.string(), environment: z.string().optional() })),
      })
      .parse(verified.data);
    expect(findings.bundles, verified.ran.stdout).toEqual({ named: 3, good: 3, evidence: 1 });
    const against = findings.findings.filter((each) => each.verdict !== "note");
    expect(new Set(against.map((each) => `${each.part} of ${each.environment}`))).toEqual(new Set(["registry of dev"]));
    expect(verified.status).toBe(3);

    const to = join(work, "export");
    const exported = await line.run("owner", ["evidence", "export", "--all", "--to", to], { variables });
    expect(exported.status, exported.ran.stdout + exported.ran.stderr).toBe(0);
    const bin = await signatureJudges(line.variables);
    const outside = await runProcess({
      argv: [join(bin, "python"), "-E", "-s", join(to, "verify_all.py"), to, String(exported.data?.firstPolicy)],
      cwd: work,
      env: { PATH: "" },
      timeoutMs: 60_000,
    });
    expect(outside.status, outside.stdout + outside.stderr).toBe(0);
    const lines = outside.stdout.trim().split("\n");
    expect(lines.filter((each) => each.startsWith("ok   evidence"))).toHaveLength(1);
    expect(lines.filter((each) => each.startsWith("ok   bundle"))).toHaveLength(3);
    expect(readFileSync(join(to, "ledger.jsonl"), "utf8")).toBe(readFileSync(line.ledgerPath, "utf8"));
  });
});
