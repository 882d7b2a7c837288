import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { files } from "../../fakes/workspace/files/tree.ts";
import type { FakeWorkspace } from "../../fakes/workspace/server.ts";
import { type MlflowServer, startMlflowServer } from "../../support/mlflow-server.ts";
import { type LineAnswer, makeLine, type SmallLine } from "../../support/small-line.ts";
import { comparable, type Exported, exported } from "./exported.ts";
import { startCatalogs, unityLine } from "./line-parts.ts";

let server: MlflowServer;
let fake: FakeWorkspace;
let unity: SmallLine;
let plain: SmallLine;

beforeAll(async () => {
  [server, fake] = await Promise.all([startMlflowServer(), startCatalogs()]);
  unity = await unityLine(server, fake);
  plain = makeLine(server, { signed: true });
}, 300_000);
afterAll(async () => {
  unity?.remove();
  plain?.remove();
  await fake?.stop();
  await server?.stop();
});

const TICKETS = {
  "CHG-1": { state: "approved", project: "claims-triage" },
  "CHG-2": { state: "approved", project: "claims-triage" },
};

/** The whole line twice, and what each command said. */
async function story(line: SmallLine): Promise<Record<string, LineAnswer>> {
  line.tickets(TICKETS);
  const said: Record<string, LineAnswer> = {};
  let served: { environment: string; version: string; digest: string; commit: string } | undefined;
  const say = async (name: string, answer: Promise<LineAnswer>) => {
    said[name] = await answer;
    const { status, against, ran } = said[name];
    expect(status, `${name}: ${against.join("; ")}${ran.stderr}`).toBe(0);
  };
  for (const [number, ticket] of [
    ["1", "CHG-1"],
    ["2", "CHG-2"],
  ] as const) {
    const trained = await line.train(`weights ${number}`);
    await line.check(trained, served === undefined ? {} : { facts: { champion: served } });
    await say(`register ${number}`, line.register());
    await say(`plan test ${number}`, line.promote(number, "test", "--dry-run"));
    await say(`promote test ${number}`, line.promote(number, "test"));
    await say(`approve ${number}`, line.approve(number, "prod", "approver", "--ticket", ticket));
    await say(`plan prod ${number}`, line.promote(number, "prod", "--ticket", ticket, "--dry-run"));
    await say(`promote prod ${number}`, line.promote(number, "prod", "--ticket", ticket));
    await say(`release plan ${number}`, line.release(number, "prod", "--dry-run"));
    await say(`release ${number}`, line.release(number, "prod"));
    served = { environment: "prod", version: number, digest: trained.digest, commit: line.commit() };
    await say(`status ${number}`, line.run("approver", ["status"]));
  }
  await say("rollback plan", line.rollback("prod", "--dry-run"));
  await say("rollback", line.rollback("prod"));
  await say("status", line.run("approver", ["status"]));
  await say("history", line.run("approver", ["history"]));
  await say("verify", line.run("approver", ["verify"]));
  return said;
}

test("the whole line in catalogs says and keeps what it does in MLflow", { timeout: 900_000 }, async () => {
  const there = await story(unity);
  const here = await story(plain);
  for (const [name, { data }] of Object.entries(there))
    expect(without(data, unity), name).toEqual(without(here[name]?.data, plain));
  const entries = (line: SmallLine) => line.ledger().map(({ seq, kind, by }) => ({ seq, kind, by }));
  expect(entries(unity)).toEqual(entries(plain));
  const chain = readFileSync(unity.ledgerPath, "utf8");
  expect(chain).not.toContain("dapi");

  // The same evidence: every file of it, and of every decision.
  const audit = await exported(unity, join(unity.root, "audit"));
  const beside = await exported(plain, join(plain.root, "audit"));
  expect(Object.keys(audit.texts)).toEqual(
    expect.arrayContaining(["evidence 1/evidence.json", "evidence 2/model/manifest.sha256", "bundle 5/decision.jsonl"]),
  );
  expect(audit.texts).toEqual(beside.texts);
  // What the model's bytes and the gates were is one text in both, digest for digest.
  const same = (each: Exported) =>
    [...each.digests].flatMap(([path, digest]) => (path.endsWith("manifest.sha256") ? [digest] : [])).sort();
  expect(same(audit)).toEqual(same(beside));
  // And what was exported is what lies in the volumes, byte for byte.
  const stored = [...files.of(fake.state).entries].flatMap(([key, { digest }]) => {
    const [, path] = /factory-evidence\/(.*)$/.exec(key) ?? [];
    return path === undefined ? [] : [{ path, digest, volume: key.split("/")[0] }];
  });
  expect(new Set(stored.map(({ volume }) => volume)).size).toBe(2);
  expect(stored.filter(({ path, digest }) => audit.digests.get(path) !== digest)).toEqual([]);
  expect(new Set(stored.map(({ path }) => path))).toEqual(new Set(audit.digests.keys()));
});

function without(data: unknown, line: SmallLine): unknown {
  return JSON.parse(comparable(JSON.stringify(data), line));
}
