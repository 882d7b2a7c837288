import type { Head } from "./entry.ts";

/**
 * Where the lines of one project's chain are kept. A store knows bytes and the head, nothing of their meaning: what it
 * returns is verified by `openLedger`.
 */
export interface LedgerStore {
  /** For messages: a path, or an address without credentials and its branch. */
  readonly place: string;
  /** True when only this machine can reach it. */
  readonly local: boolean;
  /**
   * The whole chain as it stands, each entry a line with its line feed. `torn`: bytes after the last line feed, left by a writer
   * that died; they are no entry. Nothing there yet is an empty text. Throws exit 4 when it cannot be reached.
   */
  read(): Promise<StoredChain>;
  /**
   * Appends one line (without line feed) if the chain still ends with `expected`, durably, whole or not at all. False: the head
   * has moved, nothing was written. A torn rest is set aside, never lost. After a lost answer it finds out what happened.
   */
  append(line: string, expected: Head): Promise<boolean>;
  /**
   * Puts a whole chain in the place of what was read there; throws exit 5 when that is not there any more. What was there is kept
   * beside it: its path is returned. Absent where the store keeps every version by itself.
   */
  replace?(text: Buffer, was: StoredChain): Promise<{ kept: string | undefined }>;
  /** Puts a whole chain where none is, whole or not at all. False: there is one, nothing was written. Absent: `append` alone writes. */
  begin?(text: Buffer): Promise<boolean>;
  /** What was done to the place itself that is no append, as the place tells it. Absent where it keeps no such history. */
  inspect?(): Promise<readonly PlaceFinding[]>;
}

/** Something that happened to the place of a chain. */
export interface PlaceFinding {
  verdict: "no" | "cannot tell";
  /** A whole sentence. */
  message: string;
  fix: string;
}

export interface StoredChain {
  text: Buffer;
  torn: Buffer;
}

/** Where a project's chain is kept. */
export type LedgerPlace =
  | { kind: "file"; path: string }
  | { kind: "git"; url: string; branch: string; project: string }
  | {
      kind: "delta";
      profile: string;
      host: string | undefined;
      warehouse: string;
      /** catalog.schema.table; holds the chains of all projects of the policy. */
      table: string;
      project: string;
    };
