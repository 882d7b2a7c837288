import { downloadFile } from "../../lib/download.ts";
import { outsideError } from "../../lib/error.ts";
import { sendHttp } from "../../lib/http.ts";
import type { ModelSource, RemoteFile } from "../../registry/model-files.ts";
import { accept, isNotFound, isOverload, type MlflowApi } from "./mlflow-api.ts";
import { artifactList } from "./schemas.ts";

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
      const url = `${api.uri}/api/2.0/mlflow-artifacts/artifacts/${encodePath(`${await base()}/${path}`)}`;
      return downloadFile({ url, headers: api.headers, signal: api.signal, isOverload }, to, onBytes);
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

async function listBelow(api: MlflowApi, root: string, label: string): Promise<RemoteFile[]> {
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
    const reply = await sendHttp(request);
    if (isNotFound(reply)) return;
    for (const file of accept(request, reply, artifactList).files) {
      const name = below === "" ? file.path : `${below}/${file.path}`;
      if (file.is_dir && (file.path === "" || /[/\\\0]/.test(file.path) || file.path === ".." || file.path === ".")) {
        throw outsideError("mlflow.artifacts", `${label} lists a folder called ${JSON.stringify(file.path)}`);
      }
      if (file.is_dir) await walk(name, depth + 1);
      else found.push({ path: name, bytes: file.file_size });
      if (found.length > MAX_FILES) throw outsideError("mlflow.artifacts", `${label} has more than ${MAX_FILES} files`);
    }
  };
  await walk("", 0);
  return found;
}

function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}
