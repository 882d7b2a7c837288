import type { EvidenceFacts } from "../evidence/facts.ts";
import type { ObjectStore } from "../evidence/object-store.ts";
import { fetchEvidence, fetchSignatures } from "../evidence/objects.ts";
import { type Evidence, readFileOf } from "../evidence/read-evidence.ts";
import { verifySignedEvidence } from "../evidence/sign-evidence.ts";
import type { SignedFile } from "../evidence/signature-path.ts";
import { type Metric, metricsSchema } from "../gates/metrics.ts";
import type { EntryOf, LineState } from "../ledger/line-state.ts";
import { canonicalJson } from "../lib/canonical-json.ts";
import { FactoryError, messageOf } from "../lib/error.ts";
import { parseYaml } from "../lib/yaml-document.ts";
import { type Identity, identityOfKey, listedKey } from "../policy/identity.ts";
import type { Policy } from "../policy/policy.ts";
import { acceptedSigner } from "../policy/signed-by.ts";
import { type Project, projectSchema } from "../project/project.ts";
import { metricsFor } from "../project/rules.ts";
import { type Known, known, type SeenEvidence, unknown } from "../rules/facts.ts";

export interface EvidenceMaterial {
  seen: Known<SeenEvidence>;
  problem: string | undefined;
  /** factory.yaml as it was checked. */
  project: Known<Project>;
  evidence: Evidence | undefined;
  signatures: readonly SignedFile[];
}

/** The entries that register an evidence. */
export type Registration = readonly EntryOf<"registered">[];

/** Every entry that registers an evidence counts: whoever holds a key can add one. Pure. */
export function registrationOf({ registered }: Pick<LineState, "registered">, evidence: string): Registration {
  return registered.filter((each) => each.body.evidence === evidence);
}

/**
 * Whose signature on an evidence this is. A signature carries no time of its own: it is looked at as of the entries by which that
 * very key registered it. Without one nothing says when it was made, and whoever finds a key that ended could make it today. Pure.
 */
export function evidenceSigner(
  policy: Policy,
  keyId: string,
  registration: Registration,
): Identity | { problem: string } {
  const own = registration
    .filter((each) => each.key === keyId)
    .map((each) => identityOfKey(policy, keyId, new Date(each.at)));
  const [first] = own;
  if (first !== undefined) return own.find((each) => !("problem" in each)) ?? first;
  return { problem: `key ${keyId.slice(0, 12)}… signed it, and no entry of the ledger registers it by that key` };
}

/** Where the ledger names another commit than an evidence is about; undefined when it does not. Pure. */
export function commitProblem(commits: readonly string[], commit: string | null): string | undefined {
  const other = commits.find((each) => each !== commit);
  return other && `the ledger has it registered with commit ${other}, and it is about ${commit ?? "none"}`;
}

/** What is said of bytes that arrived whole: by the store's index, by the evidence's own, by a statement in it. */
const WRONG = /^(?:object|evidence|statement)\./;

/**
 * Fetches evidence from the first store that has it, and finds out what holds. A broken one is a fact, not an error. When nobody
 * whom the environment accepts has signed it there, the last store is asked too: `register` puts later signatures only there.
 */
export async function gatherEvidence(
  digest: string,
  stores: readonly ObjectStore[],
  environment: string,
  policy: Policy,
  cacheFolder: string,
  registered: Registration,
): Promise<EvidenceMaterial> {
  let missing: FactoryError | undefined;
  for (const store of stores) {
    try {
      const { evidence, signatures } = await fetchEvidence(store, digest, cacheFolder);
      const found = await judge(evidence, signatures, policy, registered);
      const last = stores.at(-1);
      if (last === undefined || last === store || isAccepted(found, policy, environment)) return found;
      const later = (await fetchSignatures(last, digest)).filter(
        ({ path }) => !signatures.some((each) => each.path === path),
      );
      return later.length === 0 ? found : await judge(evidence, [...signatures, ...later], policy, registered);
    } catch (error) {
      if (!(error instanceof FactoryError)) throw error;
      if (error.code !== "object.missing") {
        // Bytes that are there and wrong are a no. Whatever else went wrong says nothing about them: a store that does not answer, that
        // answers with a page or half a list, or that may not be read.
        if (!WRONG.test(error.code)) throw error;
        return broken(digest, error.message);
      }
      missing ??= error;
    }
  }
  return {
    seen: unknown(
      `evidence sha256:${digest.slice(0, 12)}… is in no store: ${missing?.message ?? "there is no store"}`,
      "factory register",
    ),
    problem: undefined,
    project: unknown("the evidence is not there"),
    evidence: undefined,
    signatures: [],
  };
}

function isAccepted({ seen }: EvidenceMaterial, policy: Policy, environment: string): boolean {
  return seen.known && acceptedSigner(policy, environment, seen.value.signedBy) !== undefined;
}

async function judge(
  evidence: Evidence,
  signatures: readonly SignedFile[],
  policy: Policy,
  registered: Registration,
): Promise<EvidenceMaterial> {
  const verified = await verifySignedEvidence(evidence, signatures, (id) => listedKey(policy, id));
  const signedBy = verified.signedBy.map((id) => evidenceSigner(policy, id, registered));
  const other = commitProblem(
    registered.map((each) => each.body.commit),
    evidence.facts.commit,
  );
  const project = await projectOf(evidence);
  const seen: SeenEvidence = {
    digest: evidence.digest,
    facts: evidence.facts,
    gates: evidence.gates,
    metrics: await metricsOf(evidence),
    // One good signature is enough; the flaws of others are told only when there is none.
    problems: [
      ...(signedBy.length > 0
        ? []
        : verified.flaws.length > 0
          ? verified.flaws.map((flaw) => flaw.message)
          : ["nobody signed it"]),
      ...(other === undefined ? [] : [other]),
      ...(project.known ? thresholdsProblem(evidence.facts.thresholds, project.value, policy.environments) : []),
    ],
    signedBy,
    registeredBy: registered.map((each) => each.by),
  };
  return { seen: known(seen), problem: undefined, project, evidence, signatures };
}

function broken(digest: string, problem: string): EvidenceMaterial {
  const why = `evidence sha256:${digest.slice(0, 12)}…: ${problem}`;
  return { seen: unknown(why), problem: why, project: unknown(why), evidence: undefined, signatures: [] };
}

async function metricsOf(evidence: Evidence): Promise<Known<readonly Metric[]>> {
  const file = evidence.files.find((each) => each.path === "metrics/model-metrics.json");
  if (file === undefined) return unknown("the evidence holds no metrics", "the model gate must have been run");
  try {
    const parsed = metricsSchema.parse(JSON.parse((await readFileOf(evidence, file)).toString("utf8")));
    return known(parsed.metrics);
  } catch (error) {
    return unknown(`the metrics in the evidence cannot be read: ${messageOf(error).slice(0, 200)}`);
  }
}

/** The factory.yaml that was checked. */
export async function projectOf(evidence: Evidence): Promise<Known<Project>> {
  const path = "project/factory.yaml";
  const file = evidence.files.find((each) => each.path === path);
  if (file === undefined) return unknown("the evidence holds no factory.yaml");
  try {
    return known(parseYaml((await readFileOf(evidence, file)).toString("utf8"), path, projectSchema));
  } catch (error) {
    return unknown(`factory.yaml in the evidence is not valid: ${messageOf(error).slice(0, 200)}`);
  }
}

/**
 * The statements say by which limits a model was judged, and so does the factory.yaml beside them, by which is decided: a reader of
 * one must not be told something else than a reader of the other. Since then the first environment may have got another name. Pure.
 */
export function thresholdsProblem(
  said: EvidenceFacts["thresholds"],
  project: Project,
  environments: readonly { name: string }[],
): string[] {
  return environments.some(({ name }) => canonicalJson(metricsFor(project, name)) === canonicalJson(said))
    ? []
    : ["the limits that its statements name are not those of the factory.yaml in it"];
}
