import type { EvidenceFile } from "./evidence-index.ts";

/**
 * Where one environment keeps evidence and bundles: folders that are addressed by the SHA-256 of their index file
 * (`evidence.json`, `bundle.json`), written once. Lives in the environment's registry, outside the model's own folder.
 */
export interface ObjectStore {
  /** Paths of the files under this digest; empty when nothing is there. */
  list(digest: string): Promise<readonly string[]>;
  /** The bytes of one file, at most `maxBytes`. Undefined when it is not there. */
  read(digest: string, path: string, maxBytes: number): Promise<Buffer | undefined>;
  /**
   * Writes files that are not there yet and reads each back; one that is there with other bytes is an error (exit 4), never
   * overwritten. Safe to repeat. `note` says on the registry's screens what it is.
   */
  write(
    digest: string,
    files: readonly StoredFile[],
    note: { model: string; what: "evidence" | "bundle" },
  ): Promise<void>;
}

export interface StoredFile extends Pick<EvidenceFile, "path" | "sha256"> {
  bytes(): Promise<Uint8Array>;
}
