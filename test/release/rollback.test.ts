import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { openMlflow } from "../../src/clients/mlflow/open-mlflow.ts";
import type { EvidenceFacts } from "../../src/evidence/facts.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import { makeLine, putArtifact, type SmallLine } from "../support/small-line.ts";

describe("release and rollback", () => {
  let server: MlflowServer;
  const lines: SmallLine[] = [];
  beforeAll(async () => {
    server = await startMlflowServer();
  });
  afterAll(async () => {
    for (const line of lines) line.remove();
    await server.stop();
  });

  const make = (wish: Parameters<typeof makeLine>[1] = {}): SmallLine => {
    const line = makeLine(server, wish);
    lines.push(line);
    return line;
  };
  const champion = async (line: SmallLine, environment = "prod") =>
    (await openMlflow(server.uri, { variables: {} }).registry.model(`${environment}.${line.model}`))?.aliases.champion;

  /** A candidate in test and prod, released there. */
  async function released(line: SmallLine, text: string, facts: Partial<EvidenceFacts> = {}): Promise<string> {
    const number = await line.candidate({ text, facts });
    await good(line.promote(number, "test"));
    await good(line.approve(number, "prod"));
    await good(line.promote(number, "prod"));
    await good(line.release(number, "prod"));
    return number;
  }
  async function good(answer: ReturnType<SmallLine["register"]>) {
    const given = await answer;
    expect(given.status, JSON.stringify(given.against)).toBe(0);
    return given.data ?? {};
  }

  it("a first release that is rolled back leaves no champion, and history says which release it undoes", async () => {
    const line = make();
    await released(line, "one");
    expect(await champion(line)).toBe("1");
    const back = await good(line.rollback("prod", "--incident", "INC-77"));
    expect(back).toMatchObject({
      outcome: "rolledback",
      to: "none",
      incident: "INC-77",
      undoes: line.ledger().at(-3)?.seq,
    });
    expect(back).not.toHaveProperty("detectedToRestoredMs");
    expect(await champion(line)).toBeUndefined();
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

  /** What evidence says of the champion that it was compared with. */
  async function comparedWith(line: SmallLine, version: string): Promise<Partial<EvidenceFacts>> {
    const found = await openMlflow(server.uri, { variables: {} }).registry.version(`prod.${line.model}`, version);
    const digest = found?.tags["factory.digest"] ?? "";
    return { champion: { environment: "prod", version, digest, commit: line.commit() } };
  }

  it("a second release goes back to the first, whatever freeze there is", async () => {
    const line = make();
    await released(line, "one");
    await released(line, "two", await comparedWith(line, "1"));
    expect(await champion(line)).toBe("2");
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
    expect(await champion(line)).toBe("1");
    // Somebody else on call, a moment later.
    const second = await line.run("owner", ["rollback", "--env", "prod", "--reason", "it is down", "--yes"]);
    expect(second.status).toBe(3);
    expect(second.against.join()).toContain("serves since the rollback of ci@example.com");
    expect(await champion(line)).toBe("1");
    expect(await good(line.rollback("prod", "--further", "--incident", "INC-1"))).toMatchObject({ to: "none" });
    expect(await champion(line)).toBeUndefined();
  });

  it("without a reason, for an unknown environment, detected in the future: wrong flags", async () => {
    const line = make();
    await released(line, "one");
    for (const args of [
      ["rollback", "--env", "prod"],
      ["rollback", "--env", "prod", "--reason", "x"],
      ["rollback", "--env", "moon", "--reason", "a good one"],
      ["rollback", "--env", "prod", "--reason", "a good one", "--detected-at", "2099-01-01"],
      ["release", "1", "--env", "prod", "--strategy", "canary"],
    ])
      expect((await line.run("ci", args)).status, args.join(" ")).toBe(2);
    expect(await champion(line)).toBe("1");
  });

  it("a target whose bytes were changed is refused", async () => {
    const line = make();
    await released(line, "one");
    await released(line, "two", await comparedWith(line, "1"));
    const registry = openMlflow(server.uri, { variables: {} }).registry;
    const version = await registry.version(`prod.${line.model}`, "1");
    if (version === undefined) throw new Error("no version");
    const asked = `${server.uri}/api/2.0/mlflow/model-versions/get-download-uri?name=prod.${line.model}&version=1`;
    const { artifact_uri: uri } = z.object({ artifact_uri: z.string() }).parse(await (await fetch(asked)).json());
    await putArtifact(server.uri, `${uri.replace("mlflow-artifacts:/", "")}/data/weights`, "other bytes");
    const back = await line.rollback("prod");
    expect(back.status).toBe(3);
    expect(back.against.join("\n")).toContain("they were changed");
    expect(await champion(line)).toBe("2");
  });

  it("goes on when the ledger is gone, says so, and the next command of the same person records it", async () => {
    const line = make();
    await released(line, "one");
    await released(line, "two", await comparedWith(line, "1"));
    const kept = `${line.ledgerPath}.kept`;
    const entries = line.ledger().length;
    renameSync(line.ledgerPath, kept);
    const back = await good(line.rollback("prod"));
    expect(back).toMatchObject({ outcome: "unrecorded", from: { version: "2" }, to: { version: "1" } });
    expect(await champion(line)).toBe("1");
    expect(existsSync(line.ledgerPath)).toBe(false);
    const pending = join(line.folder, ".factory", "pending");
    expect(readdirSync(pending)).toHaveLength(1);
    // Nothing else may be decided on a ledger that is gone.
    expect((await line.release("2", "prod")).status).not.toBe(0);
    rmSync(line.ledgerPath, { force: true });
    renameSync(kept, line.ledgerPath);
    // A dry run knows what waits, and leaves it there.
    const other = ["rollback", "--env", "prod", "--reason", "it is down", "--yes", "--dry-run"];
    const dry = await line.run("ci", other);
    expect(dry.status).toBe(3);
    expect(dry.against.join()).toContain("v1 serves since the rollback of ci@example.com");
    const numbers = `${entries + 1}, ${entries + 2}`;
    const told = "the rollback of v2 in prod that";
    expect(dry.ran.stderr).toContain(`${told} waits would be written into the ledger first: entries ${numbers}`);
    expect(dry.data).not.toHaveProperty("recorded");
    expect(readdirSync(pending)).toHaveLength(1);
    expect(line.ledger()).toHaveLength(entries);
    // Also a command that is refused puts it there, and says so.
    const refused = await line.promote("2", "prod");
    expect(refused).toMatchObject({ status: 3, data: { outcome: "refused", recorded: [entries + 1, entries + 2] } });
    expect(refused.ran.stderr).toContain(`${told} waited was written into the ledger: entries ${numbers}`);
    expect(readdirSync(pending)).toHaveLength(0);
    await line.candidate({ text: "three", facts: await comparedWith(line, "1") });
    const kinds = line
      .ledger()
      .slice(entries)
      .map((each) => each.kind);
    expect(kinds).toEqual(["rollback.started", "rolledback", "registered"]);
    const last = readFileSync(line.ledgerPath, "utf8")
      .split("\n")
      .find((text) => text.includes('"effectiveAt"'));
    expect(last).toContain('"version":"1"');
  });

  it("a pending rollback that was changed by hand is not recorded", async () => {
    const line = make();
    await released(line, "one");
    const kept = `${line.ledgerPath}.kept`;
    renameSync(line.ledgerPath, kept);
    await good(line.rollback("prod"));
    renameSync(kept, line.ledgerPath);
    const folder = join(line.folder, ".factory", "pending");
    const path = join(folder, readdirSync(folder)[0] ?? "");
    writeFileSync(path, readFileSync(path, "utf8").replace("escalations doubled", "escalations halved"));
    const next = await line.register();
    expect(next.status).toBe(2);
    expect(next.against.join("\n") + JSON.stringify(next.error)).toContain("its signature does not hold");
  });

  it("a dry run of a promotion plans what the promotion writes", async () => {
    const line = make();
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
    const line = make();
    const number = await released(line, "one");
    const entries = line.ledger().length;
    expect(await good(line.release(number, "prod"))).toMatchObject({ outcome: "released", again: true });
    expect(line.ledger()).toHaveLength(entries);
  });

  it("a withdrawal that may not be made is refused by a dry run too", async () => {
    const line = make();
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
