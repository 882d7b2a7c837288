import type { MODEL_TAGS, VERSION_TAGS } from "../../registry/registry.ts";

type Tags = typeof MODEL_TAGS & typeof VERSION_TAGS;

/** The process that is making a version, so that the next one knows whether it is still at it. */
export const ATTEMPT_TAG = "factory.attempt";

/** Tags of Unity Catalog have no dot (nor , - = / :) in their keys: `factory.digest` is `factory_digest` there. */
const SPELT = (key: string): string => key.replaceAll(/[.,\-=/:]/g, "_");
/** Every tag of ours, so that a new one is not forgotten here. */
const OURS: Record<Tags[keyof Tags] | typeof ATTEMPT_TAG, true> = {
  "factory.digest": true,
  "factory.evidence": true,
  "factory.commit": true,
  "factory.run": true,
  "factory.source": true,
  "factory.bundle": true,
  "factory.ledger.head": true,
  "factory.policy": true,
  "factory.rollback": true,
  "factory.attempt": true,
};
const KNOWN = new Map(Object.keys(OURS).map((key) => [SPELT(key), key]));

/** Tags as Unity Catalog keeps them. */
export function keptTags(tags: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(tags).map(([key, value]) => [SPELT(key), value]));
}

/** The same tags by the names that factory has for them; what others set keeps its name. */
export function ownTags(tags: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(tags).map(([key, value]) => [KNOWN.get(key) ?? key, value]));
}
