import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";

const CHUNK_BYTES = 1 << 21;

/** Lower-case hex SHA-256 of a string (as UTF-8) or bytes. */
export function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** Lower-case hex SHA-256 of a file. Two 2 MiB buffers in turn: one is read while the other is hashed. */
export async function sha256File(path: string, onBytes?: (bytes: number) => void): Promise<string> {
  const file = await open(path, "r");
  try {
    return await hashHandle(file, onBytes);
  } finally {
    await file.close();
  }
}

async function hashHandle(file: FileHandle, onBytes?: (bytes: number) => void): Promise<string> {
  const hash = createHash("sha256");
  let reading = Buffer.allocUnsafe(CHUNK_BYTES);
  let hashing = Buffer.allocUnsafe(CHUNK_BYTES);
  let pending = file.read(reading, 0, CHUNK_BYTES, null);
  for (;;) {
    const { bytesRead } = await pending;
    if (bytesRead === 0) return hash.digest("hex");
    [reading, hashing] = [hashing, reading];
    pending = file.read(reading, 0, CHUNK_BYTES, null);
    hash.update(bytesRead === CHUNK_BYTES ? hashing : hashing.subarray(0, bytesRead));
    onBytes?.(bytesRead);
  }
}
