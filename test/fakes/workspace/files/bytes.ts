import { type Ask, type Reply, refuse } from "../route.ts";
import type { FileEntry } from "./tree.ts";

/** The bytes of a file, or of the range that was asked for. */
export function bytesReply(ask: Ask, entry: FileEntry): Reply {
  const whole = ask.state.blobs.get(entry.digest);
  const range = /^bytes=(\d*)-(\d*)$/.exec(ask.headers.range ?? "");
  if (range === null || (range[1] === "" && range[2] === "")) {
    return { status: 200, headers: headersOf(entry), body: whole };
  }
  const start = range[1] === "" ? Math.max(0, entry.size - Number(range[2])) : Number(range[1]);
  const end = range[1] === "" || range[2] === "" ? entry.size - 1 : Math.min(Number(range[2]), entry.size - 1);
  if (start >= entry.size || end < start)
    throw refuse(416, "REQUESTED_RANGE_NOT_SATISFIABLE", "The range is outside the file.");
  return {
    status: 206,
    headers: {
      ...headersOf(entry),
      "content-length": String(end - start + 1),
      "content-range": `bytes ${start}-${end}/${entry.size}`,
    },
    body: whole.subarray(start, end + 1),
  };
}

export const headersOf = (entry: FileEntry): Record<string, string> => ({
  "content-length": String(entry.size),
  "content-type": "application/octet-stream",
  "last-modified": new Date(entry.modified).toUTCString(),
});
