import type { HttpRequest } from "../../lib/http.ts";
import type { SignedAddress } from "./signed-addresses.ts";
import type { Send } from "./signed-write.ts";

/** A file that is sent part by part; it appears with `commit`. */
export interface PartedUpload {
  begin(): Promise<void>;
  part(index: number, offset: number, bytes: Buffer): Promise<void>;
  commit(bytes: number): Promise<void>;
  abort(): Promise<void>;
}

const BLOB_TYPE = "x-ms-blob-type";

/** Blocks of a blob, and then the list of them. Blocks that no list names are dropped by Azure after a week. */
export function blobParts(address: SignedAddress, renew: () => Promise<SignedAddress>, send: Send): PartedUpload {
  const ids: string[] = [];
  return {
    begin: async () => {},
    async part(index, _, bytes) {
      // All ids of a blob have one length.
      const id = Buffer.from(String(index).padStart(8, "0")).toString("base64");
      await send(address, renew, ({ url, headers }) => ({
        method: "PUT",
        url: withQuery(url, { comp: "block", blockid: id }),
        headers: { [BLOB_TYPE]: "BlockBlob", ...headers },
        body: bytes,
      }));
      ids.push(id);
    },
    async commit() {
      const list = ids.map((id) => `<Uncommitted>${id}</Uncommitted>\n`).join("");
      const body = Buffer.from(`<?xml version="1.0" encoding="utf-8"?>\n<BlockList>\n${list}</BlockList>`);
      await send(address, renew, ({ url, headers }) => ({
        method: "PUT",
        url: withQuery(url, { comp: "blocklist" }),
        headers: withoutBlobType(headers),
        body,
      }));
    },
    abort: async () => {},
  };
}

/** A file of Data Lake storage: made, appended to, and flushed at its length. What is not flushed is not there. */
export function storageFiles(address: SignedAddress, renew: () => Promise<SignedAddress>, send: Send): PartedUpload {
  const go = async (method: HttpRequest["method"], query: Record<string, string>, body?: Buffer): Promise<void> => {
    await send(address, renew, ({ url, headers }) => ({
      method,
      url: withQuery(url, query),
      headers: withoutBlobType(headers),
      // To append the same bytes at the same place once more changes nothing.
      idempotent: true,
      body: body ?? Buffer.alloc(0),
    }));
  };
  return {
    begin: () => go("PUT", { resource: "file" }),
    part: (_, offset, bytes) => go("PATCH", { action: "append", position: String(offset) }, bytes),
    commit: (bytes) => go("PATCH", { action: "flush", position: String(bytes) }),
    abort: async () => {},
  };
}

/** A header of blobs alone. */
function withoutBlobType(headers: SignedAddress["headers"]): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== BLOB_TYPE));
}

/** What is signed stays as it is, letter by letter. */
function withQuery(url: string, query: Readonly<Record<string, string>>): string {
  return `${url}${url.includes("?") ? "&" : "?"}${new URLSearchParams(query)}`;
}
