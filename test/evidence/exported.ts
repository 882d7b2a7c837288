import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { approvalStatement } from "../../src/evidence/approval.ts";
import { planBundle } from "../../src/evidence/bundle.ts";
import { decisionStatement } from "../../src/evidence/decision.ts";
import type { GateFact } from "../../src/evidence/facts.ts";
import { putBundle, putEvidence } from "../../src/evidence/objects.ts";
import { readEvidence } from "../../src/evidence/read-evidence.ts";
import { sealEvidence } from "../../src/evidence/seal.ts";
import { signEvidence } from "../../src/evidence/sign-evidence.ts";
import { signStatement } from "../../src/evidence/signed-statement.ts";
import type { Fact } from "../../src/ledger/entry.ts";
import type { Envelope } from "../../src/lib/dsse.ts";
import type { Signer } from "../../src/lib/signing.ts";
import { ALL_BEFORE, chainOf } from "./chain.ts";
import { attachments, DIGEST, facts, gate, MANIFEST } from "./sample.ts";
import { approvalOf, decisionOf, memoryStore, newSigner, POLICY, people, policyRecordOf, policyText } from "./world.ts";

export interface LineOptions {
  later?: boolean;
  /** That policy was adopted between the start of the promotion and its end. */
  between?: boolean;
  /** What the evidence says of its gates. */
  gates?: readonly GateFact[];
  /** Other parts of the bundle, by who holds keys that count; the ledger names the bundle that comes of them. */
  forge?(evidence: string, approval: Envelope): Partial<Parameters<typeof planBundle>[0]>;
}

const PASSED = ["unit", "data", "model"].map((name) => gate(name, "pass"));
const keys = { ...people, approver: newSigner(), ci: newSigner() };
export const LATER = { ...keys, policy: policyRecordOf(policyText(keys, 2), people.owner) };

/**
 * A line from `opened` to `promoted`, with its evidence and bundle in a store. `later`: after the approval a policy with new keys
 * of approver and service was adopted, and the promotion was made under it.
 */
export async function promotedLine(
  root: string,
  { later = false, between = false, gates = PASSED, forge }: LineOptions = {},
) {
  const evidence = await readEvidence((await sealEvidence(facts, gates, attachments, join(root, "sealed"))).folder);
  const store = memoryStore();
  await putEvidence(store, evidence, await signEvidence(evidence, people.ci), facts.model.name);
  const approval = signStatement(approvalStatement(approvalOf(evidence.digest)), people.approver);
  const policy = later ? LATER.policy : POLICY;
  const deciding = { by: "ci@example.com", signer: later ? LATER.ci : people.ci };
  const decision = signStatement(
    decisionStatement(decisionOf(evidence.digest, [approval], { policy: policy.digest })),
    deciding.signer,
  );
  const parts = { evidence: evidence.digest, manifest: MANIFEST, approvals: [approval], decision, policy };
  const bundle = planBundle({ ...parts, ...forge?.(evidence.digest, approval) });
  await putBundle(store, bundle, facts.model.name);
  const ending = between ? { by: "ci@example.com", signer: LATER.ci } : deciding;
  const candidate = { model: facts.model.name, digest: DIGEST.model };
  const ci = { by: "ci@example.com", signer: people.ci };
  const said: (Fact & { by: string; signer: Signer })[] = [
    { kind: "opened", body: { project: facts.project, model: facts.model.name, policy: POLICY }, ...ci },
    {
      kind: "registered",
      body: {
        ...candidate,
        environment: "dev",
        version: "1",
        createdAt: 1,
        evidence: evidence.digest,
        run: facts.run.id,
        commit: facts.commit ?? "",
        times: { checked: facts.finished },
      },
      ...ci,
    },
    { kind: "approved", body: { envelope: approval }, by: "approver@example.com", signer: people.approver },
    ...(later ? [{ kind: "policy.adopted", body: { policy }, ...deciding } as const] : []),
    {
      kind: "promotion.started",
      body: {
        ...candidate,
        environment: "prod",
        evidence: evidence.digest,
        from: { environment: "dev", version: "1" },
        target: `prod.${facts.model.name}`,
        highest: 0,
        rules: DIGEST.rules,
        policy: policy.digest,
        ticket: "CHG-1",
        approvals: ALL_BEFORE,
        verdicts: [],
      },
      ...deciding,
    },
    ...(between ? [{ kind: "policy.adopted", body: { policy: LATER.policy }, ...ending } as const] : []),
    {
      kind: "promoted",
      body: {
        ...candidate,
        environment: "prod",
        started: later ? 5 : 4,
        version: "1",
        createdAt: 2,
        evidence: evidence.digest,
        bundle: bundle.digest,
      },
      ...ending,
    },
  ];
  return { evidence, bundle, store, said, chain: chainOf(said) };
}

/** The same, released, and served again after a rollback from another version: two more bundles. */
export async function rolledBackLine(root: string) {
  const line = await promotedLine(root);
  const { body: promoted } = line.said[4] ?? {};
  if (promoted === undefined || !("bundle" in promoted)) throw new Error("another line");
  const bundleOf = (action: "release" | "rollback", more: object) =>
    planBundle({
      evidence: line.evidence.digest,
      manifest: MANIFEST,
      approvals: [],
      decision: signStatement(
        decisionStatement({ ...decisionOf(line.evidence.digest, []), action, ...more }),
        people.ci,
      ),
      policy: POLICY,
    });
  const release = bundleOf("release", {});
  const rollback = bundleOf("rollback", { reason: "escalations doubled", undoes: 7, verdicts: [] });
  for (const each of [release, rollback]) await putBundle(line.store, each, facts.model.name);
  const common = { model: facts.model.name, environment: "prod" };
  const placed = { version: "1", digest: DIGEST.model, createdAt: 2 };
  const from = { version: "2", digest: "9".repeat(64), createdAt: 3 };
  const ci = { by: "ci@example.com", signer: people.ci };
  const said: (Fact & { by: string; signer: Signer })[] = [
    ...line.said,
    {
      kind: "release.started",
      body: {
        ...common,
        digest: DIGEST.model,
        version: "1",
        strategy: "direct",
        evidence: line.evidence.digest,
        rules: DIGEST.rules,
        policy: POLICY.digest,
        ticket: "CHG-1",
        approvals: [],
        champion: "none",
        rollback: "none",
        verdicts: [],
      },
      ...ci,
    },
    {
      kind: "released",
      body: { ...common, ...placed, started: 6, strategy: "direct", rollback: "none", bundle: release.digest },
      ...ci,
    },
    {
      kind: "rollback.started",
      body: { ...common, digest: from.digest, undoes: 7, from, to: placed, reason: "escalations doubled" },
      ...ci,
    },
    {
      kind: "rolledback",
      body: {
        ...common,
        digest: from.digest,
        started: 8,
        undoes: 7,
        to: placed,
        reason: "escalations doubled",
        bundle: rollback.digest,
      },
      ...ci,
    },
  ];
  return { ...line, said, chain: chainOf(said), bundles: [line.bundle, release, rollback] };
}

/** A line as an auditor gets it, in `<root>/export`. */
export async function exportedLine(root: string, options: LineOptions = {}) {
  return written(root, await promotedLine(root, options));
}

export function written<T extends Awaited<ReturnType<typeof promotedLine>>>(root: string, line: T) {
  const folder = join(root, "export");
  const put = (path: string, data: string | Uint8Array): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), data);
  };
  put("ledger.jsonl", line.chain.text);
  for (const [digest, files] of line.store.objects)
    for (const [path, bytes] of files)
      put(`${files.has("bundle.json") ? "bundles" : "evidence"}/${digest}/${path}`, bytes);
  return { ...line, folder, put };
}
