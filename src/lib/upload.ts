import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import { changedError, type FactoryError } from "./error.ts";
import { type HttpReply, type HttpRequest, sendHttp } from "./http.ts";

const CHUNK_BYTES = 1 << 20;

/**
 * Streams a file as the body of a PUT, repeated like any other, and returns the last reply, whatever its status. The file is hashed
 * while it is sent, and its last piece leaves only when the digest (SHA-256, hex) and the length are the expected ones: a file that
 * changed under our feet never arrives whole (exit 5). `onBytes` gets the length of each piece; a repeated try counts back first.
 */
export async function uploadFile(
  request: Omit<HttpRequest, "method" | "json" | "body">,
  path: string,
  expected: { sha256: string; bytes: number },
  onBytes: (bytes: number) => void = () => {},
): Promise<HttpReply> {
  let counted = 0;
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    onBytes(-counted);
    counted = 0;
    const hash = createHash("sha256");
    const file = await open(path, "r").catch((error: unknown) => {
      throw changed(path, error);
    });
    try {
      let held: Uint8Array | undefined;
      for (let sent = 0; ; ) {
        const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, null);
        if (bytesRead === 0) break;
        sent += bytesRead;
        if (sent > expected.bytes) throw changed(path);
        if (held !== undefined) yield held;
        held = buffer.subarray(0, bytesRead);
        hash.update(held);
        counted += bytesRead;
        onBytes(bytesRead);
      }
      if (counted !== expected.bytes || hash.digest("hex") !== expected.sha256) throw changed(path);
      if (held !== undefined) yield held;
    } finally {
      await file.close();
    }
  };
  const body = { bytes: expected.bytes, open: () => Readable.from(pieces(), { objectMode: false }) };
  return sendHttp({ ...request, method: "PUT", body });
}

function changed(path: string, cause?: unknown): FactoryError {
  return changedError(
    "upload.changed",
    `${path} changed or went away before it was sent`,
    "run the command again",
    cause,
  );
}
