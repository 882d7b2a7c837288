import { createHash, randomBytes } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { BodyReader } from "./http.ts";

/** Sends a GET, as often as it takes, and hands the body of the reply to the reader. */
export type Streamer = <T>(read: BodyReader<T>) => Promise<T>;

/**
 * Returns the digest (SHA-256, hex) and length of what comes, keeping nothing. `onBytes` gets the length of each piece; a repeated
 * attempt counts back first.
 */
export async function digestStream(
  stream: Streamer,
  onBytes: (bytes: number) => void = () => {},
): Promise<{ sha256: string; bytes: number }> {
  let counted = 0;
  return stream(async (body) => {
    onBytes(-counted);
    counted = 0;
    const hash = createHash("sha256");
    for await (const chunk of body) {
      if (!(chunk instanceof Uint8Array)) continue;
      counted += chunk.byteLength;
      hash.update(chunk);
      onBytes(chunk.byteLength);
    }
    return { sha256: hash.digest("hex"), bytes: counted };
  });
}

/**
 * Writes what comes to a file that must not exist yet and returns the digest (SHA-256, hex) and length of what was written. The file
 * appears whole or not at all. `onBytes` as in `digestStream`.
 */
export async function saveStream(
  stream: Streamer,
  path: string,
  onBytes: (bytes: number) => void = () => {},
): Promise<{ sha256: string; bytes: number }> {
  await mkdir(dirname(path), { recursive: true });
  // A name of its own: the path with an ending could be another file of the same model.
  const part = join(dirname(path), `.${randomBytes(8).toString("hex")}.part`);
  let counted = 0;
  try {
    const result = await stream(async (body, head) => {
      onBytes(-counted);
      counted = 0;
      const file = await open(part, "w", 0o600);
      const hash = createHash("sha256");
      try {
        for await (const chunk of body) {
          if (!(chunk instanceof Uint8Array)) continue;
          counted += chunk.byteLength;
          hash.update(chunk);
          await file.writeFile(chunk);
          onBytes(chunk.byteLength);
        }
        await file.sync();
      } finally {
        await file.close();
      }
      const announced = head.headers["content-length"];
      if (announced !== undefined && head.headers["content-encoding"] === undefined && Number(announced) !== counted) {
        // As a broken connection it is tried again.
        throw Object.assign(new Error(`${counted} of ${announced} bytes arrived`), { code: "ECONNRESET" });
      }
      return { sha256: hash.digest("hex"), bytes: counted };
    });
    await rename(part, path);
    return result;
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}
