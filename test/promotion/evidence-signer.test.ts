import { readFileSync, rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { registrationKeys } from "../../src/audit/audit-evidence.ts";
import { openLedgerFile } from "../../src/clients/ledger-file.ts";
import type { Entry, Fact } from "../../src/ledger/entry.ts";
import { lineState } from "../../src/ledger/line-state.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import { judgeChain, viewOf } from "../../src/ledger/view.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { parseYaml } from "../../src/lib/yaml-document.ts";
import { policySchema } from "../../src/policy/policy.ts";
import { evidenceSigner, registrationOf } from "../../src/promotion/facts-of-evidence.ts";
import { chainOf, makePerson, opened, type Person, registered, signedPolicy } from "../support/line.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import { type LineAnswer, makeLine, type Name, type SmallLine } from "../support/small-line.ts";
import { call } from "./front-door.ts";

// A signature on evidence counts as of the entry by which its own key registered it.

const DAY_MS = 86_400_000;

describe("whose signature it is", () => {
  const owner = makePerson("owner@example.com");
  const later = makePerson("ci@example.com", { kind: "service", from: "2026-11-27" });
  const ended = makePerson("left@example.com", { until: "2026-11-26" });
  const record = signedPolicy({ people: [owner, later, ended] });
  const policy = parseYaml(record.text, "policy.yaml", policySchema);
  const evidence = sha256("evidence 1");
  /** Opened and registered by the owner, then registered by others on the days that are named. */
  const seen = (signer: Person, ...others: [by: Person, day: string][]) => {
    const { text } = chainOf([
      { fact: opened(record), by: owner },
      { fact: registered(1), by: owner },
      ...others.map(([by, day]) => ({ fact: registered(1), by, at: new Date(`2026-11-${day}T12:00:00.000Z`) })),
    ]);
    const { view } = judgeChain(text, Buffer.alloc(0), "claims-triage");
    expect(view.problems).toEqual([]);
    const { keyId } = signer.signer;
    const found = evidenceSigner(policy, keyId, registrationOf(lineState(view.entries), evidence));
    // An audit takes the very same keys.
    expect(registrationKeys(view, evidence)(keyId) !== undefined).toBe(!("problem" in found));
    return found;
  };

  it("that of who registered it", () => expect(seen(owner)).toEqual({ address: "owner@example.com", kind: "person" }));
  it("that of a key which began after the first registration, by its own", () =>
    expect(seen(later, [later, "28"])).toEqual({ address: "ci@example.com", kind: "service" }));
  it("that of a key which has ended since, by its own registration before", () =>
    expect(seen(ended, [ended, "26"])).toEqual({ address: "left@example.com", kind: "person" }));
  it("not that of a key which has ended and registered nothing, though others did while it counted", () =>
    expect(seen(ended, [owner, "26"])).toEqual({
      problem: expect.stringMatching(/no entry .* registers it by that key/),
    }));
});

describe("through the front door", () => {
  let server: MlflowServer;
  let line: SmallLine;
  beforeAll(async () => {
    server = await startMlflowServer();
    line = makeLine(server, {
      policy: (policy, { ci }) => {
        const today = new Date().toISOString().slice(0, 10);
        const service = { kind: "service" as const, keys: [{ key: ci.signer.publicKey, from: today }] };
        policy.people = { ...policy.people, "ci@example.com": service };
      },
    });
  });
  afterAll(async () => {
    line?.remove();
    await server?.stop();
  });

  /** The chain as it would be had all of it been written three days ago. */
  async function beforehand(): Promise<void> {
    const { entries } = viewOf(readFileSync(line.ledgerPath));
    rmSync(line.ledgerPath);
    const ledger = openLedger(openLedgerFile(line.ledgerPath));
    const { author } = line.people;
    let head: Pick<Entry, "seq" | "hash"> = (await ledger.view()).head;
    for (const entry of entries) {
      const at = new Date(Date.parse(entry.at) - 3 * DAY_MS);
      if (entry.kind !== "opened" && entry.kind !== "registered") throw new Error(`a ${entry.kind} is there`);
      const fact: Fact =
        entry.kind === "opened" ? { kind: entry.kind, body: entry.body } : { kind: entry.kind, body: entry.body };
      const written = await ledger.append(fact, { by: author.address, signer: author.signer }, head, at);
      if (written === undefined) throw new Error("the ledger moved");
      head = { seq: written.seq, hash: written.hash };
    }
    await call(line, "DELETE", "registered-models/delete-tag", {
      name: `dev.${line.model}`,
      key: "factory.ledger.head",
    });
  }
  const signer = ({ verdicts }: LineAnswer) => verdicts.find((each) => each.rule === "evidence signer");
  const look = () => line.approve("1", "prod", "approver", "--dry-run");

  it("whoever is accepted registers again, and counts from then on; the same key again adds nothing", async () => {
    await line.check(await line.train());
    expect((await line.register("author")).data?.version).toBe("1");
    await beforehand();
    expect(signer(await look())?.verdict).toBe("no");
    const again = async (who: Name) => {
      const { data, against } = await line.register(who);
      expect(against).toEqual([]);
      return data;
    };
    expect(await again("ci")).toMatchObject({ version: "1", entry: 3 });
    expect(signer(await look())).toMatchObject({ verdict: "yes", why: "signed by ci@example.com" });
    expect(await again("ci")).toMatchObject({ version: "1", entry: 3 });
    expect(await again("author")).toMatchObject({ version: "1", entry: 2 });
    expect(line.ledger().map(({ kind, by }) => `${kind} ${by}`)).toEqual([
      "opened author@example.com",
      "registered author@example.com",
      "registered ci@example.com",
    ]);
  });

  it("who registered it does not approve it with a newer key, when the older one was taken out of the policy", async () => {
    const own = makeLine(server);
    try {
      await own.check(await own.train());
      for (const who of ["approver", "ci"] as const) expect((await own.register(who)).status).toBe(0);
      own.writePolicy((policy) => {
        policy.version = 2;
        const { "second@example.com": newer, "approver@example.com": older, ...others } = policy.people ?? {};
        policy.people = { ...others, "approver@example.com": { ...older, keys: newer?.keys } };
        policy.roles = { ...policy.roles, "model-risk": ["approver@example.com"] };
      });
      const { verdicts } = await own.approve("1", "prod", "second", "--dry-run");
      const of = (rule: string) => verdicts.find((each) => each.rule === rule);
      expect(of("evidence signer")).toMatchObject({ verdict: "yes", why: "signed by ci@example.com" });
      expect(of("approver")).toMatchObject({
        verdict: "no",
        why: "approver@example.com signed the evidence: somebody else must approve",
      });
    } finally {
      own.remove();
    }
  });
});
