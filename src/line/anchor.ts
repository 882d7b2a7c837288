import { type Entry, printHead } from "../ledger/entry.ts";
import { MODEL_TAGS, type ModelRegistry } from "../registry/registry.ts";
import { anchorProblem } from "./registry-differences.ts";

/** The chain that an anchor has to be in, and the environment whose registry holds it. */
export interface Anchored {
  environment: string;
  entries: readonly Entry[];
}

/** The anchor: the end of the chain as the registry saw it, and the policy under which it was written to. */
export async function setAnchor(
  registry: ModelRegistry,
  name: string,
  head: { seq: number; hash: string },
  policy: string,
): Promise<void> {
  await registry.setModelTags(name, { [MODEL_TAGS.ledgerHead]: printHead(head), [MODEL_TAGS.policy]: policy });
}

/**
 * Ends what was cut off after its last entry: the anchor, unless a later one is there, or one that is not in the chain. True: it was
 * behind, so that the command that wrote the entry did not come to its end.
 */
export async function catchUpAnchor(
  registry: ModelRegistry,
  name: string,
  { environment, entries }: Anchored,
  entry: { seq: number; hash: string },
  policy: string,
): Promise<boolean> {
  const model = await registry.model(name);
  if (anchorProblem(model, environment, entries) !== undefined) return false;
  const seq = Number(model?.tags[MODEL_TAGS.ledgerHead]?.split(":")[0] ?? 0);
  // The two tags are written at once, so that either may be the one that was cut off.
  if (seq > entry.seq || (seq === entry.seq && model?.tags[MODEL_TAGS.policy] === policy)) return false;
  await setAnchor(registry, name, entry, policy);
  return true;
}
