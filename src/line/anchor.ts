import { type Entry, printHead } from "../ledger/entry.ts";
import { MODEL_TAGS, type ModelRegistry, type RegisteredModel } from "../registry/registry.ts";

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
  const seq = anchoredSeq(model, environment, entries);
  if (seq === undefined) return false;
  // The two tags are written at once, so that either may be the one that was cut off.
  if (seq > entry.seq || (seq === entry.seq && model?.tags[MODEL_TAGS.policy] === policy)) return false;
  await setAnchor(registry, name, entry, policy);
  return true;
}

/** Why the anchor that a registry holds says that history was cut; undefined when it is an entry of the chain, or there is none. */
export function anchorProblem(
  model: RegisteredModel | undefined,
  environment: string,
  entries: readonly Entry[],
): string | undefined {
  const anchor = model?.tags[MODEL_TAGS.ledgerHead];
  if (anchor === undefined || anchor === "") return undefined;
  const [seq = "", hash = ""] = anchor.split(":");
  const entry = entries[Number(seq) - 1];
  if (entry !== undefined && entry.hash === hash) return undefined;
  return entries.length < Number(seq)
    ? `the ledger ends with entry ${entries.length}, but ${environment} was written to when it had ${seq}: entries are missing`
    : `entry ${seq} of the ledger is not the one that ${environment} was anchored to: history was changed`;
}

/** The entry that a registry is anchored to, 0 for none yet; undefined where the chain lacks it: that anchor tells nothing. Pure. */
export function anchoredSeq(
  model: RegisteredModel | undefined,
  environment: string,
  entries: readonly Entry[],
): number | undefined {
  if (anchorProblem(model, environment, entries) !== undefined) return undefined;
  return Number(model?.tags[MODEL_TAGS.ledgerHead]?.split(":")[0] ?? 0);
}
