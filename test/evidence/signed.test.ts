import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { approvalStatement, parseApproval } from "../../src/evidence/approval.ts";
import { readBundle } from "../../src/evidence/bundle.ts";
import { decisionStatement, parseDecision } from "../../src/evidence/decision.ts";
import { fetchEvidence, fetchObject, putBundle, putEvidence } from "../../src/evidence/objects.ts";
import { readEvidence } from "../../src/evidence/read-evidence.ts";
import { sealEvidence } from "../../src/evidence/seal.ts";
import { signEvidence, verifySignedEvidence } from "../../src/evidence/sign-evidence.ts";
import { verifyBundle } from "../../src/evidence/verify-bundle.ts";
import { canonicalJson } from "../../src/lib/canonical-json.ts";
import { attachments, facts, gates } from "./sample.ts";
import { approvalOf, bundleOf, decisionOf, memoryStore, newSigner, people } from "./world.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "factory-signed-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const seal = async () => readEvidence((await sealEvidence(facts, gates, attachments, root)).folder);

describe("signed evidence", () => {
  test("travels through a store and is known by who signed it; the digest stays", async () => {
    const evidence = await seal();
    const store = memoryStore();
    const other = newSigner();
    const signatures = [...(await signEvidence(evidence, people.ci)), ...(await signEvidence(evidence, other))];
    await putEvidence(store, evidence, signatures, facts.model.name);
    expect([...(store.objects.get(evidence.digest)?.keys() ?? [])].at(-1)).toBe("evidence.json");
    const fetched = await fetchEvidence(store, evidence.digest, join(root, "cache"));
    expect(fetched.evidence).toMatchObject({ digest: evidence.digest, facts });
    const keyOf = (id: string) => [people.ci, other].find((each) => each.keyId === id)?.publicKey;
    const verified = await verifySignedEvidence(fetched.evidence, fetched.signatures, keyOf);
    expect(verified).toEqual({ signedBy: [people.ci.keyId, other.keyId].sort(), flaws: [] });
  });

  test("a signature beside sealed files is refused unless it is asked for", async () => {
    const evidence = await seal();
    const [file] = await signEvidence(evidence, people.ci);
    const store = memoryStore();
    await putEvidence(store, evidence, file === undefined ? [] : [file], facts.model.name);
    const folder = await fetchObject(store, evidence.digest, "evidence.json", join(root, "cache"));
    await expect(readEvidence(folder)).rejects.toMatchObject({ code: "evidence.extra" });
    expect((await readEvidence(folder, undefined, { signatures: true })).digest).toBe(evidence.digest);
  });
});

describe("objects", () => {
  test("are read once, kept privately, verified at each use, and fetched again when broken", async () => {
    const evidence = await seal();
    const store = memoryStore();
    await putEvidence(store, evidence, await signEvidence(evidence, people.ci), facts.model.name);
    const cache = join(root, "cache");
    const folder = await fetchObject(store, evidence.digest, "evidence.json", cache);
    expect(statSync(folder).mode & 0o077).toBe(0);
    expect([...store.reads].sort()).toEqual(
      [...evidence.files.map((file) => file.path), "evidence.json", `signatures/${people.ci.keyId}.jsonl`].sort(),
    );
    store.reads.length = 0;
    await fetchObject(store, evidence.digest, "evidence.json", cache);
    expect(store.reads).toEqual([`signatures/${people.ci.keyId}.jsonl`]);
    chmodSync(join(folder, "junit/unit.xml"), 0o600);
    writeFileSync(join(folder, "junit/unit.xml"), "<testsuitez/>");
    await fetchObject(store, evidence.digest, "evidence.json", cache);
    expect((await readEvidence(folder, undefined, { signatures: true })).digest).toBe(evidence.digest);
    expect(readdirSync(join(cache, "objects"))).toEqual([evidence.digest]);
  });
});

describe("bundles", () => {
  test("hold one hop, and verify from files alone", async () => {
    const evidence = await seal();
    const planned = bundleOf(evidence.digest);
    const store = memoryStore();
    await putBundle(store, planned, facts.model.name);
    const folder = await fetchObject(store, planned.digest, "bundle.json", join(root, "cache"));
    const { decision, approvals, flaws } = verifyBundle(await readBundle(folder, planned.digest), {
      about: { action: "promote", environment: "prod", project: facts.project, evidence: evidence.digest },
    });
    expect(flaws).toEqual([]);
    expect(approvals).toEqual([approvalOf(evidence.digest)]);
    expect(decision).toMatchObject({ by: "ci@example.com", model: "prod.claims.triage" });
  });
});

describe("statements", () => {
  const digest = "f".repeat(64);
  test("a decision is a verification summary, and reads back as it was", () => {
    const decision = decisionOf(digest, [], { by: "ci claims/ü@example.com" });
    const statement = decisionStatement(decision);
    expect(statement).toMatchObject({
      predicateType: "https://slsa.dev/verification_summary/v1",
      predicate: {
        resourceUri: "urn:pilot-to-production:model:prod/prod.claims.triage",
        verificationResult: "PASSED",
        verifiedLevels: ["FACTORY_PROMOTE"],
        inputAttestations: [{ uri: `urn:pilot-to-production:evidence:${digest}`, digest: { sha256: digest } }],
      },
    });
    expect(parseDecision(Buffer.from(canonicalJson(statement)))).toEqual(decision);
  });

  test("an approval reads back as it was, with and without a ticket and what was read of it", () => {
    const ticketSeen = { record: "a".repeat(64), register: "b".repeat(64) };
    for (const more of [{ ticket: "CHG-1" }, { ticket: "CHG-1", ticketSeen }, { ticket: undefined }]) {
      const approval = approvalOf(digest, more);
      expect(parseApproval(Buffer.from(canonicalJson(approvalStatement(approval))))).toEqual(
        JSON.parse(JSON.stringify(approval)),
      );
    }
  });
});
