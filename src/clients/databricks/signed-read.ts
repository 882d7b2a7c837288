import { createHash, randomBytes } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { outsideError } from "../../lib/error.ts";
import { type BodyReader, type HttpRequest, httpFailure, tryStreamHttp } from "../../lib/http.ts";
import type { Received } from "../mlflow/artifacts.ts";
import type { SignedAddress } from "./signed-addresses.ts";

export interface SignedFile {
  /** How messages name it. */
  label: string;
  /** A fresh address; undefined when there is no such file. */
  address(): Promise<SignedAddress | undefined>;
  /** Length, where it was listed. */
  bytes: number | undefined;
  /** A file longer than this is read in ranges of it, one after another: what breaks is repeated from there. */
  piece: number;
  signal: AbortSignal | undefined;
}

/** Takes bytes in order. After a break it is told the position to go on from, and forgets what came behind it. */
export interface Sink {
  rewind(to: number): void;
  take(chunk: Uint8Array, at: number): Promise<void> | void;
}

const NOWHERE: Sink = { rewind: () => {}, take: () => {} };

/** Reads a file of the storage behind a workspace; undefined when it is not there. */
export async function readSigned(
  file: SignedFile,
  onBytes: (bytes: number) => void = () => {},
  sink: Sink = NOWHERE,
): Promise<Received | undefined> {
  let hash = createHash("sha256");
  let done = 0;
  let etag: string | undefined;
  let address = await file.address();
  for (let renewed = false; address !== undefined; ) {
    const from = done;
    const ranged = (file.bytes ?? 0) > file.piece;
    const request = requestTo(address, file, ranged ? `bytes=${from}-${from + file.piece - 1}` : undefined);
    const before = hash.copy();
    const take: BodyReader<{ more: boolean }> = async (body, head) => {
      onBytes(from - done);
      done = from;
      hash = before.copy();
      sink.rewind(from);
      if (from > 0 && (head.status !== 206 || head.headers.etag !== etag))
        throw outsideError("artifact.changed", `${file.label} changed while it was read`, "run the command again");
      etag = head.headers.etag;
      for await (const chunk of body) {
        if (!(chunk instanceof Uint8Array)) continue;
        await sink.take(chunk, done);
        hash.update(chunk);
        done += chunk.byteLength;
        onBytes(chunk.byteLength);
      }
      demandLength(head.headers, done - from);
      return { more: head.status === 206 && done < totalOf(head.headers, file) };
    };
    const outcome = await tryStreamHttp(request, take);
    if ("value" in outcome) {
      renewed = false;
      if (outcome.value.more) continue;
      return { sha256: hash.digest("hex"), bytes: done };
    }
    if (outcome.status === 404 && from === 0) return undefined;
    // An address holds for some minutes: a long file may outlive it.
    if ((outcome.status !== 401 && outcome.status !== 403) || renewed) throw httpFailure(request, outcome);
    renewed = true;
    address = await file.address();
  }
  return undefined;
}

/** Writes a file that must not exist yet, whole or not at all; undefined when there is nothing to read. */
export async function saveSigned(
  file: SignedFile,
  to: string,
  onBytes?: (bytes: number) => void,
): Promise<Received | undefined> {
  await mkdir(dirname(to), { recursive: true });
  // A name of its own: the path with an ending could be another file of the same model.
  const part = join(dirname(to), `.${randomBytes(8).toString("hex")}.part`);
  try {
    const out = await open(part, "w", 0o600);
    let received: Received | undefined;
    try {
      received = await readSigned(file, onBytes, {
        rewind: () => {},
        take: async (chunk, at) => {
          for (let sent = 0; sent < chunk.byteLength; )
            sent += (await out.write(chunk, sent, chunk.byteLength - sent, at + sent)).bytesWritten;
        },
      });
      // A broken try may have come further than the one that holds.
      await out.truncate(received?.bytes ?? 0);
      await out.sync();
    } finally {
      await out.close();
    }
    if (received !== undefined) await rename(part, to);
    return received;
  } finally {
    await rm(part, { force: true });
  }
}

/** Everything in memory, at most `maxBytes`. */
export async function gatherSigned(file: SignedFile, maxBytes: number): Promise<Buffer | undefined> {
  let chunks: { at: number; chunk: Uint8Array }[] = [];
  const received = await readSigned(file, undefined, {
    rewind: (to) => {
      chunks = chunks.filter(({ at }) => at < to);
    },
    take: (chunk, at) => {
      if (at + chunk.byteLength > maxBytes)
        throw outsideError("http.size", `${file.label} is larger than ${maxBytes} bytes`);
      chunks.push({ at, chunk });
    },
  });
  return received === undefined ? undefined : Buffer.concat(chunks.map(({ chunk }) => chunk));
}

/** The address is the credential: nothing else goes with it. */
function requestTo(address: SignedAddress, file: SignedFile, range: string | undefined): HttpRequest {
  const headers = range === undefined ? address.headers : { ...address.headers, range };
  return { method: "GET", url: address.url, headers, signal: file.signal };
}

function demandLength(headers: Readonly<Record<string, string>>, arrived: number): void {
  const announced = headers["content-length"];
  if (announced === undefined || headers["content-encoding"] !== undefined || Number(announced) === arrived) return;
  // As a broken connection it is tried again.
  throw Object.assign(new Error(`${arrived} of ${announced} bytes arrived`), { code: "ECONNRESET" });
}

function totalOf(headers: Readonly<Record<string, string>>, file: SignedFile): number {
  const told = /^bytes \d+-\d+\/(\d+)$/.exec(headers["content-range"] ?? "")?.[1];
  return told === undefined ? (file.bytes ?? 0) : Number(told);
}
