import type { EvidenceFacts, GateFact } from "../../src/evidence/facts.ts";
import type { Attachment } from "../../src/evidence/seal.ts";
import { sha256 } from "../../src/lib/hash.ts";

/** Manifest of a model of one file. */
export const MANIFEST = `${"c".repeat(64)}  MLmodel\n`;
export const DIGEST = { model: sha256(MANIFEST), rules: "b".repeat(64), data: "c".repeat(64), lock: "d".repeat(64) };
export const COMMIT = "1".repeat(40);

/** What a check of a small project finds. */
export const facts: EvidenceFacts = {
  v: 1,
  factory: { version: "0.1.0" },
  project: "claims-triage",
  run: { id: "3f2c".repeat(8), experiment: "claims-triage" },
  model: { name: "claims.triage", digest: DIGEST.model },
  commit: COMMIT,
  dirty: false,
  rules: { dev: DIGEST.rules, test: DIGEST.rules },
  data: [{ path: "data/claims.csv", sha256: DIGEST.data }],
  lock: DIGEST.lock,
  seed: 7,
  train: ["uv", "run", "python", "-m", "claims_triage.train"],
  thresholds: [{ name: "roc_auc", min: 0.62 }],
  champion: "first release",
  people: { since: null, commits: 2, people: [{ address: "author@example.com", known: true, changes: 2 }] },
  trainedAt: { started: "2026-11-25T10:00:00.000Z", finished: "2026-11-25T10:01:00.000Z" },
  started: "2026-11-25T10:02:00.000Z",
  finished: "2026-11-25T10:03:00.000Z",
};

export function gate(name: string, verdict: GateFact["verdict"]): GateFact {
  return {
    gate: name,
    verdict,
    summary: `${name} ${verdict}`,
    findings: [],
    cases: 3,
    startedAt: facts.started,
    finishedAt: facts.finished,
    durationMs: 100,
  };
}

export const gates: GateFact[] = [gate("unit", "pass"), gate("data", "fail"), gate("model", "error")];

export const attachments: Attachment[] = [
  { kind: "junit", name: "unit.xml", content: "<testsuites/>", gate: "unit" },
  { kind: "project", name: "factory.yaml", content: "factory: 1\n" },
  { kind: "wheel", name: "claims_triage-1.0.0-py3-none-any.whl", content: Buffer.from([80, 75, 3, 4]) },
  { kind: "model", name: "manifest.sha256", content: MANIFEST },
];
