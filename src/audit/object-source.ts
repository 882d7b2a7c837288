import { cachedObject } from "../evidence/cached-object.ts";
import type { IndexName } from "../evidence/object-cache.ts";
import type { ObjectStore } from "../evidence/object-store.ts";
import { fetchObject } from "../evidence/objects.ts";
import { EXIT, FactoryError } from "../lib/error.ts";

/** An object's folder, `fetched` when a store was asked for it; else why it is not there. */
export type Obtained =
  | { folder: string; fetched: boolean }
  /**
   * `no`: the store answered, and what it holds is not it. `cannot tell`: nobody answered, or nobody was asked. `cause`: what it has in
   * common with others.
   */
  | { verdict: "no" | "cannot tell"; why: string; cause?: string; fix?: string };

export interface ObjectSource {
  /** Where what was obtained lies. */
  readonly cacheFolder: string;
  /** From the cache when every byte holds there, else from the environment's store. */
  get(digest: string, index: IndexName, environment: string): Promise<Obtained>;
  /** From the store, with the signatures that it holds now. */
  fetch(digest: string, index: IndexName, environment: string): Promise<Obtained>;
  /** Whether any store was asked so far. */
  asked(): boolean;
}

const OFFLINE = "it is not in the cache of this machine, and no store is asked (--offline)";

/**
 * Where an audit takes evidence and bundles from. What the cache holds is verified, never believed. `storeOf`: undefined for an
 * environment that the policy in force does not know; absent: offline, so that no store is asked.
 */
export function objectSource(
  cacheFolder: string,
  storeOf: ((environment: string) => Promise<ObjectStore | undefined>) | undefined,
): ObjectSource {
  let asked = false;
  const fetch = async (digest: string, index: IndexName, environment: string): Promise<Obtained> => {
    if (storeOf === undefined)
      return {
        verdict: "cannot tell",
        why: OFFLINE,
        cause: OFFLINE,
        fix: "run factory verify once without --offline",
      };
    try {
      const store = await storeOf(environment);
      if (store === undefined)
        return { verdict: "cannot tell", why: `the policy in force knows no environment ${environment}` };
      asked = true;
      return { folder: await fetchObject(store, digest, index, cacheFolder), fetched: true };
    } catch (error) {
      if (!(error instanceof FactoryError) || error.exit === EXIT.interrupted) throw error;
      const { message, hint } = error;
      return {
        verdict: error.code.startsWith("object.") ? "no" : "cannot tell",
        why: `${environment}: ${message}`,
        ...(!error.code.startsWith("object.") && { cause: message }),
        ...(hint !== undefined && { fix: hint }),
      };
    }
  };
  return {
    cacheFolder,
    fetch,
    async get(digest, index, environment) {
      const folder = await cachedObject(cacheFolder, digest, index);
      return folder === undefined ? fetch(digest, index, environment) : { folder, fetched: false };
    },
    asked: () => asked,
  };
}
