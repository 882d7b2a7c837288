import { outsideError } from "../../lib/error.ts";
import type { ModelSource, RemoteFile } from "../../registry/model-files.ts";

const MAX_FILES = 10_000;
const MAX_DEPTH = 20;

/** What came over the wire: SHA-256 in hex, and the length. */
export interface Received {
  sha256: string;
  bytes: number;
}

/**
 * Bytes of runs and logged models. A *place* is a string that only its store understands; a path below a place is joined to it
 * with a slash.
 */
export interface ArtifactStore {
  /** The place of an artifact address (`artifact_uri`). Throws exit 4 for one whose bytes cannot be had here. */
  place(uri: string, label: string): string;
  /** Why a file of this path could not be kept as it is, or undefined. */
  unkeepable(path: string): string | undefined;
  /** Every file below a place, relative to it; empty when nothing is there. A name that could leave its folder is refused. */
  list(place: string, label: string): Promise<RemoteFile[]>;
  /** Writes the file at a place to a path that must not exist yet. Throws exit 4, code `artifact.missing`, when nothing is there. */
  download(place: string, to: string, onBytes?: (bytes: number) => void): Promise<Received>;
  /** Reads the file at a place without keeping it. Throws as `download` does. */
  digest(place: string, onBytes?: (bytes: number) => void): Promise<Received>;
  /** SHA-256 (hex) of the bytes at a place, of any length; undefined when nothing is there. */
  digestAt(place: string): Promise<string | undefined>;
  /** The bytes at a place, at most `maxBytes`; undefined when nothing is there. */
  read(place: string, maxBytes: number): Promise<Buffer | undefined>;
  /** Sends a file, whole or not at all. Exit 5 when it is not the file that was expected. */
  putFile(
    place: string,
    file: { path: string; sha256: string; bytes: number },
    onBytes?: (bytes: number) => void,
  ): Promise<void>;
  /** Writes bytes, whole or not at all. */
  putBytes(place: string, body: Uint8Array): Promise<void>;
}

/** The files below an artifact address. `address` is asked once, when first needed. */
export function artifactSource(store: ArtifactStore, label: string, address: () => Promise<string>): ModelSource {
  let known: Promise<string> | undefined;
  const root = (): Promise<string> => {
    known ??= address().then((uri) => store.place(uri, label));
    return known;
  };
  return {
    label,
    files: async () => store.list(await root(), label),
    fetch: async (path, to, onBytes) => store.download(`${await root()}/${path}`, to, onBytes),
    digest: async (path, onBytes) => store.digest(`${await root()}/${path}`, onBytes),
  };
}

/** What is directly in a folder: bare names. */
export interface FolderEntry {
  name: string;
  isFolder: boolean;
  bytes: number;
}

/** Every file below a folder, by asking `look` for one folder after another. A name that could leave its folder is refused. */
export async function walkFolders(
  label: string,
  look: (below: string) => Promise<readonly FolderEntry[]>,
  unkeepable: (path: string) => string | undefined,
): Promise<RemoteFile[]> {
  const found: RemoteFile[] = [];
  const walk = async (below: string, depth: number): Promise<void> => {
    if (depth > MAX_DEPTH) throw outsideError("mlflow.artifacts", `${label} has folders more than ${MAX_DEPTH} deep`);
    for (const { name, isFolder, bytes } of await look(below)) {
      // A file's name with a backslash is refused by what reads the list, in its own words.
      const unsafe =
        ["", ".", ".."].includes(name) || (isFolder ? /[/\\\0]/ : /[/\0]/).test(name) ? "" : unkeepable(name);
      if (unsafe !== undefined) {
        throw outsideError(
          "mlflow.artifacts",
          `${label} lists a ${isFolder ? "folder" : "file"} called ${JSON.stringify(name)}${unsafe === "" ? "" : `, which ${unsafe}`}`,
        );
      }
      const path = below === "" ? name : `${below}/${name}`;
      if (isFolder) await walk(path, depth + 1);
      else found.push({ path, bytes });
      if (found.length > MAX_FILES) throw outsideError("mlflow.artifacts", `${label} has more than ${MAX_FILES} files`);
    }
  };
  await walk("", 0);
  return found;
}
