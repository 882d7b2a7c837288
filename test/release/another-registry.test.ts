import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import type { LineAnswer, SmallLine } from "../support/small-line.ts";
import { good, LineInProd } from "./line-in-prod.ts";

// A registry that is not the one of the ledger, or was changed beside it, and a ledger that was cut: what release and rollback make of them.

let server: MlflowServer;
let at: LineInProd;
beforeAll(async () => {
  server = await startMlflowServer();
}, 300_000);
afterEach(() => at?.remove());
afterAll(() => server?.stop());

/** A line whose first candidate serves in prod. */
async function released(): Promise<SmallLine> {
  at = await LineInProd.make(server);
  await at.release("one");
  return at.line;
}
async function call(method: string, path: string, body: Record<string, string>): Promise<void> {
  const init = { method, body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  const reply = await fetch(`${server.uri}/api/2.0/mlflow/${path}`, init);
  expect(reply.status, await reply.text()).toBe(200);
}
const findings = ({ data }: LineAnswer) =>
  z
    .object({ findings: z.array(z.object({ message: z.string() })) })
    .parse(data)
    .findings.map((each) => each.message);

test("a rollback touches no alias of a registry that only has the same names", { timeout: 120_000 }, async () => {
  const line = await released();
  const name = `prod.${line.model}`;
  // As the server of another project in the place of this one's: the same names and numbers.
  await call("DELETE", "registered-models/delete", { name });
  await call("POST", "registered-models/create", { name });
  await call("POST", "model-versions/create", { name, source: `models:/dev.${line.model}/1` });
  await call("POST", "registered-models/alias", { name, alias: "champion", version: "1" });
  const entries = line.ledger().length;
  for (const more of [["--dry-run"], []]) {
    const refused = await line.rollback("prod", ...more);
    expect(refused.status).toBe(3);
    expect(refused.against.join()).toContain("it is another registry than the one that was released to");
  }
  expect(await at.champion()).toBe("1");
  expect(line.ledger()).toHaveLength(entries);
});

test("a version of which only the ledger says that it serves is not said to serve", { timeout: 120_000 }, async () => {
  const line = await released();
  await good(line.release("1", "prod"));
  expect((await good(line.release("1", "prod", "--dry-run"))).data).toMatchObject({ again: true });
  await call("DELETE", "registered-models/alias", { name: `prod.${line.model}`, alias: "champion" });
  for (const more of [["--dry-run"], []]) {
    const refused = await line.release("1", "prod", ...more);
    expect(refused.status).toBe(3);
    expect(refused.against.join()).toContain("alias champion of prod is none in the registry, but v1 in the ledger");
  }
  // What is wrong must be able to go back on the worst days: the anchor says that this is the registry.
  expect((await good(line.rollback("prod"))).data).toMatchObject({ outcome: "rolledback", to: "none" });
});

test("a rollback after entries were cut off does not hide that they are missing", { timeout: 120_000 }, async () => {
  const line = await released();
  await good(line.rollback("prod"));
  const whole = readFileSync(line.ledgerPath, "utf8").trimEnd().split("\n");
  writeFileSync(line.ledgerPath, `${whole.slice(0, -2).join("\n")}\n`);
  const again = await good(line.run("owner", ["rollback", "--env", "prod", "--reason", "a harmless one", "--yes"]));
  expect(again.ran.stderr).toContain("but prod was written to when it had");
  const verified = await line.run("ci", ["verify"]);
  expect(verified.status).toBe(3);
  expect(findings(verified).join()).toMatch(/is not the one that prod was anchored to: history was changed/);
});
