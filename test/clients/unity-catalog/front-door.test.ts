import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { FakeWorkspace } from "../../fakes/workspace/server.ts";
import { type MlflowServer, startMlflowServer } from "../../support/mlflow-server.ts";
import { type LineAnswer, makeLine, type SmallLine } from "../../support/small-line.ts";
import { startCatalogs, unityLine } from "./line-parts.ts";

let server: MlflowServer;
let fake: FakeWorkspace;
let unity: SmallLine;
let plain: SmallLine;

beforeAll(async () => {
  [server, fake] = await Promise.all([startMlflowServer(), startCatalogs()]);
  unity = unityLine(server, fake);
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

test("the whole line in catalogs says what it says in MLflow", { timeout: 900_000 }, async () => {
  const there = await story(unity);
  const here = await story(plain);
  for (const [name, answer] of Object.entries(there))
    expect(comparable(answer.data, unity), name).toEqual(comparable(here[name]?.data, plain));
  const entries = (line: SmallLine) => line.ledger().map(({ seq, kind, by }) => ({ seq, kind, by }));
  expect(entries(unity)).toEqual(entries(plain));
  const chain = readFileSync(unity.ledgerPath, "utf8");
  expect(chain).not.toContain("dapi");
});

/** The answer without what two runs never share: digests, times, addresses, names of catalogs. */
function comparable(data: unknown, line: SmallLine): unknown {
  const text = JSON.stringify(data)
    .replaceAll(line.model, "MODEL")
    .replaceAll(/acme_(test|prod)/g, "$1")
    .replaceAll(line.root, "ROOT")
    .replaceAll(/http:\/\/127\.0\.0\.1:\d+(?: \(profile \w+\))?/g, "PLACE")
    .replaceAll(/[0-9a-f]{12,64}…?/g, "DIGEST")
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
    .replaceAll(/\b\d+ min old\b/g, "some min old")
    .replaceAll(/\b1[78]\d{11}\b/g, "0");
  return JSON.parse(text);
}
