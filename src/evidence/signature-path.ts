/** Signatures lie beside the sealed files and are not listed in the index, so that the evidence digest holds none. */
export const SIGNATURE_PATH = /^signatures\/([0-9a-f]{64})\.jsonl$/;
export const MAX_SIGNATURE_FILES = 20;
export const MAX_SIGNATURE_BYTES = 64 << 20;

/** One person's or service's signatures over an evidence: `signatures/<key id>.jsonl`. */
export interface SignedFile {
  path: string;
  /** JSON lines of envelopes: each statement file in the order of paths, and last the whole evidence. */
  text: string;
}
