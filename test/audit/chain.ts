import type { Fact } from "../../src/ledger/entry.ts";
import { lineState } from "../../src/ledger/line-state.ts";
import { type LedgerView, viewOf } from "../../src/ledger/view.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { chainOf, makePerson, opened, registered, type Said, signedPolicy } from "../support/line.ts";

export const owner = makePerson("owner@example.com");
export const ci = makePerson("ci@example.com", { kind: "service" });
export const POLICY = signedPolicy({ people: [owner, ci] });

const START = Date.parse("2026-11-25T08:00:00.000Z");
/** A moment, in minutes after the first entry. */
export const minutes = (n: number) => new Date(START + n * 60_000);

/** Facts in order, each with its minute; an approval and its withdrawal are the owner's, everything else CI's. */
export function chain(facts: readonly { fact: Fact; minute: number }[], project?: string) {
  const said: Said[] = [{ fact: opened(POLICY), minute: 0 }, ...facts].map(({ fact, minute }) => ({
    fact,
    by: fact.kind.startsWith("approv") ? owner : ci,
    at: minutes(minute),
  }));
  const { text } = chainOf(said);
  const view = viewOf(text, Buffer.alloc(0), project);
  return { view, state: lineState(view.entries) };
}

export type Chain = { view: LedgerView; state: ReturnType<typeof lineState> };

const model = "claims.triage";
const placed = (n: number) => ({ version: String(n), digest: sha256(`model ${n}`), createdAt: 1000 + n });
const common = (n: number, environment: string) => ({ model, digest: sha256(`model ${n}`), environment });
const none: string[] = [];
const decided = { rules: sha256("rules"), policy: POLICY.digest, approvals: none, verdicts: [] };

/** Registered and promoted to prod; `seq` is that of its first entry. */
export function promoted(n: number, seq: number, minute: number): { fact: Fact; minute: number }[] {
  const evidence = sha256(`evidence ${n}`);
  return [
    { fact: registered(n), minute },
    {
      fact: {
        kind: "promotion.started",
        body: {
          ...common(n, "prod"),
          ...decided,
          evidence,
          from: { environment: "dev", version: String(n) },
          target: `prod.${model}`,
          highest: n - 1,
          ticket: `CHG-${n}`,
        },
      },
      minute,
    },
    {
      fact: {
        kind: "promoted",
        body: {
          ...common(n, "prod"),
          started: seq + 1,
          version: String(n),
          createdAt: 1000 + n,
          evidence,
          bundle: sha256(`promotion ${n}`),
        },
      },
      minute,
    },
  ];
}

/** Released over what served before; `seq` is that of its first entry. */
export function released(n: number, before: number | "none", seq: number, minute: number) {
  const rollback = before === "none" ? "none" : { ...placed(before), signature: "compatible" as const };
  const facts: { fact: Fact; minute: number }[] = [
    {
      fact: {
        kind: "release.started",
        body: {
          ...common(n, "prod"),
          ...decided,
          version: String(n),
          strategy: "direct",
          evidence: sha256(`evidence ${n}`),
          ticket: `CHG-${n}`,
          champion: before === "none" ? "none" : placed(before),
          rollback,
        },
      },
      minute,
    },
    {
      fact: {
        kind: "released",
        body: {
          ...common(n, "prod"),
          started: seq,
          version: String(n),
          createdAt: 1000 + n,
          strategy: "direct",
          rollback,
          bundle: sha256(`release ${n}`),
        },
      },
      minute,
    },
  ];
  return facts;
}

/** Deployed; `seq` is that of its first entry. `ended`: false leaves out that it came to its end. */
export function deployed(n: number, seq: number, minute: number, ended = true): { fact: Fact; minute: number }[] {
  const body = { ...common(n, "prod"), version: String(n), files: sha256(`files ${n}`), wheel: sha256(`wheel ${n}`) };
  const tool = "databricks 1.13.0";
  const begun: Fact = {
    kind: "deploy.started",
    body: {
      ...body,
      ...decided,
      tool,
      evidence: sha256(`evidence ${n}`),
      ticket: `CHG-${n}`,
      workspace: "https://adb-1.azuredatabricks.net",
    },
  };
  const done: Fact = { kind: "deployed", body: { ...body, tool, started: seq } };
  return [{ fact: begun, minute }, ...(ended ? [{ fact: done, minute }] : [])];
}

/** Rolled back; `seq` is that of its first entry, `undoes` that of the release. */
export function rolledback(
  from: number,
  to: number | "none",
  seq: number,
  undoes: number,
  minute: number,
  more: { detectedAt?: string; effectiveAt?: string } = {},
): { fact: Fact; minute: number }[] {
  const { effectiveAt, ...detected } = more;
  const body = {
    ...common(from, "prod"),
    undoes,
    to: to === "none" ? ("none" as const) : placed(to),
    reason: "escalations doubled",
    ...detected,
  };
  return [
    { fact: { kind: "rollback.started", body: { ...body, from: placed(from) } }, minute },
    {
      fact: {
        kind: "rolledback",
        body: { ...body, started: seq, ...(effectiveAt !== undefined && { effectiveAt }) },
      },
      minute,
    },
  ];
}
