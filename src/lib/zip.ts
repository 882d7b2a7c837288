import { inflateRawSync } from "node:zlib";
import * as z from "zod";
import { usageError } from "./error.ts";
import { stripControls } from "./redact.ts";

const MAX_BYTES = 512 << 20;
const [END, LISTED, FILE, DESCRIPTOR] = [0x06054b50, 0x02014b50, 0x04034b50, 0x08074b50];
/** Bits of a file's flags: the figures stand after it; the name is UTF-8. The other two that may be set say how hard it was packed. */
const [AFTER, UTF8, KNOWN_FLAGS] = [0x8, 0x800, 0x80e];

const inflated = z.object({ buffer: z.instanceof(Buffer), engine: z.object({ bytesWritten: z.int() }) });

/**
 * The files of a zip archive, one after the other. Some programs go by the list at the end, others by the headers before each file,
 * so an archive that could be read in two ways would be one thing here and another where it is unpacked: the two must agree, and
 * nothing may lie between, before or behind the files. Throws exit 2.
 */
export function* readZip(archive: Buffer): Generator<{ name: string; content: Buffer }> {
  const end = archive.length - 22;
  const demand = (holds: boolean, what: string): void => {
    if (!holds) throw usageError("zip.form", `the archive cannot be read in one way only: ${what}`);
  };
  demand(end >= 0 && archive.readUInt32LE(end) === END, "its end is not that of a zip file without a comment");
  const [number, listAt] = [archive.readUInt16LE(end + 10), archive.readUInt32LE(end + 16)];
  demand(listAt + archive.readUInt32LE(end + 12) === end, "its list of files does not stand before its end");
  const seen = new Set<string>();
  let [at, fileAt, total] = [listAt, 0, 0];
  for (let i = 0; i < number; i++) {
    demand(at + 46 <= end && archive.readUInt32LE(at) === LISTED, "its list of files is cut");
    const length = archive.readUInt16LE(at + 28);
    const [flags, method] = [archive.readUInt16LE(at + 8), archive.readUInt16LE(at + 10)];
    const [packed, size] = [archive.readUInt32LE(at + 20), archive.readUInt32LE(at + 24)];
    const figures = archive.subarray(at + 16, at + 28);
    const rawName = archive.subarray(at + 46, at + 46 + length);
    const name = rawName.toString("utf8");
    const what = JSON.stringify(stripControls(name));
    demand(isName(name, rawName, flags) && !seen.has(name), `${what} is no name of a file, or stands twice`);
    seen.add(name);
    demand(archive.readUInt32LE(at + 30) === 0, `${what} has fields of its own, or a comment`);
    demand(
      (flags & ~KNOWN_FLAGS) === 0 && (method === 8 || (method === 0 && (flags & AFTER) === 0)),
      `${what} is packed otherwise`,
    );
    // Before the file the same is said again.
    const from = fileAt + 30 + length;
    demand(
      archive.readUInt32LE(at + 42) === fileAt &&
        from + packed <= listAt &&
        archive.readUInt32LE(fileAt) === FILE &&
        archive.subarray(fileAt + 6, fileAt + 10).equals(archive.subarray(at + 8, at + 12)) &&
        archive.readUInt32LE(fileAt + 26) === length &&
        archive.subarray(fileAt + 30, from).equals(rawName),
      `${what} is listed otherwise than it stands`,
    );
    const before = archive.subarray(fileAt + 14, fileAt + 26);
    fileAt = from + packed;
    if ((flags & AFTER) === 0) demand(before.equals(figures), `${what} is listed otherwise than it stands`);
    else {
      demand(
        before.every((byte) => byte === 0) || before.equals(figures),
        `${what} is listed otherwise than it stands`,
      );
      const after = archive.subarray(fileAt, fileAt + 16);
      fileAt += 16;
      demand(
        fileAt <= listAt && after.readUInt32LE(0) === DESCRIPTOR && after.subarray(4).equals(figures),
        `${what} is listed otherwise than it stands`,
      );
    }
    at += 46 + length;
    total += size;
    demand(total <= MAX_BYTES, `it unpacks to more than ${MAX_BYTES} bytes`);
    const data = archive.subarray(from, from + packed);
    const content = method === 0 ? data : unpacked(data, size);
    demand(content?.length === size, `${what} does not unpack to what it says`);
    if (content !== undefined && !name.endsWith("/")) yield { name, content };
    else demand(size === 0, `${what} is a folder with bytes`);
  }
  demand(at === end && fileAt === listAt, "there is something between its parts");
}

/** Undefined: it is no packed file, is longer than it says, or something stands behind it. */
function unpacked(data: Buffer, size: number): Buffer | undefined {
  try {
    const answer: unknown = inflateRawSync(data, { maxOutputLength: Math.max(1, size), info: true });
    const { buffer, engine } = inflated.parse(answer);
    return engine.bytesWritten === data.length ? buffer : undefined;
  } catch {
    return undefined;
  }
}

/** A relative path that is the same to every program. */
function isName(name: string, raw: Buffer, flags: number): boolean {
  const parts = name.replace(/\/$/, "").split("/");
  return (
    Buffer.from(name).equals(raw) &&
    ((flags & UTF8) !== 0 || raw.every((byte) => byte < 0x80)) &&
    name === stripControls(name) &&
    !name.includes("\\") &&
    parts.every((part) => part !== "" && part !== "." && part !== "..")
  );
}
