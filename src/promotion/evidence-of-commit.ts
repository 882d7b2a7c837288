import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Evidence } from "../evidence/read-evidence.ts";
import type { History } from "../people/history.ts";

/** Where the evidence keeps the files of the bundle. */
const BUNDLE = "bundle/";

/**
 * Files of the bundle that the commit does not hold as the evidence has them: git may have been told to ignore them, and then nobody is
 * said to have changed them.
 */
export async function strangeBundleFiles(
  history: History,
  commit: string,
  { files, folder }: Pick<Evidence, "files" | "folder">,
): Promise<string[]> {
  const paths = files.filter(({ path }) => path.startsWith(BUNDLE)).map(({ path }) => path.slice(BUNDLE.length));
  const held = await history.blobs(commit, paths);
  const strange: string[] = [];
  for (const path of paths) {
    const id = held.get(path);
    if (id === undefined || id !== gitBlobId(await readFile(join(folder, BUNDLE, path)), id.length)) strange.push(path);
  }
  return strange.map((path) => `${path} of the bundle is not what commit ${commit.slice(0, 12)} holds: check again`);
}

/** The id that git gives to a file's bytes, in a repository of SHA-1 or SHA-256. */
function gitBlobId(bytes: Uint8Array, digits: number): string {
  return createHash(digits === 64 ? "sha256" : "sha1")
    .update(`blob ${bytes.length}\0`)
    .update(bytes)
    .digest("hex");
}
