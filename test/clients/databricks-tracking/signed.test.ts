import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { Managed, SignedAddress } from "../../../src/clients/databricks/signed-addresses.ts";
import { gatherSigned, readSigned, type SignedFile, saveSigned } from "../../../src/clients/databricks/signed-read.ts";
import { writeBytes, writeSigned } from "../../../src/clients/databricks/signed-write.ts";
import { newFolder } from "./parts.ts";
import { type Storage, startStorage } from "./storage.ts";

const KINDS: readonly SignedAddress["storage"][] = ["aws", "gcp", "azure-blob", "azure-files"];
const PART = 1000;
const SIZES = { part: PART, single: 2500 };
const place: Managed = { of: "logged-model", id: "m-1", path: "data/ü & 100%.bin" };

const folder = newFolder();
let storage: Storage | undefined;
afterEach(async () => {
  await storage?.stop();
  storage = undefined;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bytesOf = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) % 251));
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

let number = 0;
function local(bytes: Uint8Array) {
  const path = join(folder, `local-${++number}`);
  writeFileSync(path, bytes);
  return { path, sha256: sha256(bytes), bytes: bytes.byteLength };
}

async function start(kind: SignedAddress["storage"]): Promise<Storage> {
  storage = await startStorage(kind);
  return storage;
}

function fileIn(at: Storage, bytes?: number, piece = 4000): SignedFile {
  return { label: place.path, address: () => at.toRead(place), bytes, piece, signal: undefined };
}

describe.each(KINDS)("%s", (kind) => {
  test.each([0, 1, PART, PART + 1, 2500, 3 * PART + 17])(
    "a file of %i bytes arrives, with progress",
    async (length) => {
      const at = await start(kind);
      const bytes = bytesOf(length);
      let progress = 0;
      await writeSigned(at, place, local(bytes), SIZES, undefined, (more) => {
        progress += more;
      });
      expect(at.files.get(place.path)?.equals(bytes)).toBe(true);
      expect(progress).toBe(length);
      expect(at.log.every(({ status }) => status < 300)).toBe(true);
    },
  );

  test("bytes in memory, and none at all", async () => {
    const at = await start(kind);
    await writeBytes(at, place, Buffer.from("kept"), undefined);
    expect(at.files.get(place.path)?.toString()).toBe("kept");
    await writeBytes(at, place, Buffer.alloc(0), undefined);
    expect(at.files.get(place.path)?.length).toBe(0);
  });

  test("an address that no longer holds is asked for again, once", async () => {
    const at = await start(kind);
    const bytes = bytesOf(5 * PART);
    at.holdsFor = 1;
    await writeSigned(at, place, local(bytes), { ...SIZES, single: 10 * PART }, undefined);
    expect(at.files.get(place.path)?.equals(bytes)).toBe(true);
    at.holdsFor = 0;
    await expect(writeSigned(at, place, local(bytes), SIZES, undefined)).rejects.toMatchObject({
      code: "http.403",
      exit: 4,
    });
  });

  test("a storage that is busy for a moment is asked again", async () => {
    const at = await start(kind);
    const bytes = bytesOf(3 * PART);
    at.unavailable = 2;
    await writeSigned(at, place, local(bytes), SIZES, undefined);
    expect(at.files.get(place.path)?.equals(bytes)).toBe(true);
    expect(at.log.filter(({ status }) => status === 503)).toHaveLength(2);
  });

  test("a file that is not the expected one never appears", async () => {
    const at = await start(kind);
    const bytes = bytesOf(3 * PART);
    const file = local(bytes);
    for (const wrong of [
      { ...file, sha256: sha256(Buffer.from("other")) },
      { ...file, bytes: bytes.length - 1 },
      { ...file, bytes: bytes.length + 1 },
      { ...file, path: join(folder, "not-there") },
    ]) {
      await expect(writeSigned(at, place, wrong, SIZES, undefined)).rejects.toMatchObject({
        code: "upload.changed",
        exit: 5,
      });
      expect(at.files.has(place.path)).toBe(false);
    }
  });

  test("no other credential goes with a signed address", async () => {
    const at = await start(kind);
    await writeSigned(at, place, local(bytesOf(3 * PART)), SIZES, undefined);
    await readSigned(fileIn(at, 3 * PART, PART));
    expect(at.log.length).toBeGreaterThan(3);
    for (const { headers } of at.log)
      expect(Object.keys(headers).filter((name) => /authorization|cookie|databricks/i.test(name))).toEqual([]);
  });
});

describe("in parts to AWS", () => {
  test("what was begun is taken back when it cannot be ended", async () => {
    const at = await start("aws");
    const file = { ...local(bytesOf(3 * PART)), sha256: "0".repeat(64) };
    await expect(writeSigned(at, place, file, SIZES, undefined)).rejects.toMatchObject({ code: "upload.changed" });
    expect(at.log.at(-1)).toMatchObject({ method: "DELETE", status: 204 });
  });

  test("a huge file goes in no more parts than AWS takes", async () => {
    const at = await start("aws");
    let parts = 0;
    const counted = {
      ...at,
      inParts: (_: Managed, count: number) => {
        parts = count;
        return Promise.reject(new Error("none today"));
      },
    };
    const file = { ...local(Buffer.alloc(0)), bytes: 5 * 2 ** 40 };
    await expect(writeSigned(counted, place, file, { part: 16 << 20, single: 1 }, undefined)).rejects.toThrow(
      "none today",
    );
    expect(parts).toBeLessThanOrEqual(10_000);
    expect(parts).toBeGreaterThan(1000);
  });
});

describe("reading", () => {
  async function holding(bytes: Buffer): Promise<Storage> {
    const at = await start("aws");
    at.files.set(place.path, bytes);
    return at;
  }
  const ranges = (at: Storage) => at.log.flatMap(({ headers }) => headers.range ?? "");

  test("a short file at once, a long one in ranges; digest and copy are the same bytes", async () => {
    const bytes = bytesOf(10_000);
    const at = await holding(bytes);
    const expected = { sha256: sha256(bytes), bytes: bytes.length };
    let progress = 0;
    const count = (more: number) => {
      progress += more;
    };
    expect(await readSigned(fileIn(at, bytes.length, 20_000), count)).toEqual(expected);
    expect(ranges(at)).toEqual([""]);
    expect(await readSigned(fileIn(at, bytes.length), count)).toEqual(expected);
    expect(ranges(at).slice(1)).toEqual(["bytes=0-3999", "bytes=4000-7999", "bytes=8000-11999"]);
    const to = join(folder, "below", "copy");
    expect(await saveSigned(fileIn(at, bytes.length), to, count)).toEqual(expected);
    expect(readFileSync(to).equals(bytes)).toBe(true);
    expect((await gatherSigned(fileIn(at, bytes.length), 10_000))?.equals(bytes)).toBe(true);
    expect(progress).toBe(3 * bytes.length);
  });

  test("one that is empty, one that is not there", async () => {
    const at = await holding(Buffer.alloc(0));
    const to = join(folder, "empty");
    expect(await saveSigned(fileIn(at, 0), to)).toEqual({ sha256: sha256(Buffer.alloc(0)), bytes: 0 });
    expect(readFileSync(to).length).toBe(0);
    at.files.clear();
    expect(await readSigned(fileIn(at))).toBeUndefined();
    expect(await saveSigned(fileIn(at), join(folder, "none"))).toBeUndefined();
    // Signed, and gone by the time that it is read.
    const gone = { ...fileIn(at), address: () => at.toWrite(place) };
    expect(await readSigned(gone)).toBeUndefined();
    expect(existsSync(join(folder, "none"))).toBe(false);
    expect(readdirSync(folder).filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  test("goes on from the range that broke, and counts no byte twice", async () => {
    const bytes = bytesOf(10_000);
    const at = await holding(bytes);
    at.breakAfter = { bytes: 1500, times: 3 };
    let progress = 0;
    const to = join(folder, "broken");
    const received = await saveSigned(fileIn(at, bytes.length), to, (more) => {
      progress += more;
    });
    expect(received).toEqual({ sha256: sha256(bytes), bytes: bytes.length });
    expect(readFileSync(to).equals(bytes)).toBe(true);
    expect(progress).toBe(bytes.length);
    expect(at.log.length).toBe(6);
  });

  test("a break for ever is an error, and leaves nothing", async () => {
    const at = await holding(bytesOf(100));
    at.breakAfter = { bytes: 50, times: 1000 };
    await expect(saveSigned(fileIn(at, 100), join(folder, "never"))).rejects.toMatchObject({ exit: 4 });
    expect(readdirSync(folder).filter((name) => /never|\.part$/.test(name))).toEqual([]);
  });

  test("an address that no longer holds is asked for again", async () => {
    const bytes = bytesOf(10_000);
    const at = await holding(bytes);
    at.holdsFor = 1;
    expect(await readSigned(fileIn(at, bytes.length))).toEqual({ sha256: sha256(bytes), bytes: bytes.length });
    at.holdsFor = 0;
    await expect(readSigned(fileIn(at, bytes.length))).rejects.toMatchObject({ code: "http.403", exit: 4 });
  });

  test("a file that changes between two ranges is not taken for one file", async () => {
    const at = await holding(bytesOf(10_000));
    at.changeAfterRead = true;
    await expect(saveSigned(fileIn(at, 10_000), join(folder, "two"))).rejects.toMatchObject({
      code: "artifact.changed",
      exit: 4,
    });
    expect(existsSync(join(folder, "two"))).toBe(false);
  });

  test("more than was allowed is not gathered", async () => {
    const at = await holding(bytesOf(5000));
    await expect(gatherSigned(fileIn(at), 4999)).rejects.toMatchObject({ code: "http.size", exit: 4 });
  });
});
