import { outsideError } from "../../lib/error.ts";
import type { ModelSource, RemoteFile } from "../../registry/model-files.ts";
import { readSigned, type SignedFile, saveSigned } from "../databricks/signed-read.ts";
import { folderPage } from "../databricks/tracking-schemas.ts";
import { type FolderEntry, walkFolders } from "../mlflow/artifacts.ts";
import { find, type MlflowApi } from "../mlflow/mlflow-api.ts";
import { nameInWorkspace } from "./names.ts";
import { signedUri } from "./schemas.ts";
import { findVersion } from "./versions.ts";

const MAX_PAGES = 1000;
/** A longer file is read in ranges of this length. */
const PIECE = 64 << 20;

/** The copy of a version's files that the registry made: listed by its own call, read at signed addresses. */
export function versionFiles(api: MlflowApi, name: string, version: string): ModelSource {
  const label = `${name} v${version}`;
  let listed: Promise<RemoteFile[]> | undefined;
  const files = (): Promise<RemoteFile[]> => {
    listed ??= walkFolders(
      label,
      (below) => folder(api, name, version, below),
      (path) => api.artifacts.unkeepable(path),
    );
    return listed;
  };
  const fileAt = async (path: string): Promise<SignedFile> => ({
    label: `${path} of ${label}`,
    bytes: (await files()).find((each) => each.path === path)?.bytes,
    piece: PIECE,
    signal: api.signal,
    async address() {
      const query = { name: nameInWorkspace(name), version, path };
      const call = { method: "GET" as const, path: "model-versions/get-signed-download-uri", query };
      const found = await find(api, call, signedUri);
      if (found === undefined) return undefined;
      const { protocol } = new URL(api.uri);
      if (!URL.canParse(found.signed_uri) || !["https:", protocol].includes(new URL(found.signed_uri).protocol))
        throw outsideError("registry.form", `${api.label} gave an address for ${label} that is not an https one`);
      const headers = Object.fromEntries(found.headers.map((each) => [each.name, each.value]));
      return { url: found.signed_uri, headers, storage: "aws" };
    },
  });
  const gone = (path: string) => outsideError("version.missing", `${path} of ${label} is not there`);
  return {
    label,
    async files() {
      const found = await files();
      if (found.length > 0 || (await findVersion(api, name, version)) !== undefined) return found;
      throw outsideError("version.missing", `there is no ${label}`);
    },
    async fetch(path, to, onBytes) {
      const received = await saveSigned(await fileAt(path), to, onBytes);
      if (received === undefined) throw gone(path);
      return received;
    },
    async digest(path, onBytes) {
      const received = await readSigned(await fileAt(path), onBytes);
      if (received === undefined) throw gone(path);
      return received;
    },
  };
}

async function folder(api: MlflowApi, name: string, version: string, below: string): Promise<FolderEntry[]> {
  const entries: FolderEntry[] = [];
  for (let token = "", pages = 0; ; pages++) {
    if (pages === MAX_PAGES)
      throw outsideError("registry.pages", `${api.label} lists the files of ${name} without end`);
    const query = { name: nameInWorkspace(name), version, path: below, ...(token !== "" && { page_token: token }) };
    const page = await find(api, { method: "GET", path: "model-versions/list-artifacts", query }, folderPage);
    if (page === undefined) return entries;
    for (const { path, is_dir, file_size } of page.files) {
      const prefix = below === "" ? "" : `${below}/`;
      entries.push({
        name: path.startsWith(prefix) ? path.slice(prefix.length) : "",
        isFolder: is_dir,
        bytes: file_size,
      });
    }
    token = page.next_page_token;
    if (token === "") return entries;
  }
}
