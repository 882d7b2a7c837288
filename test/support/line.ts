import { generateKeyPairSync, type KeyObject } from "node:crypto";
import type { Entry, Fact } from "../../src/ledger/entry.ts";
import { formatEntry, parseLine } from "../../src/ledger/entry-line.ts";
import { signEnvelope } from "../../src/lib/dsse.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { type Signer, signerOf } from "../../src/lib/signing.ts";
import { parseYaml } from "../../src/lib/yaml-document.ts";
import { policySchema } from "../../src/policy/policy.ts";
import type { PolicyRecord } from "../../src/policy/policy-record.ts";
import { policyStatement } from "../../src/policy/policy-statement.ts";

/** Somebody with a key. */
export interface Person {
  address: string;
  kind: "person" | "service" | "bot";
  signer: Signer;
  privateKey: KeyObject;
  /** First and last day of the key in the policy. */
  from: string;
  until: string | undefined;
}

export function makePerson(
  address: string,
  { kind = "person", from = "2026-01-01", until }: { kind?: Person["kind"]; from?: string; until?: string } = {},
): Person {
  const { privateKey } = generateKeyPairSync("ed25519");
  return { address, kind, signer: signerOf(privateKey), privateKey, from, until };
}

export interface PolicyWish {
  version?: number;
  people: readonly Person[];
  /** Members of role policy-owner; they sign. Default: the first person. */
  owners?: readonly Person[];
  quorum?: number;
  /** Who signs, when it is not the owners. */
  signedBy?: readonly Person[];
  roles?: Readonly<Record<string, readonly Person[]>>;
  timezone?: string;
  /** The value of `ledger:`. */
  ledger?: string;
  /** More lines at the end. */
  more?: readonly string[];
}

/** A policy with two environments and project claims-triage, signed as its owners would sign it. */
export function signedPolicy(wish: PolicyWish): PolicyRecord {
  const { version = 1, people, owners = people.slice(0, 1), quorum = 1, timezone = "UTC" } = wish;
  const text = [
    "factory: 1",
    `version: ${version}`,
    "organisation: Example Mutual",
    `timezone: ${timezone}`,
    `ledger: ${wish.ledger ?? "{ kind: file }"}`,
    "environments:",
    "  - { name: dev, catalog: dev, registry: { kind: mlflow, uri: http://127.0.0.1:5210 } }",
    "  - { name: prod, catalog: prod, registry: { kind: mlflow, uri: http://127.0.0.1:5210 } }",
    `productLines: { claims: { capacity: 4, owner: ${owners[0]?.address ?? "nobody"} } }`,
    `projects: { claims-triage: { productLine: claims, riskTier: low, owner: ${owners[0]?.address ?? "nobody"} } }`,
    "roles:",
    ...Object.entries({ "policy-owner": owners, ...wish.roles }).map(
      ([role, members]) => `  ${role}: [${members.map((each) => each.address).join(", ")}]`,
    ),
    `policyQuorum: ${quorum}`,
    "people:",
    ...people.map(lineOfPerson),
    "riskTiers: { low: { prod: { gates: [unit] } } }",
    ...(wish.more ?? []),
    "",
  ].join("\n");
  const policy = parseYaml(text, "policy.yaml", policySchema);
  const statement = policyStatement(policy, sha256(text));
  const signatures = (wish.signedBy ?? owners).map(({ signer }) => signEnvelope(statement, signer));
  return { digest: sha256(text), version, text, signatures };
}

function lineOfPerson({ address, kind, signer, from, until }: Person): string {
  const parts = [
    ...(kind === "person" ? [] : [`kind: ${kind}`]),
    ...(kind === "bot"
      ? [`aliases: ["${address}-alias"]`]
      : [`keys: [{ key: "${signer.publicKey}", from: ${from}${until === undefined ? "" : `, until: ${until}`} }]`]),
  ];
  return `  ${address}: { ${parts.join(", ")} }`;
}

/** A fact and who says it. `at` is one minute after the entry before, if it is not given. */
export interface Said {
  fact: Fact;
  by: Person;
  /** The name in the entry, when it is not the signer's. */
  name?: string;
  at?: Date;
}

export interface Chain {
  /** Without line feeds. */
  lines: string[];
  text: Buffer;
  entries: Entry[];
}

const START = Date.parse("2026-11-25T08:00:00.000Z");

/** A chain of these entries, whatever they say: it may be one that does not hold. */
export function chainOf(said: readonly Said[]): Chain {
  const lines: string[] = [];
  const entries: Entry[] = [];
  for (const { fact, by, name = by.address, at } of said) {
    const before = entries.at(-1);
    const when = at ?? new Date(before === undefined ? START : Date.parse(before.at) + 60_000);
    const place = { seq: entries.length + 1, at: when, by: name, prev: before?.hash ?? "0".repeat(64) };
    const line = formatEntry(fact, place, by.signer);
    const entry = parseLine(Buffer.from(line));
    if ("problem" in entry) throw new Error(entry.problem);
    lines.push(line);
    entries.push(entry);
  }
  return { lines, entries, text: textOf(lines) };
}

/** Lines as a store keeps them. */
export function textOf(lines: readonly string[]): Buffer {
  return Buffer.from(lines.map((line) => `${line}\n`).join(""));
}

export function opened(policy: PolicyRecord, project = "claims-triage"): Extract<Fact, { kind: "opened" }> {
  return { kind: "opened", body: { project, model: "claims.triage", policy } };
}

/** A model that was registered; `n` makes its digests and number. */
export function registered(n: number, environment = "dev"): Extract<Fact, { kind: "registered" }> {
  return {
    kind: "registered",
    body: {
      model: "claims.triage",
      digest: sha256(`model ${n}`),
      environment,
      version: String(n),
      createdAt: 1_764_057_600_000 + n,
      evidence: sha256(`evidence ${n}`),
      run: `run${n}`,
      commit: "0".repeat(40),
      times: { checked: "2026-11-25T07:00:00.000Z" },
    },
  };
}

/** The entries of a ledger's text, each checked by itself. */
export function entriesIn(text: string): Entry[] {
  return text
    .split("\n")
    .filter((each) => each !== "")
    .map((each) => {
      const entry = parseLine(Buffer.from(each));
      if ("problem" in entry) throw new Error(entry.problem);
      return entry;
    });
}
