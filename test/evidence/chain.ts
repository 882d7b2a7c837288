import type { Fact } from "../../src/ledger/entry.ts";
import { canonicalJson } from "../../src/lib/canonical-json.ts";
import { sha256 } from "../../src/lib/hash.ts";
import type { Signer } from "../../src/lib/signing.ts";

/** In a start: it names every approval that stands before it, whatever its hash will be. */
export const ALL_BEFORE = ["0".repeat(64)];

function isAllBefore(fact: Fact): boolean {
  return "approvals" in fact.body && fact.body.approvals === ALL_BEFORE;
}

function approvalsBefore(facts: readonly Fact[], hashes: readonly string[]): (string | undefined)[] {
  return facts.flatMap(({ kind }, i) => (kind === "approved" ? [hashes[i + 1]] : []));
}

/** Writes a chain by the documented form of a line alone, so that it can hold what factory would never write. */
export function chainOf(facts: readonly (Fact & { by: string; signer: Signer; at?: string })[]): {
  text: string;
  hashes: string[];
} {
  const hashes = ["0".repeat(64)];
  let text = "";
  for (const [i, { by, signer, at = "2026-11-25T11:00:00.000Z", ...fact }] of facts.entries()) {
    const { kind } = fact;
    const body = isAllBefore(fact)
      ? { ...fact.body, approvals: approvalsBefore(facts.slice(0, i), hashes) }
      : fact.body;
    const fields = { seq: i + 1, at, kind, by, key: signer.keyId };
    const members = Object.entries(fields).map(([name, value]) => `,"${name}":${JSON.stringify(value)}`);
    const unsigned = `{"v":1${members.join("")},"body":${canonicalJson(body)},"prev":"${hashes[i]}"`;
    const unhashed = `${unsigned},"sig":"${signer.sign(Buffer.from(unsigned)).toString("base64")}"`;
    hashes.push(sha256(unhashed));
    text += `${unhashed},"hash":"${hashes[i + 1]}"}\n`;
  }
  return { text, hashes: hashes.slice(1) };
}
