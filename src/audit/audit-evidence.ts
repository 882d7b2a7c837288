import { INDEX_FILE } from "../evidence/evidence-index.ts";
import { readSigned } from "../evidence/objects.ts";
import { verifySignedEvidence } from "../evidence/sign-evidence.ts";
import type { KeyOf } from "../evidence/signed-statement.ts";
import type { LedgerView } from "../ledger/view.ts";
import { FactoryError } from "../lib/error.ts";
import { identityOfKey, listedKey } from "../policy/identity.ts";
import { commitProblem } from "../promotion/facts-of-evidence.ts";
import type { Finding } from "./finding.ts";
import type { ObjectSource, Obtained } from "./object-source.ts";

type View = Pick<LedgerView, "entries" | "policyAt">;

export interface EvidenceAudit {
  /** Digest of the model that it is about; undefined when it could not be read. */
  model: string | undefined;
  findings: Finding[];
}

/** Verifies one evidence: every file by its digest, and a signature by a key that counted when it was registered. */
export async function auditEvidence(
  digest: string,
  environment: string,
  view: View,
  source: ObjectSource,
): Promise<EvidenceAudit> {
  const registration: Registration = {
    keyOf: registrationKeys(view, digest),
    commits: view.entries.flatMap((each) =>
      each.kind === "registered" && each.body.evidence === digest ? [each.body.commit] : [],
    ),
  };
  const first = await judge(digest, await source.get(digest, INDEX_FILE, environment), registration);
  // Anyone who can write to the cache can take signatures out of it: the store has the last word.
  if (first.unsigned !== true || first.fetched) return first;
  const again = await judge(digest, await source.fetch(digest, INDEX_FILE, environment), registration);
  return again.findings.some((each) => each.verdict === "cannot tell")
    ? { ...first, findings: first.findings.map((each) => ({ ...each, verdict: "cannot tell" })) }
    : again;
}

/**
 * The keys that count for an evidence: those that registered it, each listed for somebody who may sign by the policy in force at
 * an entry of its own, at that time. Pure.
 */
export function registrationKeys(view: View, evidence: string): KeyOf {
  const registered = view.entries.filter((each) => each.kind === "registered" && each.body.evidence === evidence);
  return (keyId) => {
    for (const entry of registered) {
      const policy = view.policyAt(entry.seq)?.policy;
      if (policy === undefined || entry.key !== keyId) continue;
      const identity = identityOfKey(policy, keyId, new Date(entry.at));
      if (!("problem" in identity) && identity.kind !== "bot") return listedKey(policy, keyId);
    }
    return undefined;
  };
}

interface Registration {
  keyOf: KeyOf;
  commits: readonly string[];
}

type Judged = EvidenceAudit & { unsigned?: true; fetched: boolean };

async function judge(digest: string, obtained: Obtained, { keyOf, commits }: Registration): Promise<Judged> {
  const what = `evidence sha256:${digest.slice(0, 12)}…`;
  if (!("folder" in obtained)) {
    const { verdict, why, fix } = obtained;
    const finding = {
      part: "bundles" as const,
      verdict,
      message: `${what}: ${why}`,
      ...(fix !== undefined && { fix }),
    };
    return { model: undefined, findings: [finding], fetched: true };
  }
  const no = (message: string, fix: string): Finding => ({
    part: "bundles",
    verdict: "no",
    message: `${what}: ${message}`,
    fix,
  });
  const { fetched, folder } = obtained;
  try {
    const { evidence, signatures } = await readSigned(folder, digest);
    const { signedBy, flaws } = await verifySignedEvidence(evidence, signatures, keyOf);
    const model = evidence.facts.model.digest;
    const problem = commitProblem(commits, evidence.facts.commit);
    const other = problem === undefined ? [] : [no(problem, "find out who wrote that entry, and with which program")];
    if (signedBy.length > 0) return { model, findings: other, fetched };
    const why = flaws.map((each) => each.message).join("; ") || "it carries no signature";
    const fix = "register it again under a key that the policy lists: factory register";
    return {
      model,
      findings: [no(`nobody whose key counted signed it: ${why}`, fix), ...other],
      unsigned: true,
      fetched,
    };
  } catch (error) {
    if (!(error instanceof FactoryError)) throw error;
    return { model: undefined, findings: [no(error.message, "look for another copy of it")], fetched };
  }
}
