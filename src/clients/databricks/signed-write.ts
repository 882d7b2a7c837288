import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { changedError, type FactoryError } from "../../lib/error.ts";
import { type HttpReply, type HttpRequest, httpFailure, sendHttp } from "../../lib/http.ts";
import { uploadFile } from "../../lib/upload.ts";
import { blobParts, type PartedUpload, storageFiles } from "./azure-upload.ts";
import type { Managed, Multipart, SignedAddress, SignedAddresses } from "./signed-addresses.ts";

export interface LocalFile {
  path: string;
  sha256: string;
  bytes: number;
}

export interface WriteSizes {
  /** Of a part. AWS takes none below 5 MiB, but the last, and no more than 10,000. */
  part: number;
  /** A file longer than this goes in parts to AWS. */
  single: number;
}

const MAX_PARTS = 9_000;

/** Sends a file to the storage behind a workspace, whole or not at all. Exit 5 when it is not the file that was expected. */
export async function writeSigned(
  addresses: SignedAddresses,
  place: Managed,
  file: LocalFile,
  sizes: WriteSizes,
  signal: AbortSignal | undefined,
  onBytes: (bytes: number) => void = () => {},
): Promise<void> {
  const renew = () => addresses.toWrite(place);
  const address = await renew();
  const part = Math.max(sizes.part, Math.ceil(file.bytes / MAX_PARTS));
  const send = sender(signal);
  const azure = partsOf(address, renew, send);
  if (azure !== undefined) return inParts(file, part, azure, onBytes);
  if (address.storage !== "aws" || file.bytes <= sizes.single) return atOnce(address, renew, file, signal, onBytes);
  const upload = await addresses.inParts(place, Math.ceil(file.bytes / part));
  return inParts(file, part, multipart(upload, send), onBytes);
}

/** Sends bytes that are in memory, whole or not at all. */
export async function writeBytes(
  addresses: SignedAddresses,
  place: Managed,
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<void> {
  const renew = () => addresses.toWrite(place);
  const address = await renew();
  const send = sender(signal);
  const parts = partsOf(address, renew, send);
  if (parts === undefined) {
    await send(address, renew, ({ url, headers }) => ({ method: "PUT", url, headers, body: bytes }));
    return;
  }
  await parts.begin();
  if (bytes.byteLength > 0) await parts.part(0, 0, Buffer.from(bytes));
  await parts.commit(bytes.byteLength);
}

/** Azure takes a file part by part, a short one too. */
function partsOf(address: SignedAddress, renew: () => Promise<SignedAddress>, send: Send): PartedUpload | undefined {
  if (address.storage === "azure-blob") return blobParts(address, renew, send);
  return address.storage === "azure-files" ? storageFiles(address, renew, send) : undefined;
}

/** One request with the whole file. */
async function atOnce(
  address: SignedAddress,
  renew: () => Promise<SignedAddress>,
  file: LocalFile,
  signal: AbortSignal | undefined,
  onBytes: (bytes: number) => void,
): Promise<void> {
  let sent = 0;
  const put = (to: SignedAddress) =>
    uploadFile({ url: to.url, headers: to.headers, signal }, file.path, file, (bytes) => {
      sent += bytes;
      onBytes(bytes);
    });
  let used = address;
  let reply = await put(used);
  if (reply.status === 401 || reply.status === 403) {
    onBytes(-sent);
    used = await renew();
    reply = await put(used);
  }
  demandTaken({ method: "PUT", url: used.url }, reply);
}

/** Part by part, read once; the last step, which makes the file appear, is taken only when its digest is the expected one. */
async function inParts(
  file: LocalFile,
  size: number,
  upload: PartedUpload,
  onBytes: (bytes: number) => void,
): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file.path, "r").catch((error: unknown) => {
      throw changed(file.path, error);
    });
    const hash = createHash("sha256");
    await upload.begin();
    for (let index = 0, offset = 0; offset < file.bytes; index++) {
      const bytes = await readAt(handle, offset, Math.min(size, file.bytes - offset));
      if (bytes === undefined) throw changed(file.path);
      hash.update(bytes);
      await upload.part(index, offset, bytes);
      offset += bytes.byteLength;
      onBytes(bytes.byteLength);
    }
    const more = await readAt(handle, file.bytes, 1);
    if (more !== undefined || hash.digest("hex") !== file.sha256) throw changed(file.path);
    await upload.commit(file.bytes);
  } catch (error) {
    await upload.abort().catch(() => {});
    throw error;
  } finally {
    await handle?.close();
  }
}

async function readAt(handle: FileHandle, offset: number, length: number): Promise<Buffer | undefined> {
  const buffer = Buffer.allocUnsafe(length);
  for (let filled = 0; filled < length; ) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, offset + filled);
    if (bytesRead === 0) return undefined;
    filled += bytesRead;
  }
  return buffer;
}

/** Parts that AWS puts together. */
function multipart(upload: Multipart, send: Send): PartedUpload {
  const etags: string[] = [];
  return {
    begin: async () => {},
    async part(index, _, bytes) {
      const address = upload.parts[index];
      if (address === undefined) throw new TypeError("more parts than were asked for");
      const request = (to: SignedAddress): HttpRequest => ({
        method: "PUT",
        url: to.url,
        headers: to.headers,
        body: bytes,
      });
      const reply = await send(address, () => upload.renew(index + 1), request);
      const { etag } = reply.headers;
      if (etag === undefined) throw httpFailure({ method: "PUT", url: address.url }, reply);
      etags[index] = etag;
    },
    commit: () => upload.complete(etags),
    async abort() {
      if (upload.abort === undefined) return;
      const { url, headers } = upload.abort;
      await sendHttp({ method: "DELETE", url, headers, retries: 0, timeoutMs: 10_000 });
    },
  };
}

/** Sends to a signed address, and once more to a new one when it is no longer taken. Any other refusal throws. */
export type Send = (
  address: SignedAddress,
  renew: () => Promise<SignedAddress>,
  request: (to: SignedAddress) => HttpRequest,
) => Promise<HttpReply>;

function sender(signal: AbortSignal | undefined): Send {
  return async (address, renew, request) => {
    const first = request(address);
    const reply = await sendHttp({ ...first, signal });
    if (reply.status !== 401 && reply.status !== 403) return demandTaken(first, reply);
    const again = request(await renew());
    return demandTaken(again, await sendHttp({ ...again, signal }));
  };
}

function demandTaken(request: Pick<HttpRequest, "method" | "url">, reply: HttpReply): HttpReply {
  if (reply.status < 200 || reply.status >= 300) throw httpFailure(request, reply);
  return reply;
}

function changed(path: string, cause?: unknown): FactoryError {
  return changedError(
    "upload.changed",
    `${path} changed or went away before it was sent`,
    "run the command again",
    cause,
  );
}
