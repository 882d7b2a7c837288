import { generateKeyPairSync } from "node:crypto";
import type { Approval } from "../../src/evidence/approval.ts";
import { approvalStatement } from "../../src/evidence/approval.ts";
import { planBundle } from "../../src/evidence/bundle.ts";
import { type Decision, decisionStatement } from "../../src/evidence/decision.ts";
import type { ObjectStore } from "../../src/evidence/object-store.ts";
import { envelopeDigest, signStatement } from "../../src/evidence/signed-statement.ts";
import type { Envelope } from "../../src/lib/dsse.ts";
import { signEnvelope } from "../../src/lib/dsse.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { type Signer, signerOf } from "../../src/lib/signing.ts";
import { parseYaml } from "../../src/lib/yaml-document.ts";
import { policySchema } from "../../src/policy/policy.ts";
import type { PolicyRecord } from "../../src/policy/policy-record.ts";
import { policyStatement } from "../../src/policy/policy-statement.ts";
import { DIGEST, facts, MANIFEST } from "./sample.ts";

export function newSigner(): Signer {
  return signerOf(generateKeyPairSync("ed25519").privateKey);
}

/** An owner, an approver and a CI service with keys, and a policy that names them. */
export const people = { owner: newSigner(), approver: newSigner(), ci: newSigner(), stranger: newSigner() };

export function policyText(keys: { owner: Signer; approver?: Signer; ci?: Signer } = people, version = 1): string {
  const person = (address: string, signer: Signer | undefined, kind = "") =>
    signer === undefined ? "" : `  ${address}: { ${kind}keys: [{ key: "${signer.publicKey}", from: 2026-11-01 }] }\n`;
  return `factory: 1
version: ${version}
organisation: Example Mutual
environments:
  - { name: dev, catalog: dev, registry: { kind: mlflow, uri: "http://127.0.0.1:5210" } }
  - { name: prod, catalog: prod, registry: { kind: mlflow, uri: "http://127.0.0.1:5210" } }
productLines:
  claims: { capacity: 4, owner: owner@example.com }
projects:
  claims-triage: { productLine: claims, riskTier: medium, owner: owner@example.com }
roles:
  policy-owner: [owner@example.com]
  model-risk: [approver@example.com]
people:
${person("owner@example.com", keys.owner)}${person("approver@example.com", keys.approver)}${person("ci@example.com", keys.ci, "kind: service, ")}riskTiers:
  medium:
    prod: { gates: [unit], approvals: [{ role: model-risk, count: 1 }] }
`;
}

export function policyRecordOf(text: string, ...owners: Signer[]): PolicyRecord {
  const policy = parseYaml(text, "policy.yaml", policySchema);
  const digest = sha256(text);
  return {
    digest,
    version: policy.version,
    text,
    signatures: owners.map((owner) => signEnvelope(policyStatement(policy, digest), owner)),
  };
}

export const POLICY = policyRecordOf(policyText(), people.owner);
export const SEEN = `4:${"e".repeat(64)}`;

export function approvalOf(evidence: string, more: Partial<Approval> = {}): Approval {
  return {
    model: facts.model.name,
    digest: DIGEST.model,
    evidence,
    project: facts.project,
    environment: "prod",
    rules: DIGEST.rules,
    policy: POLICY.digest,
    ticket: "CHG-1",
    role: "model-risk",
    seen: SEEN,
    notAfter: "2026-12-01T00:00:00.000Z",
    approver: "approver@example.com",
    ...more,
  };
}

export function decisionOf(evidence: string, approvals: readonly Envelope[], more: Partial<Decision> = {}): Decision {
  return {
    action: "promote",
    model: `prod.${facts.model.name}`,
    digest: DIGEST.model,
    environment: "prod",
    project: facts.project,
    by: "ci@example.com",
    factory: "0.1.0",
    at: "2026-11-25T11:00:00.000Z",
    policy: POLICY.digest,
    rules: DIGEST.rules,
    evidence,
    approvals: approvals.map(envelopeDigest),
    ticket: "CHG-1",
    seen: SEEN,
    verdicts: [{ rule: "approvals", verdict: "yes", why: "1 of 1" }],
    ...more,
  };
}

/** A bundle in which everything holds, unless something is changed. */
export function bundleOf(
  evidence: string,
  change: {
    approval?: Partial<Approval>;
    approver?: Signer;
    decision?: Partial<Decision>;
    decider?: Signer;
    parts?: Partial<Parameters<typeof planBundle>[0]>;
  } = {},
) {
  const approval = signStatement(
    approvalStatement(approvalOf(evidence, change.approval)),
    change.approver ?? people.approver,
  );
  const decision = signStatement(
    decisionStatement(decisionOf(evidence, [approval], change.decision)),
    change.decider ?? people.ci,
  );
  return planBundle({ evidence, manifest: MANIFEST, approvals: [approval], decision, policy: POLICY, ...change.parts });
}

/** A store in memory that counts what is asked of it and can be tampered with. */
export function memoryStore(): ObjectStore & { objects: Map<string, Map<string, Buffer>>; reads: string[] } {
  const objects = new Map<string, Map<string, Buffer>>();
  const reads: string[] = [];
  return {
    objects,
    reads,
    list: async (digest) => [...(objects.get(digest)?.keys() ?? [])],
    read: async (digest, path, maxBytes) => {
      reads.push(path);
      const bytes = objects.get(digest)?.get(path);
      if (bytes !== undefined && bytes.length > maxBytes) throw new Error(`${path} is larger than ${maxBytes}`);
      return bytes;
    },
    write: async (digest, files) => {
      const folder = objects.get(digest) ?? new Map<string, Buffer>();
      objects.set(digest, folder);
      for (const file of files) folder.set(file.path, Buffer.from(await file.bytes()));
    },
  };
}
