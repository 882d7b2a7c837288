import { createHash } from "node:crypto";
import { digestStream, type Streamer, saveStream } from "../../lib/download.ts";
import { outsideError } from "../../lib/error.ts";
import { type BodyReader, type HttpReply, type HttpRequest, httpFailure, tryStreamHttp } from "../../lib/http.ts";
import { uploadFile } from "../../lib/upload.ts";
import { type ArtifactStore, type FolderEntry, walkFolders } from "./artifacts.ts";
import { accept, isNotFound, isOverload } from "./mlflow-api.ts";
import { artifactList, nothing } from "./schemas.ts";
import { noteClock, type Server, STARTED_BY, send } from "./server.ts";

const SCHEME = "mlflow-artifacts:/";

/** Artifacts through the server's own artifact proxy. A place is the path that the proxy knows. */
export function proxyArtifacts(server: Server): ArtifactStore {
  return {
    place: proxyPath,
    unkeepable,
    list: (place, label) => walkFolders(label, (below) => folder(server, place, below), unkeepable),
    download: (place, to, onBytes) => saveStream(listedFile(server, place), to, onBytes),
    digest: (place, onBytes) => digestStream(listedFile(server, place), onBytes),
    digestAt: (place) =>
      readAt(server, place, async (body) => {
        const hash = createHash("sha256");
        for await (const chunk of body) if (chunk instanceof Uint8Array) hash.update(chunk);
        return hash.digest("hex");
      }),
    read: (place, maxBytes) => readAt(server, place, (body) => gather(body, place, maxBytes)),
    async putFile(place, file, onBytes) {
      const request = fileRequest(server, place);
      const reply = await uploadFile(request, file.path, file, onBytes);
      demandStored({ ...request, method: "PUT" }, noteClock(server, reply));
    },
    async putBytes(place, body) {
      const request: HttpRequest = { ...fileRequest(server, place), method: "PUT", body };
      demandStored(request, await send(server, request));
    },
  };
}

/** `mlflow-artifacts:/1/models/m-…` as the path that the proxy knows. Other stores cannot be read without their own credentials. */
function proxyPath(uri: string, label: string): string {
  if (!uri.startsWith(SCHEME)) {
    throw outsideError(
      "mlflow.artifacts",
      `the bytes of ${label} are at ${uri.split(":")[0]}:…, which the server does not hand out`,
      "start the server with --serve-artifacts (factory local start does)",
    );
  }
  const authority = /^mlflow-artifacts:\/\/[^/]+(\/.*)?$/.exec(uri);
  const path = (authority === null ? uri.slice(SCHEME.length) : (authority[1] ?? "")).replace(/^\/+|\/+$/g, "");
  if (path === "" || path.split("/").some((part) => part === ".." || part === "." || part === "")) {
    throw outsideError(
      "mlflow.artifacts",
      `${label} has the artifact address ${JSON.stringify(uri)}, which is not understood`,
    );
  }
  return path;
}

/**
 * Why the proxy would hand out another file under this path, or none, or undefined. It decodes what is decoded already, again and
 * again, escapes control characters and refuses a number sign.
 */
function unkeepable(path: string): string | undefined {
  if (/%[0-9A-Fa-f]{2}/.test(path)) return "holds a percent sign with two digits, which MLflow reads as an encoding";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  if (/[#\u0000-\u001f\u007f-\u009f]/.test(path))
    return "holds a number sign or a control character, which MLflow refuses";
  return undefined;
}

/** What is in one folder; the proxy tells bare names, and nothing for a folder that is not there. */
async function folder(server: Server, place: string, below: string): Promise<FolderEntry[]> {
  const path = below === "" ? place : `${place}/${below}`;
  const request = {
    method: "GET" as const,
    url: `${server.uri}/api/2.0/mlflow-artifacts/artifacts?${new URLSearchParams({ path })}`,
    headers: server.headers,
    signal: server.signal,
    isOverload,
  };
  const reply = await send(server, request);
  if (isNotFound(reply)) return [];
  return accept(request, reply, artifactList).files.map((file) => ({
    name: file.path,
    isFolder: file.is_dir,
    bytes: file.file_size,
  }));
}

/** The whole body, at most `maxBytes`. */
async function gather(body: AsyncIterable<unknown>, place: string, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    if (!(chunk instanceof Uint8Array)) continue;
    size += chunk.byteLength;
    if (size > maxBytes)
      throw outsideError("http.size", `the artifact ${JSON.stringify(place)} is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** MLflow answers with `{}` or nothing. A page of something in between, with status 200, stored no file. */
function demandStored(request: HttpRequest, reply: HttpReply): void {
  accept(request, reply.text === "" ? { ...reply, json: {} } : reply, nothing);
}

async function readAt<T>(server: Server, place: string, read: BodyReader<T>): Promise<T | undefined> {
  return (await boxAt(server, place, read))?.value;
}

/** A file that should be there. Throws exit 4, code `artifact.missing`, when it is not. */
function listedFile(server: Server, place: string): Streamer {
  return async (read) => {
    const found = await boxAt(server, place, read);
    if (found === undefined) throw outsideError("artifact.missing", `${place} is not at ${server.uri} any more`);
    return found.value;
  };
}

/** What was read at a place, in a box of its own, since it may be undefined itself; undefined when nothing is there. */
async function boxAt<T>(server: Server, place: string, read: BodyReader<T>): Promise<{ value: T } | undefined> {
  const request: HttpRequest = { ...fileRequest(server, place), method: "GET" };
  const outcome = await tryStreamHttp(request, read);
  if ("value" in outcome) return outcome;
  if (isNotFound(outcome)) return undefined;
  throw httpFailure(request, outcome);
}

function fileRequest(
  server: Server,
  place: string,
): Pick<HttpRequest, "url" | "headers" | "signal" | "isOverload" | "startedBy"> {
  const encoded = place.split("/").map(encodeURIComponent).join("/");
  const url = `${server.uri}/api/2.0/mlflow-artifacts/artifacts/${encoded}`;
  return { url, headers: server.headers, signal: server.signal, isOverload, startedBy: STARTED_BY };
}
