import { STATEMENT_TYPE, type Statement, type Subject } from "../lib/in-toto.ts";
import type { EvidenceFacts, GateFact } from "./facts.ts";

export const TEST_RESULT_TYPE = "https://in-toto.io/attestation/test-result/v0.1";
export const PROVENANCE_TYPE = "https://slsa.dev/provenance/v1";
const BUILD_TYPE = "urn:pilot-to-production:factory-train:v1";
const BUILDER = "urn:pilot-to-production:factory";

/** What the statements are about: the model, by the digest of its manifest, then code package and bundle files. */
export function subjectsOf(facts: EvidenceFacts, packages: readonly { path: string; sha256: string }[]): Subject[] {
  return [
    { name: facts.model.name, digest: { sha256: facts.model.digest } },
    ...packages.map((file) => ({ name: file.path, digest: { sha256: file.sha256 } })),
  ];
}

/**
 * One gate as an in-toto test result. The standard knows PASSED, WARNED and FAILED only: a gate that could not tell, or was
 * not evaluated, is FAILED there; the exact result and all facts of the check are in `annotations.factory`.
 */
export function testResultStatement(
  facts: EvidenceFacts,
  gate: GateFact,
  subject: readonly Subject[],
  attachments: readonly { path: string; sha256: string }[],
): Statement {
  return {
    _type: STATEMENT_TYPE,
    subject,
    predicateType: TEST_RESULT_TYPE,
    predicate: {
      result: gate.verdict === "pass" ? "PASSED" : "FAILED",
      configuration: attachments.map((file) => ({ name: file.path, digest: { sha256: file.sha256 } })),
      passedTests: gate.passedTests ?? [],
      failedTests: gate.failedTests ?? [],
      annotations: { factory: { gate, facts } },
    },
  };
}

/** How the model came to be, as SLSA provenance. */
export function provenanceStatement(facts: EvidenceFacts, subject: readonly Subject[]): Statement {
  return {
    _type: STATEMENT_TYPE,
    subject,
    predicateType: PROVENANCE_TYPE,
    predicate: {
      buildDefinition: {
        buildType: BUILD_TYPE,
        externalParameters: { project: facts.project, model: facts.model.name, command: facts.train, seed: facts.seed },
        internalParameters: { dirty: facts.dirty },
        resolvedDependencies: [
          ...(facts.commit === null ? [] : [{ name: "source", digest: { gitCommit: facts.commit } }]),
          ...facts.data.map((file) => ({ name: file.path, digest: { sha256: file.sha256 } })),
          ...(facts.lock === null ? [] : [{ name: "uv.lock", digest: { sha256: facts.lock } }]),
        ],
      },
      runDetails: {
        builder: { id: BUILDER, version: { factory: facts.factory.version } },
        metadata: {
          invocationId: facts.run.id,
          ...(facts.trainedAt && { startedOn: facts.trainedAt.started }),
          ...(facts.trainedAt?.finished && { finishedOn: facts.trainedAt.finished }),
        },
      },
      annotations: { factory: { facts } },
    },
  };
}
