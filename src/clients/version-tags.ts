import type { VERSION_TAGS, VersionRequest } from "../registry/registry.ts";

/** By these tags a client finds again what an earlier try made; the features own their names. */
export const DIGEST_TAG: (typeof VERSION_TAGS)["digest"] = "factory.digest";
export const EVIDENCE_TAG: (typeof VERSION_TAGS)["evidence"] = "factory.evidence";

/** The digest of the bytes that a version is asked for. */
export function digestOf(request: VersionRequest): string {
  const digest = request.tags[DIGEST_TAG] ?? "";
  if (digest === "") throw new TypeError(`a version is created with the tag ${DIGEST_TAG}`);
  return digest;
}
