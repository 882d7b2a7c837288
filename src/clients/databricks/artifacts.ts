import { outsideError } from "../../lib/error.ts";
import { type ArtifactStore, type FolderEntry, walkFolders } from "../mlflow/artifacts.ts";
import { accept, type Call, isNotFound, type MlflowApi } from "../mlflow/mlflow-api.ts";
import { parsePlace, placeOf } from "./artifact-places.ts";
import { digestFile, filesSource, listBelow, readFileBytes } from "./files.ts";
import { type Managed, signedAddresses } from "./signed-addresses.ts";
import { gatherSigned, readSigned, type SignedFile, saveSigned } from "./signed-read.ts";
import { type WriteSizes, writeBytes, writeSigned } from "./signed-write.ts";
import { folderPage } from "./tracking-schemas.ts";
import type { Workspace } from "./workspace.ts";

export interface Sizes extends WriteSizes {
  /** A longer file is read in ranges of this length. */
  piece: number;
}

const MIB = 1 << 20;
const SIZES: Sizes = { piece: 64 * MIB, part: 16 * MIB, single: 256 * MIB };
const MAX_PAGES = 1000;

/**
 * Bytes of runs and logged models that a workspace keeps: listed by MLflow's calls, read and written at signed addresses of the
 * storage behind it. Where an experiment's files are on a volume, they are read through the Files API.
 */
export function managedArtifacts(
  workspace: Workspace,
  exchange: MlflowApi["exchange"],
  { signal, sizes }: { signal?: AbortSignal | undefined; sizes?: Partial<Sizes> | undefined } = {},
): ArtifactStore {
  const limits = { ...SIZES, ...sizes };
  const addresses = signedAddresses(exchange, workspace.host);
  /** Lengths, by place, as they were listed. */
  const listed = new Map<string, number>();
  const fileAt = (place: string, managed: Managed): SignedFile => ({
    label: managed.path,
    address: () => addresses.toRead(managed),
    bytes: listed.get(place),
    piece: limits.piece,
    signal,
  });
  const volume = (path: string) => {
    const at = path.lastIndexOf("/");
    const source = filesSource(workspace, path.slice(0, at), path, () => gone(path));
    return { source, name: path.slice(at + 1) };
  };
  const store: ArtifactStore = {
    place: placeOf,
    unkeepable,
    async list(place, label) {
      const parsed = parsePlace(place);
      const files =
        parsed.of === "volume"
          ? await listBelow(workspace, parsed.path, label)
          : await walkFolders(label, (below) => folder(exchange, parsed, below, workspace.label), unkeepable);
      for (const { path, bytes } of files) listed.set(`${place}/${path}`, bytes);
      return files;
    },
    async download(place, to, onBytes) {
      const parsed = parsePlace(place);
      if (parsed.of === "volume") {
        const { source, name } = volume(parsed.path);
        return source.fetch(name, to, onBytes);
      }
      return (await saveSigned(fileAt(place, parsed), to, onBytes)) ?? absent(parsed.path);
    },
    async digest(place, onBytes) {
      const parsed = parsePlace(place);
      if (parsed.of === "volume") {
        const { source, name } = volume(parsed.path);
        return source.digest(name, onBytes);
      }
      return (await readSigned(fileAt(place, parsed), onBytes)) ?? absent(parsed.path);
    },
    async digestAt(place) {
      const parsed = parsePlace(place);
      if (parsed.of === "volume") return digestFile(workspace, parsed.path);
      return (await readSigned(fileAt(place, parsed)))?.sha256;
    },
    async read(place, maxBytes) {
      const parsed = parsePlace(place);
      if (parsed.of === "volume") return readFileBytes(workspace, parsed.path, maxBytes);
      return gatherSigned(fileAt(place, parsed), maxBytes);
    },
    async putFile(place, file, onBytes) {
      await writeSigned(addresses, writable(place), file, limits, signal, onBytes);
    },
    async putBytes(place, body) {
      await writeBytes(addresses, writable(place), body, signal);
    },
  };
  return store;
}

const gone = (path: string) => outsideError("artifact.missing", `${path} was listed, and is not there`);
const absent = (path: string): never => {
  throw gone(path);
};

/** Factory's own experiments are where the workspace keeps files by itself, never on a volume. */
function writable(place: string): Managed {
  const parsed = parsePlace(place);
  if (parsed.of === "volume")
    throw outsideError("mlflow.artifacts", `${parsed.path} is on a volume: factory writes no artifacts there`);
  return parsed;
}

function unkeepable(path: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  return /[\u0000-\u001f\u007f-\u009f]/.test(path) ? "holds a control character, which storage refuses" : undefined;
}

/** What is in one folder. Paths are told from the root of the run or logged model; asked for a file, it tells the file itself. */
async function folder(
  exchange: MlflowApi["exchange"],
  place: Managed,
  below: string,
  label: string,
): Promise<FolderEntry[]> {
  const path = [place.path, below].filter((each) => each !== "").join("/");
  const entries: FolderEntry[] = [];
  for (let token = "", pages = 0; ; pages++) {
    if (pages === MAX_PAGES) throw outsideError("mlflow.pages", `${label} lists the files of ${place.id} without end`);
    const { request, reply } = await exchange(callFor(place, path, token));
    if (isNotFound(reply)) return entries;
    const page = accept(request, reply, folderPage);
    for (const file of page.files) {
      if (file.path === path && !file.is_dir) continue;
      const name = path === "" ? file.path : file.path.startsWith(`${path}/`) ? file.path.slice(path.length + 1) : "";
      entries.push({ name, isFolder: file.is_dir, bytes: file.file_size });
    }
    token = page.next_page_token;
    if (token === "") return entries;
  }
}

function callFor(place: Managed, path: string, token: string): Call {
  const page = token === "" ? {} : { page_token: token };
  return place.of === "run"
    ? {
        method: "GET",
        path: "artifacts/list",
        query: { run_id: place.id, ...(path !== "" && { path }), ...page },
      }
    : {
        method: "GET",
        path: `logged-models/${encodeURIComponent(place.id)}/artifacts/directories`,
        query: { ...(path !== "" && { artifact_directory_path: path }), ...page },
      };
}
