import { join } from "node:path";
import { holds, type IndexName } from "./object-cache.ts";

/**
 * The folder of an evidence or a bundle that an earlier command fetched, when every byte of it is what its digest says; else
 * undefined: not there, or not what it was. Asks nobody. Signatures beside evidence are those of that time, yet to be verified.
 */
export async function cachedObject(
  cacheFolder: string,
  digest: string,
  indexName: IndexName,
): Promise<string | undefined> {
  if (!/^[0-9a-f]{64}$/.test(digest)) return undefined;
  const folder = join(cacheFolder, "objects", digest);
  return (await holds(folder, digest, indexName)) ? folder : undefined;
}
