import { setTimeout as sleep } from "node:timers/promises";
import { changedError } from "../lib/error.ts";
import type { ModelRegistry, RegisteredModel } from "./registry.ts";

const READS = 6;
const PAUSE_MS = 400;

/**
 * Puts `champion` on a version, or takes it away (`to` undefined), and reads the model back. A read may lag behind what was just written, so
 * that another version is believed only when it is still told after two seconds: then somebody else moves it, exit 5.
 */
export async function moveChampion(
  registry: Pick<ModelRegistry, "model" | "setAlias" | "removeAlias">,
  model: string,
  to: string | undefined,
  command: "release" | "rollback",
  signal: AbortSignal,
): Promise<RegisteredModel | undefined> {
  if (to === undefined) await registry.removeAlias(model, "champion");
  else await registry.setAlias(model, "champion", to);
  for (let reads = 1; ; reads++) {
    const read = await registry.model(model, true);
    const found = read?.aliases.champion;
    if (found === to) return read;
    if (reads === READS)
      throw changedError(
        `${command}.alias`,
        `champion of ${model} is ${say(found)} right after it was moved to ${say(to)}: somebody else moves it`,
        "run it again",
      );
    await sleep(PAUSE_MS, undefined, { signal });
  }
}

const say = (version: string | undefined): string => (version === undefined ? "none" : `v${version}`);
