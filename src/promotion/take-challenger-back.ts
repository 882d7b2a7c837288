import type { EntryOf, LineState } from "../ledger/line-state.ts";
import { type ModelRegistry, VERSION_TAGS } from "../registry/registry.ts";

/**
 * Puts `challenger` back to where the ledger has it, if a promotion that is not carried on has moved it: else a version whose
 * promotion was given up would stand there as the next one. True when something was moved. Safe to repeat.
 */
export async function takeChallengerBack(
  { body }: EntryOf<"promotion.started">,
  state: Pick<LineState, "environment">,
  registry: ModelRegistry,
): Promise<boolean> {
  const set = (await registry.model(body.target))?.aliases.challenger;
  const recorded = state.environment(body.environment).challenger?.version;
  if (set === undefined || set === recorded) return false;
  const version = await registry.version(body.target, set);
  // An alias on other bytes was set by somebody else: `verify` names it.
  if (version?.tags[VERSION_TAGS.digest] !== body.digest) return false;
  if (recorded === undefined) await registry.removeAlias(body.target, "challenger");
  else await registry.setAlias(body.target, "challenger", recorded);
  return true;
}
