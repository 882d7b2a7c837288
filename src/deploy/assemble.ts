import { join } from "node:path";
import { writeFileAtomic } from "../lib/files.ts";
import type { Material } from "./material.ts";

/**
 * Lays the proven files into an empty folder: all that the official program can see. There is no source and no build file beside
 * them, so that nothing could be built, and no git repository, no variable file and no state of another deployment.
 */
export function assemble(material: Material, wheelPaths: readonly string[], folder: string): void {
  for (const { path, bytes } of material.files) writeFileAtomic(join(folder, path), bytes, 0o600);
  for (const path of wheelPaths) writeFileAtomic(join(folder, path), material.wheel.bytes, 0o600);
}
