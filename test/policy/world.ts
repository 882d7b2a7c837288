import { generateKeyPairSync } from "node:crypto";
import { type Envelope, signEnvelope } from "../../src/lib/dsse.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { type Signer, signerOf } from "../../src/lib/signing.ts";
import { parseYaml } from "../../src/lib/yaml-document.ts";
import { policySchema } from "../../src/policy/policy.ts";
import type { PolicyRecord } from "../../src/policy/policy-record.ts";
import { policyStatement } from "../../src/policy/policy-statement.ts";

/** A fresh key. */
export function newSigner(): Signer {
  return signerOf(generateKeyPairSync("ed25519").privateKey);
}

export interface PolicyText {
  version?: number;
  organisation?: string;
  timezone?: string;
  owners?: readonly string[];
  quorum?: number;
  /** Lines under `people`, without their two blanks. */
  people?: readonly string[];
  /** More lines at the end. */
  more?: readonly string[];
}

/** A person's line as policy.yaml has it. */
export function personLine(
  address: string,
  keys: readonly { key: Signer; from?: string; until?: string }[],
  more = "",
): string {
  const list = keys.map(
    ({ key, from = "2026-01-01", until }) =>
      `{ key: "${key.publicKey}", from: ${from}${until === undefined ? "" : `, until: ${until}`} }`,
  );
  return `${address}: { ${more}keys: [${list.join(", ")}] }`;
}

export function policyText({
  version = 1,
  organisation = "Example Mutual",
  timezone = "UTC",
  owners = [],
  quorum = 1,
  people = [],
  more = [],
}: PolicyText): string {
  return [
    "factory: 1",
    `version: ${version}`,
    `organisation: ${organisation}`,
    `timezone: ${timezone}`,
    "environments:",
    "  - { name: dev, catalog: dev, registry: { kind: mlflow, uri: http://127.0.0.1:5210 } }",
    "  - { name: prod, catalog: prod, registry: { kind: mlflow, uri: http://127.0.0.1:5210 } }",
    `roles: { policy-owner: [${owners.join(", ")}] }`,
    `policyQuorum: ${quorum}`,
    people.length === 0 ? "people: {}" : "people:",
    ...people.map((line) => `  ${line}`),
    "riskTiers: { low: { prod: { gates: [unit] } } }",
    ...more,
    "",
  ].join("\n");
}

/** An owner's signature over a policy's text. */
export function signText(text: string, signer: Signer): Envelope {
  return signEnvelope(policyStatement(parseYaml(text, "policy.yaml", policySchema), sha256(text)), signer);
}

/** What the ledger would keep of a policy that these keys signed. */
export function recordOf(text: string, signers: readonly Signer[]): PolicyRecord {
  const { version } = parseYaml(text, "policy.yaml", policySchema);
  return { digest: sha256(text), version, text, signatures: signers.map((signer) => signText(text, signer)) };
}
