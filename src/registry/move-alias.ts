import { setTimeout as sleep } from "node:timers/promises";
import type { ModelRegistry, RegisteredModel } from "./registry.ts";

const READS = 6;
const PAUSE_MS = 400;

/**
 * Puts an alias on a version, or takes it away (`to` undefined), and reads the model back. A read may lag behind what was just written, so
 * that another version is believed only when it is still told after two seconds: the caller says then that somebody else moves it.
 */
export async function moveAlias(
  registry: ModelRegistry,
  model: string,
  alias: string,
  to: string | undefined,
  signal: AbortSignal,
): Promise<RegisteredModel | undefined> {
  if (to === undefined) await registry.removeAlias(model, alias);
  else await registry.setAlias(model, alias, to);
  let read = await registry.model(model, true);
  for (let reads = 1; reads < READS && read?.aliases[alias] !== to; reads++) {
    await sleep(PAUSE_MS, undefined, { signal });
    read = await registry.model(model, true);
  }
  return read;
}
