import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import * as z from "zod";
import { openLedgerFile } from "../../src/clients/ledger-file.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import { readTextFile } from "../../src/lib/files.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { readApproval } from "../../src/promotion/facts-of-approvals.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import { makeLine, type SmallLine } from "../support/small-line.ts";

/** A candidate that is approved over a ticket, and registers beside copies of the policy. */
let server: MlflowServer;
let line: SmallLine;
let number: string;

const from = new Date(Date.now() - 3_600_000).toISOString();
const TICKET = { state: "approved", project: "claims-triage", environment: "prod", from };

beforeAll(async () => {
  server = await startMlflowServer();
  line = makeLine(server, {
    policy: (policy) => Object.assign(policy.riskTiers.medium?.prod ?? {}, { ticket: "required" }),
  });
  line.tickets({ "CHG-1": TICKET });
  number = await line.candidate();
  expect((await line.promote(number, "test")).against).toEqual([]);
});
afterAll(async () => {
  line?.remove();
  await server?.stop();
});

/** A copy of the policy in a folder, with its signatures and other tickets beside it. */
function copyIn(folder: string, tickets: Record<string, unknown>): string {
  mkdirSync(folder, { recursive: true });
  for (const name of ["policy.yaml", "policy.sigs.jsonl"]) cpSync(join(line.root, name), join(folder, name));
  writeFileSync(join(folder, "tickets.yaml"), JSON.stringify({ factory: 1, tickets }));
  return join(folder, "policy.yaml");
}
const elsewhere = (name: string) => join(line.people.ci.home, name);
const registerIn = (folder: string) => sha256(readTextFile(join(folder, "tickets.yaml"), "tickets"));
const promote = (...more: string[]) => line.promote(number, "prod", "--ticket", "CHG-1", ...more);
const entries = async () => (await openLedger(openLedgerFile(line.ledgerPath)).view()).entries;

it("what an approver read of the ticket is shown and signed", async () => {
  const planned = await line.approve(number, "prod", "approver", "--ticket", "CHG-1", "--dry-run");
  const digest = registerIn(line.root);
  expect(planned.verdicts.find((each) => each.rule === "ticket")?.why).toBe(
    `ticket CHG-1 is approved in tickets.yaml (sha256:${digest})`,
  );
  const shown = z
    .object({ ticketSeen: z.object({ state: z.string(), record: z.string(), register: z.unknown() }) })
    .parse(planned.data).ticketSeen;
  expect(shown).toMatchObject({ state: "approved", register: { name: "tickets.yaml", digest } });
  expect((await line.approve(number, "prod", "approver", "--ticket", "CHG-1")).against).toEqual([]);
  const entry = (await entries()).at(-1);
  if (entry?.kind !== "approved") throw new Error("it was approved");
  expect(readApproval(entry.body.envelope)?.ticketSeen).toEqual({ record: shown.record, register: digest });
});

it("a register that says otherwise when it may be done does not use that approval", async () => {
  const policy = copyIn(elsewhere("other"), { "CHG-1": { ...TICKET, from: undefined } });
  const said = await promote("--policy", policy);
  expect(said.status).toBe(3);
  expect(said.against.join()).toMatch(/approver@example.com: ticket CHG-1 was changed since: approve again/);
});

it("a copy of the policy below the policy brings no register of its own", async () => {
  const policy = copyIn(join(line.folder, "governance"), { "CHG-1": TICKET });
  const said = await promote("--policy", policy);
  expect(said).toMatchObject({ status: 2, error: { code: "tickets.copy" } });
});

it("what was read stands in the ledger, in whichever register it was", async () => {
  line.tickets({ "CHG-1": { ...TICKET, state: "rejected" } });
  expect((await promote()).against.join()).toMatch(/ticket: ticket CHG-1 is rejected in tickets\.yaml/);
  const folder = elsewhere("same");
  const said = await promote("--policy", copyIn(folder, { "CHG-1": TICKET, "CHG-2": TICKET }));
  expect(said.against).toEqual([]);
  const started = (await entries()).findLast((each) => each.kind === "promotion.started");
  if (started?.kind !== "promotion.started") throw new Error("it was promoted");
  expect(started.body.verdicts.find((each) => each.rule === "ticket")?.why).toBe(
    `ticket CHG-1 is approved in tickets.yaml (sha256:${registerIn(folder)})`,
  );
  expect(registerIn(folder)).not.toBe(registerIn(line.root));
  // Every decision is made again without a register: nothing is said against what the approver saw.
  expect((await line.run("second", ["verify"])).status).toBe(0);
});
