import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import { removeModelFiles, writeModelFile } from "../support/model-bytes.ts";
import type { LineAnswer, SmallLine } from "../support/small-line.ts";
import { good as answered, LineInProd } from "./line-in-prod.ts";

describe("release and rollback", () => {
  let server: MlflowServer;
  let at: LineInProd;
  beforeAll(async () => {
    server = await startMlflowServer();
  });
  afterEach(() => at?.remove());
  afterAll(() => server?.stop());

  const make = async (): Promise<SmallLine> => {
    at = await LineInProd.make(server);
    return at.line;
  };
  const good = async (answer: Promise<LineAnswer>) => (await answered(answer)).data ?? {};

  it("a first release that is rolled back leaves no champion, and history says which release it undoes", async () => {
    const line = await make();
    await at.release("one");
    expect(await at.champion()).toBe("1");
    const back = await good(line.rollback("prod", "--incident", "INC-77"));
    expect(back).toMatchObject({
      outcome: "rolledback",
      to: "none",
      incident: "INC-77",
      undoes: line.ledger().at(-3)?.seq,
    });
    expect(back).not.toHaveProperty("detectedToRestoredMs");
    expect(await at.champion()).toBeUndefined();
    const again = await line.rollback("prod");
    const why =
      /^serving: nothing serves in prod: v1 was rolled back at \S+ by ci@example.com \(entry \d+\), and scoring refuses$/;
    expect(again).toMatchObject({ status: 3, against: [expect.stringMatching(why)] });
    expect(again.verdicts.map((each) => each.rule)).toEqual(["serving", "actor"]);
    // Whoever lets the next one serve is told what became of this one.
    const gone = { version: "1", at: expect.any(String) };
    const number = await line.candidate({ text: "two" });
    await good(line.promote(number, "test"));
    const approved = await good(line.approve(number, "prod"));
    expect(approved).toMatchObject({ gone, rulesSince: { version: "1", same: true } });
    expect(await good(line.promote(number, "prod"))).toMatchObject({ gone });
    const said = await line.release(number, "prod");
    expect(said.data).toMatchObject({ outcome: "released", gone, rollback: null });
    expect(said.verdicts.find((each) => each.rule === "rollback target")?.why).toMatch(/since v1 was rolled back/);
    expect(await good(line.promote(number, "prod"))).not.toHaveProperty("gone");
  });

  it("a second release goes back to the first, whatever freeze there is", async () => {
    const line = await make();
    await at.release("one");
    await at.release("two");
    expect(await at.champion()).toBe("2");
    line.writePolicy((policy) => {
      policy.version += 1;
      for (const environment of policy.environments) environment.freeze = ["2020-01-01/2099-12-31"];
    });
    const frozen = await line.release("1", "prod");
    expect(frozen).toMatchObject({ status: 3 });
    expect(frozen.against.join("\n")).toContain("freeze: ");
    const seen = new Date(Date.now() - 60_000).toISOString();
    const back = await good(line.rollback("prod", "--detected-at", seen));
    expect(back).toMatchObject({ from: { version: "2" }, to: { version: "1" } });
    expect(Number(back.detectedToRestoredMs)).toBeGreaterThanOrEqual(60_000);
    expect(Number(back.detectedToRestoredMs)).toBeLessThan(120_000);
    expect(await at.champion()).toBe("1");
    // Somebody else on call, a moment later.
    const second = await line.run("owner", ["rollback", "--env", "prod", "--reason", "it is down", "--yes"]);
    expect(second.status).toBe(3);
    expect(second.against.join()).toContain("serves since the rollback of ci@example.com");
    expect(await at.champion()).toBe("1");
    expect(await good(line.rollback("prod", "--further", "--incident", "INC-1"))).toMatchObject({ to: "none" });
    expect(await at.champion()).toBeUndefined();
  });

  it("without a reason, for an unknown environment, detected in the future: wrong flags", async () => {
    const line = await make();
    await at.release("one");
    for (const args of [
      ["rollback", "--env", "prod"],
      ["rollback", "--env", "prod", "--reason", "x"],
      ["rollback", "--env", "moon", "--reason", "a good one"],
      ["rollback", "--env", "prod", "--reason", "a good one", "--detected-at", "2099-01-01"],
      ["release", "1", "--env", "prod", "--strategy", "canary"],
    ])
      expect((await line.run("ci", args)).status, args.join(" ")).toBe(2);
    expect(await at.champion()).toBe("1");
  });

  it("a target whose bytes were changed is refused", async () => {
    const line = await make();
    await at.release("one");
    await at.release("two");
    await writeModelFile(server.uri, `prod.${line.model}`, "1", "data/weights", "other bytes");
    const back = await line.rollback("prod");
    expect(back.status).toBe(3);
    expect(back.against.join("\n")).toContain("they were changed");
    expect(await at.champion()).toBe("2");
  });

  it("a version whose bytes are gone is replaced by a good one, which says that there is no way back to it", async () => {
    const line = await make();
    await at.release("one");
    const two = await at.promote("two");
    await removeModelFiles(server.uri, `prod.${line.model}`, "1");
    const said = await answered(line.release(two, "prod"));
    expect(said.data).toMatchObject({ before: "1", rollback: { version: "1", signature: "not stated" } });
    expect(said.ran.stderr).toContain("v1, which serves now, has no bytes any more: no rollback can go back to it");
    expect(await at.champion()).toBe("2");
    const back = await line.rollback("prod");
    expect(back).toMatchObject({
      status: 3,
      against: [expect.stringContaining("v1 is not in the registry any more, or has no bytes")],
    });
  });

  it("goes on when the ledger is gone, says so, and the next command of the same person records it", async () => {
    const line = await make();
    await at.release("one");
    await at.release("two");
    const entries = line.ledger().length;
    at.ledgerGone();
    const back = await good(line.rollback("prod"));
    expect(back).toMatchObject({ outcome: "unrecorded", from: { version: "2" }, to: { version: "1" } });
    expect(await at.champion()).toBe("1");
    expect(existsSync(line.ledgerPath)).toBe(false);
    expect(at.pending()).toHaveLength(1);
    // Nothing else may be decided on a ledger that is gone.
    expect((await line.release("2", "prod")).status).not.toBe(0);
    at.ledgerBack();
    // A dry run knows what waits, and leaves it there.
    const other = ["rollback", "--env", "prod", "--reason", "it is down", "--yes", "--dry-run"];
    const dry = await line.run("ci", other);
    expect(dry.status).toBe(3);
    expect(dry.against.join()).toContain("v1 serves since the rollback of ci@example.com");
    const numbers = `${entries + 1}, ${entries + 2}`;
    const told = "the rollback of v2 in prod that";
    expect(dry.ran.stderr).toContain(`${told} waits would be written into the ledger first: entries ${numbers}`);
    expect(dry.data).not.toHaveProperty("recorded");
    expect(at.pending()).toHaveLength(1);
    expect(line.ledger()).toHaveLength(entries);
    // Also a command that is refused puts it there, and says so.
    const refused = await line.promote("2", "prod");
    expect(refused).toMatchObject({ status: 3, data: { outcome: "refused", recorded: [entries + 1, entries + 2] } });
    expect(refused.ran.stderr).toContain(`${told} waited was written into the ledger: entries ${numbers}`);
    expect(at.pending()).toHaveLength(0);
    await at.candidate("three");
    expect(at.kinds(entries)).toEqual(["rollback.started", "rolledback", "registered"]);
    const last = readFileSync(line.ledgerPath, "utf8")
      .split("\n")
      .find((text) => text.includes('"effectiveAt"'));
    expect(last).toContain('"version":"1"');
  });

  it("a pending rollback that was changed by hand is not recorded", async () => {
    const line = await make();
    await at.release("one");
    at.ledgerGone();
    await good(line.rollback("prod"));
    at.ledgerBack();
    const folder = join(line.folder, ".factory", "pending");
    const path = join(folder, readdirSync(folder)[0] ?? "");
    writeFileSync(path, readFileSync(path, "utf8").replace("escalations doubled", "escalations halved"));
    const next = await line.register();
    expect(next.status).toBe(2);
    expect(next.against.join("\n") + JSON.stringify(next.error)).toContain("its signature does not hold");
  });

  it("a dry run of a promotion plans what the promotion writes", async () => {
    const line = await make();
    const number = await line.candidate({ text: "one" });
    const dry = () => line.promote(number, "test", "--dry-run");
    const before = line.ledger().length;
    expect(await good(dry())).toMatchObject({ would: { version: true, alias: true, entries: 2 } });
    const entry = (await good(line.promote(number, "test"))).entry;
    expect(line.ledger()).toHaveLength(before + 2);
    const again = await good(dry());
    expect(again).toMatchObject({ outcome: "planned", already: true, entry });
    expect(again).not.toHaveProperty("would");
    expect(await good(line.promote(number, "test"))).toMatchObject({ already: true, entry });
    expect(line.ledger()).toHaveLength(before + 2);
  });

  it("a version that serves is released again without a word to the ledger", async () => {
    const line = await make();
    const number = await at.release("one");
    const entries = line.ledger().length;
    expect(await good(line.release(number, "prod"))).toMatchObject({ outcome: "released", again: true });
    expect(line.ledger()).toHaveLength(entries);
  });

  it("a withdrawal that may not be made is refused by a dry run too", async () => {
    const line = await make();
    const number = await line.candidate({ text: "one" });
    await good(line.promote(number, "test"));
    expect(await good(line.approve(number, "prod"))).toMatchObject({ next: { step: "promote", roles: [] } });
    const args = ["approve", "withdraw", number, "--to", "prod", "--reason", "a complaint"];
    for (const more of [["--dry-run"], []]) {
      expect((await line.run("second", [...args, ...more])).status).toBe(3);
    }
    expect((await line.run("approver", [...args, "--dry-run"])).status).toBe(0);
    expect((await line.promote(number, "prod", "--dry-run")).status).toBe(0);
    await good(line.run("approver", args));
    expect((await line.promote(number, "prod")).against.join()).toContain("withdrawn");
  });
});
