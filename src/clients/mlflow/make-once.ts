import { setTimeout as sleep } from "node:timers/promises";
import { isUnknownOutcome, type MlflowApi } from "./mlflow-api.ts";

const TRIES = 4;
const FIRST_PAUSE_MS = 250;

/**
 * Makes something exactly once on a server whose replies may get lost: looks for it, makes it, and after an unknown outcome looks
 * again before it makes it again. What `look` finds must be told apart from what others made, by a tag set in the create call.
 */
export async function makeOnce<T>(
  api: MlflowApi,
  look: () => Promise<T | undefined>,
  make: () => Promise<T>,
): Promise<T> {
  const there = await look();
  return there ?? remake(api, look, make);
}

/** The same, for something that cannot be there yet: looks only after an unknown outcome. */
export async function remake<T>(
  api: MlflowApi,
  look: () => Promise<T | undefined>,
  make: () => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await make();
    } catch (error) {
      if (api.signal?.aborted || !isUnknownOutcome(error)) throw error;
      // A server that is still at it (the reply came from a proxy that lost patience) gets a moment to finish.
      const pauseMs = FIRST_PAUSE_MS * 2 ** (tries - 1);
      await sleep(pauseMs, undefined, api.signal === undefined ? {} : { signal: api.signal }).catch(() => {});
      api.signal?.throwIfAborted();
      const made = await look();
      if (made !== undefined) return made;
      if (tries === TRIES) throw error;
    }
  }
}
