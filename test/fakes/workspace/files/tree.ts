import { defineSection, type State } from "../state.ts";
import { unity } from "../unity/store.ts";

export interface FileEntry {
  digest: string;
  size: number;
  modified: number;
}

export interface Upload {
  /** Where the finished file goes. */
  key: string;
  /** The path as asked, for later calls of the same upload. */
  path: string;
  overwrite: boolean;
  principal: string;
  parts: Map<number, { digest: string; etag: string }>;
}

/** Files of volumes and of model versions, by internal key: a volume's or a model's id and what follows, so that renaming and deleting need no moving. */
export const files = defineSection("files", () => ({
  entries: new Map<string, FileEntry>(),
  directories: new Set<string>(),
  uploads: new Map<string, Upload>(),
  /** Presigned addresses: token → what it is for. */
  signed: new Map<string, Signed>(),
}));

export type Signed = { until: number } & (
  | { does: "part"; upload: string; part: number }
  | { does: "abort"; upload: string }
  | { does: "upload" | "download"; key: string }
);

export const volumeKey = (id: string): string => `volume:${id}`;
export const versionKey = (modelId: string, version: number): string => `model:${modelId}/${version}`;

/** Files of a version, by their path inside it. */
export function modelFiles(state: State, fullName: string, version: number): Map<string, () => Buffer> {
  const found = new Map<string, () => Buffer>();
  const model = unity.of(state).models.get(fullName);
  if (model === undefined) return found;
  const prefix = `${versionKey(model.id, version)}/`;
  for (const [key, entry] of files.of(state).entries)
    if (key.startsWith(prefix)) found.set(key.slice(prefix.length), () => state.blobs.get(entry.digest));
  return found;
}

/** Whether a file belongs to a version that can no longer be written. */
export function isClosed(state: State, key: string): boolean {
  return [...unity.of(state).models.values()].some((model) =>
    [...model.versions.values()].some(
      (version) =>
        version.status !== "PENDING_REGISTRATION" && key.startsWith(`${versionKey(model.id, version.version)}/`),
    ),
  );
}

/** Writes a file and the folders above it. */
export function writeFile(state: State, key: string, bytes: Buffer, now: number): FileEntry {
  const { entries } = files.of(state);
  const entry = { digest: state.blobs.put(bytes), size: bytes.length, modified: now };
  entries.set(key, entry);
  makeDirectory(state, parentKey(key));
  return entry;
}

/** A folder and those above it. */
export function makeDirectory(state: State, key: string): void {
  for (let at = key; at.includes("/"); at = parentKey(at)) files.of(state).directories.add(at);
}

/** What lies directly in a folder: files and folders, by name. */
export function childrenOf(state: State, key: string): { name: string; entry: FileEntry | undefined }[] {
  const { entries, directories } = files.of(state);
  const found = new Map<string, FileEntry | undefined>();
  const prefix = `${key}/`;
  for (const directory of directories)
    if (directory.startsWith(prefix)) found.set(directory.slice(prefix.length).split("/", 1)[0] ?? "", undefined);
  for (const [path, entry] of entries) {
    if (!path.startsWith(prefix)) continue;
    const rest = path.slice(prefix.length);
    const name = rest.split("/", 1)[0] ?? "";
    if (name === rest) found.set(name, entry);
  }
  return [...found].map(([name, entry]) => ({ name, entry })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

export const parentKey = (key: string): string => key.slice(0, Math.max(0, key.lastIndexOf("/")));
