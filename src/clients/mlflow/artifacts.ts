import { createHash } from "node:crypto";
import { digestDownload, downloadFile } from "../../lib/download.ts";
import { outsideError } from "../../lib/error.ts";
import { type BodyReader, type HttpReply, type HttpRequest, httpFailure, tryStreamHttp } from "../../lib/http.ts";
import { uploadFile } from "../../lib/upload.ts";
import type { ModelSource, RemoteFile } from "../../registry/model-files.ts";
import { accept, isNotFound, isOverload, type MlflowApi, noteClock, send } from "./mlflow-api.ts";
import { artifactList, nothing } from "./schemas.ts";

const SCHEME = "mlflow-artifacts:/";
const MAX_FILES = 10_000;
const MAX_DEPTH = 20;

/** The files below an artifact address, through the server's own artifact proxy. `root` is asked once, when first needed. */
export function artifactSource(api: MlflowApi, label: string, root: () => Promise<string>): ModelSource {
  let known: Promise<string> | undefined;
  const base = (): Promise<string> => {
    known ??= root().then((uri) => proxyPath(uri, label));
    return known;
  };
  return {
    label,
    async files() {
      return listBelow(api, await base(), label);
    },
    async fetch(path, to, onBytes) {
      return downloadFile(fileRequest(api, `${await base()}/${path}`), to, onBytes);
    },
    async digest(path, onBytes) {
      return digestDownload(fileRequest(api, `${await base()}/${path}`), onBytes);
    },
  };
}

/** `mlflow-artifacts:/1/models/m-…` as the path that the proxy knows. Other stores cannot be read without their own credentials. */
export function proxyPath(uri: string, label: string): string {
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
export function unkeepable(path: string): string | undefined {
  if (/%[0-9A-Fa-f]{2}/.test(path)) return "holds a percent sign with two digits, which MLflow reads as an encoding";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  if (/[#\u0000-\u001f\u007f-\u009f]/.test(path))
    return "holds a number sign or a control character, which MLflow refuses";
  return undefined;
}

/** Every file below a path of the proxy, relative to it; empty when nothing is there. A name that could leave its folder is refused. */
export async function listBelow(api: MlflowApi, root: string, label: string): Promise<RemoteFile[]> {
  const found: RemoteFile[] = [];
  const walk = async (below: string, depth: number): Promise<void> => {
    if (depth > MAX_DEPTH) throw outsideError("mlflow.artifacts", `${label} has folders more than ${MAX_DEPTH} deep`);
    const path = below === "" ? root : `${root}/${below}`;
    const request = {
      method: "GET" as const,
      url: `${api.uri}/api/2.0/mlflow-artifacts/artifacts?${new URLSearchParams({ path })}`,
      headers: api.headers,
      signal: api.signal,
      isOverload,
    };
    const reply = await send(api, request);
    if (isNotFound(reply)) return;
    for (const file of accept(request, reply, artifactList).files) {
      const name = below === "" ? file.path : `${below}/${file.path}`;
      // A file's name with a backslash is refused by what reads the list, in its own words.
      const unsafe =
        ["", ".", ".."].includes(file.path) || (file.is_dir ? /[/\\\0]/ : /[/\0]/).test(file.path)
          ? ""
          : unkeepable(file.path);
      if (unsafe !== undefined) {
        throw outsideError(
          "mlflow.artifacts",
          `${label} lists a ${file.is_dir ? "folder" : "file"} called ${JSON.stringify(file.path)}${unsafe === "" ? "" : `, which ${unsafe}`}`,
        );
      }
      if (file.is_dir) await walk(name, depth + 1);
      else found.push({ path: name, bytes: file.file_size });
      if (found.length > MAX_FILES) throw outsideError("mlflow.artifacts", `${label} has more than ${MAX_FILES} files`);
    }
  };
  await walk("", 0);
  return found;
}

/** Streams a file to a path of the proxy, whole or not at all. Exit 5 when it is not the file that was expected. */
export async function putFile(
  api: MlflowApi,
  to: string,
  file: { path: string; sha256: string; bytes: number },
  onBytes?: (bytes: number) => void,
): Promise<void> {
  const request = fileRequest(api, to);
  demandStored({ ...request, method: "PUT" }, noteClock(api, await uploadFile(request, file.path, file, onBytes)));
}

/** Writes bytes to a path of the proxy, whole or not at all. */
export async function putBytes(api: MlflowApi, to: string, body: Uint8Array): Promise<void> {
  const request: HttpRequest = { ...fileRequest(api, to), method: "PUT", body };
  demandStored(request, await send(api, request));
}

/** MLflow answers with `{}` or nothing. A page of something in between, with status 200, stored no file. */
function demandStored(request: HttpRequest, reply: HttpReply): void {
  accept(request, reply.text === "" ? { ...reply, json: {} } : reply, nothing);
}

/** The bytes at a path of the proxy, at most `maxBytes`; undefined when nothing is there. */
export function readBytes(api: MlflowApi, path: string, maxBytes: number): Promise<Buffer | undefined> {
  return readAt(api, path, async (body) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of body) {
      if (!(chunk instanceof Uint8Array)) continue;
      size += chunk.byteLength;
      if (size > maxBytes)
        throw outsideError("http.size", `the artifact ${JSON.stringify(path)} is larger than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  });
}

/** SHA-256 (hex) of the bytes at a path of the proxy, of any length; undefined when nothing is there. */
export function digestAt(api: MlflowApi, path: string): Promise<string | undefined> {
  return readAt(api, path, async (body) => {
    const hash = createHash("sha256");
    for await (const chunk of body) if (chunk instanceof Uint8Array) hash.update(chunk);
    return hash.digest("hex");
  });
}

async function readAt<T>(api: MlflowApi, path: string, read: BodyReader<T>): Promise<T | undefined> {
  const request: HttpRequest = { ...fileRequest(api, path), method: "GET" };
  const outcome = await tryStreamHttp(request, read);
  if ("value" in outcome) return outcome.value;
  if (isNotFound(outcome)) return undefined;
  throw httpFailure(request, outcome);
}

function fileRequest(api: MlflowApi, path: string): Pick<HttpRequest, "url" | "headers" | "signal" | "isOverload"> {
  const encoded = path.split("/").map(encodeURIComponent).join("/");
  const url = `${api.uri}/api/2.0/mlflow-artifacts/artifacts/${encoded}`;
  return { url, headers: api.headers, signal: api.signal, isOverload };
}
