import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type {
  Managed,
  Multipart,
  SignedAddress,
  SignedAddresses,
} from "../../../src/clients/databricks/signed-addresses.ts";

/** Letters that mean something else once they are decoded and encoded again. */
const TAIL = "sv=2024-01-01&sp=r%2Bw%2Fx&se=a%3Ab+c%20d";

export interface Storage extends SignedAddresses {
  url: string;
  kind: SignedAddress["storage"];
  files: Map<string, Buffer>;
  log: { method: string; url: string; headers: IncomingMessage["headers"]; bytes: number; status: number }[];
  /** Addresses that are given out hold for so many requests; undefined: for ever. */
  holdsFor: number | undefined;
  /** GET: the connection breaks after so many bytes, this many times. PUT, PATCH: 503 this many times. */
  breakAfter: { bytes: number; times: number } | undefined;
  unavailable: number;
  /** Changes the file between two reads of it. */
  changeAfterRead: boolean;
  stop(): Promise<void>;
}

/** The cloud storage behind a workspace, in four kinds. It knows signatures only, and refuses any other credential. */
export async function startStorage(kind: SignedAddress["storage"]): Promise<Storage> {
  const uses = new Map<string, number>();
  const blocks = new Map<string, Map<string, Buffer>>();
  const appended = new Map<string, { bytes: Buffer; position: number }[]>();
  const uploads = new Map<string, Map<number, Buffer>>();
  let next = 0;
  const address = (path: string, more = ""): SignedAddress => {
    const sig = `sig${++next}`;
    uses.set(sig, 0);
    const encoded = path.split("/").map(encodeURIComponent).join("/");
    const headers = kind === "azure-blob" ? { "x-ms-blob-type": "BlockBlob" } : { "x-signed": "yes" };
    return { url: `${storage.url}/${encoded}?${TAIL}&sig=${sig}${more}`, headers, storage: kind };
  };
  const storage: Storage = {
    url: "",
    kind,
    files: new Map(),
    log: [],
    holdsFor: undefined,
    breakAfter: undefined,
    unavailable: 0,
    changeAfterRead: false,
    toRead: async ({ path }) => (storage.files.has(path) ? address(path) : undefined),
    toWrite: async ({ path }) => address(path),
    async inParts({ path }: Managed, count): Promise<Multipart> {
      const id = `u${++next}`;
      uploads.set(id, new Map());
      return {
        parts: Array.from({ length: count }, (_, i) => address(path, `&upload=${id}&part=${i + 1}`)),
        renew: async (part) => address(path, `&upload=${id}&part=${part}`),
        async complete(etags) {
          const parts = [...(uploads.get(id)?.entries() ?? [])].sort(([a], [b]) => a - b).map(([, bytes]) => bytes);
          if (parts.length !== count || parts.some((bytes, i) => etagOf(bytes) !== etags[i]))
            throw new Error("InvalidPart");
          storage.files.set(path, Buffer.concat(parts));
          uploads.delete(id);
        },
        abort: address(path, `&upload=${id}&abort=1`),
      };
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  const answer = (request: IncomingMessage, body: Buffer): { status: number; headers?: object; body?: Buffer } => {
    const [rawPath = "", query = ""] = (request.url ?? "").split("?");
    const path = decodeURIComponent(rawPath.slice(1));
    const asked = new URLSearchParams(query);
    const sig = asked.get("sig") ?? "";
    const used = uses.get(sig);
    if (request.headers.authorization !== undefined || request.headers.cookie !== undefined) return { status: 400 };
    // Signed: the query as it was given out.
    if (!query.startsWith(`${TAIL}&sig=`) || used === undefined) return { status: 403 };
    uses.set(sig, used + 1);
    if (storage.holdsFor !== undefined && used >= storage.holdsFor) return { status: 403 };
    if (request.method === "GET") return read(request, path);
    if (storage.unavailable > 0) {
      storage.unavailable--;
      return { status: 503 };
    }
    if (request.headers["transfer-encoding"] !== undefined) return { status: 501 };
    if (request.method !== "DELETE" && request.headers["content-length"] === undefined) return { status: 411 };
    return write(request, path, asked, body);
  };
  const read = (request: IncomingMessage, path: string) => {
    const bytes = storage.files.get(path);
    if (bytes === undefined) return { status: 404 };
    const headers = { etag: etagOf(bytes) };
    if (storage.changeAfterRead) storage.files.set(path, Buffer.from(bytes.map((each) => each ^ 1)));
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    if (range === null) return { status: 200, headers, body: bytes };
    const [from, to] = [Number(range[1]), Math.min(Number(range[2]), bytes.length - 1)];
    const part = bytes.subarray(from, to + 1);
    return { status: 206, headers: { ...headers, "content-range": `bytes ${from}-${to}/${bytes.length}` }, body: part };
  };
  const write = (request: IncomingMessage, path: string, asked: URLSearchParams, body: Buffer) => {
    const upload = asked.get("upload");
    if (request.method === "DELETE") {
      uploads.delete(upload ?? "");
      return { status: 204 };
    }
    if (upload !== null) {
      const parts = uploads.get(upload);
      if (parts === undefined) return { status: 404 };
      parts.set(Number(asked.get("part")), body);
      return { status: 200, headers: { etag: etagOf(body) } };
    }
    if (kind === "azure-blob") return blob(request, path, asked, body);
    if (kind === "azure-files") return lake(request, path, asked, body);
    if (request.headers["x-signed"] !== "yes") return { status: 403 };
    storage.files.set(path, body);
    return { status: 200, headers: { etag: etagOf(body) } };
  };
  const blob = (request: IncomingMessage, path: string, asked: URLSearchParams, body: Buffer) => {
    if (asked.get("comp") === "block") {
      const id = asked.get("blockid") ?? "";
      const known = blocks.get(path) ?? new Map<string, Buffer>();
      const [other] = known.keys();
      if (id === "" || (other !== undefined && other.length !== id.length)) return { status: 400 };
      blocks.set(path, known.set(id, body));
      return { status: 201 };
    }
    if (asked.get("comp") !== "blocklist" || request.headers["x-ms-blob-type"] !== undefined) return { status: 400 };
    const listed = [...body.toString().matchAll(/<Uncommitted>([^<]*)<\/Uncommitted>/g)].map((each) => each[1] ?? "");
    const parts = listed.map((id) => blocks.get(path)?.get(id));
    if (parts.some((each) => each === undefined)) return { status: 400 };
    storage.files.set(path, Buffer.concat(parts.flatMap((each) => each ?? [])));
    blocks.delete(path);
    return { status: 201 };
  };
  const lake = (request: IncomingMessage, path: string, asked: URLSearchParams, body: Buffer) => {
    if (request.method === "PUT" && asked.get("resource") === "file") {
      appended.set(path, []);
      storage.files.delete(path);
      return { status: 201 };
    }
    const position = Number(asked.get("position"));
    const pieces = appended.get(path);
    if (request.method !== "PATCH" || pieces === undefined) return { status: 404 };
    if (asked.get("action") === "append") {
      pieces.push({ bytes: body, position });
      return { status: 202 };
    }
    const whole = Buffer.alloc(position);
    for (const piece of pieces) piece.bytes.copy(whole, piece.position);
    if (pieces.reduce((end, piece) => Math.max(end, piece.position + piece.bytes.length), 0) !== position)
      return { status: 400 };
    storage.files.set(path, whole);
    return { status: 200 };
  };

  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      const reply = answer(request, body);
      const { method = "", url = "", headers } = request;
      storage.log.push({ method, url, headers, bytes: body.length, status: reply.status });
      const out = reply.body ?? Buffer.alloc(0);
      response.writeHead(reply.status, { ...reply.headers, "content-length": out.length });
      const fault = storage.breakAfter;
      if (method === "GET" && fault !== undefined && fault.times > 0 && reply.status < 300) {
        fault.times--;
        response.write(out.subarray(0, fault.bytes), () => setTimeout(() => response.destroy(), 20));
      } else response.end(out);
    });
    request.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const at = server.address();
  storage.url = `http://127.0.0.1:${typeof at === "object" && at !== null ? at.port : 0}`;
  return storage;
}

const etagOf = (bytes: Buffer): string => `"${createHash("md5").update(bytes).digest("hex")}"`;
