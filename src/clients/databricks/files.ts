import { rm } from "node:fs/promises";
import * as z from "zod";
import { digestStream, type Streamer, saveStream } from "../../lib/download.ts";
import { outsideError } from "../../lib/error.ts";
import { inParallel } from "../../lib/parallel.ts";
import type { ModelSource, RemoteFile } from "../../registry/model-files.ts";
import { accept } from "./replies.ts";
import type { Workspace, WorkspaceCall } from "./workspace.ts";

/** The Files API: volumes below `/Volumes`, and bytes of model versions below `/Models` where the workspace has them. */

const MAX_FILES = 10_000;
const MAX_DEPTH = 20;
const PAGE = 1000;
const MAX_PAGES = 1000;
const AT_ONCE = 4;
const MAX_READS = 3;

const listing = z.object({
  contents: z
    .array(
      z.object({
        path: z.string().min(1).max(5000),
        is_directory: z.boolean().default(false),
        file_size: z.number().default(0),
      }),
    )
    .default([]),
  next_page_token: z.string().default(""),
});
const nothing = z.looseObject({});

/** The path of a call about an absolute path, each of its parts encoded. */
function filesPath(kind: "files" | "directories", path: string): string {
  return `/api/2.0/fs/${kind}${path.split("/").map(encodeURIComponent).join("/")}`;
}

/** Every file below a folder, relative to it; empty when it is not there. A name that could leave its folder is refused. */
export async function listBelow(workspace: Workspace, root: string, label: string): Promise<RemoteFile[]> {
  const found: RemoteFile[] = [];
  const walk = async (below: string, depth: number): Promise<void> => {
    if (depth > MAX_DEPTH) throw listProblem(`${label} has folders more than ${MAX_DEPTH} deep`);
    const folders: string[] = [];
    for (const entry of await listFolder(workspace, below === "" ? root : `${root}/${below}`, label)) {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      if (entry.isFolder) folders.push(path);
      else found.push({ path, bytes: entry.bytes });
      if (found.length > MAX_FILES) throw listProblem(`${label} has more than ${MAX_FILES} files`);
    }
    await inParallel(folders, AT_ONCE, (folder) => walk(folder, depth + 1));
  };
  await walk("", 0);
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function listFolder(workspace: Workspace, folder: string, label: string) {
  const entries: { name: string; isFolder: boolean; bytes: number }[] = [];
  for (let token = "", pages = 0; ; pages++) {
    if (pages === MAX_PAGES) throw listProblem(`${workspace.label} lists ${label} without end`);
    const query = { page_size: String(PAGE), ...(token !== "" && { page_token: token }) };
    const call: WorkspaceCall = { method: "GET", path: filesPath("directories", folder), query };
    const page = await workspace.find(call, listing);
    if (page === undefined) return entries;
    for (const { path, is_directory: isFolder, file_size: bytes } of page.contents) {
      const whole = path.replace(/\/$/, "");
      const name = whole.startsWith(`${folder}/`) ? whole.slice(folder.length + 1) : "";
      // A file's name with a backslash is refused by what reads the list, in its own words.
      if (["", ".", ".."].includes(name) || (isFolder ? /[/\\\0]/ : /[/\0]/).test(name))
        throw listProblem(`${label} lists a ${isFolder ? "folder" : "file"} called ${JSON.stringify(path)}`);
      entries.push({ name, isFolder, bytes });
    }
    token = page.next_page_token;
    if (token === "") return entries;
  }
}

const listProblem = (message: string) => outsideError("files.list", message);

/**
 * Reads again what comes shorter than it is said to be: it was cut on its way, however well the reply ended. Throws exit 4 when it is still
 * so; `told` undefined: it is not known how long it is.
 */
export async function readWhole<T extends { bytes: number }>(
  label: string,
  told: number | undefined,
  read: (tries: number) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    const got = await read(tries);
    if (told === undefined || told === got.bytes) return got;
    if (tries === MAX_READS)
      throw outsideError("files.cut", `${label} has ${told} bytes, and ${got.bytes} arrived`, "run the command again");
  }
}

/**
 * The files below a folder as the bytes of a model. `missing` is thrown when one of them is not there. `lone`: single files are asked for
 * that were never listed, so that their length is looked up.
 */
export function filesSource(
  workspace: Workspace,
  root: string,
  label: string,
  missing: () => Error,
  { lone = false } = {},
): ModelSource {
  const streamOf =
    (path: string): Streamer =>
    async (read) => {
      const call: WorkspaceCall = { method: "GET", path: filesPath("files", `${root}/${path}`) };
      // In a box of its own: what is read may be undefined itself.
      const found = await workspace.stream(call, async (body, head) => ({ value: await read(body, head) }));
      if (found === undefined) throw missing();
      return found.value;
    };
  /** Lengths as they were listed: a file that comes shorter was cut on its way, however well the reply ended. */
  const lengths = new Map<string, number>();
  const lengthOf = async (path: string): Promise<number | undefined> => {
    if (!lone || lengths.has(path)) return lengths.get(path);
    const parts = path.split("/");
    const name = parts.pop();
    const entries = await listFolder(workspace, [root, ...parts].join("/"), label);
    return entries.find((each) => each.name === name && !each.isFolder)?.bytes;
  };
  const whole = async (path: string, read: (tries: number) => Promise<{ sha256: string; bytes: number }>) =>
    readWhole(`${path} of ${label}`, await lengthOf(path), read);
  return {
    label,
    async files() {
      const found = await listBelow(workspace, root, label);
      for (const { path, bytes } of found) lengths.set(path, bytes);
      return found;
    },
    fetch: (path, to, onBytes) =>
      whole(path, async (tries) => {
        if (tries > 1) await rm(to, { force: true });
        return saveStream(streamOf(path), to, onBytes);
      }),
    digest: (path, onBytes) => whole(path, () => digestStream(streamOf(path), onBytes)),
  };
}

/** The bytes of a file, at most `maxBytes`; undefined when it is not there. */
export async function readFileBytes(workspace: Workspace, path: string, maxBytes: number): Promise<Buffer | undefined> {
  return workspace.stream({ method: "GET", path: filesPath("files", path) }, async (body) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of body) {
      if (!(chunk instanceof Uint8Array)) continue;
      size += chunk.byteLength;
      if (size > maxBytes) throw outsideError("http.size", `${path} is larger than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  });
}

/** SHA-256 (hex) of a file of any length; undefined when it is not there. */
export async function digestFile(workspace: Workspace, path: string): Promise<string | undefined> {
  const call: WorkspaceCall = { method: "GET", path: filesPath("files", path) };
  const found = await workspace.stream(call, async (body, head) => digestStream((read) => read(body, head)));
  return found?.sha256;
}

/** Makes a folder and those above it. Safe to repeat. */
export async function makeFolder(workspace: Workspace, path: string): Promise<void> {
  await workspace.demand({ method: "PUT", path: filesPath("directories", path) }, nothing);
}

/** Writes a file, whole or not at all, unless one is there: false. After a lost reply the one that is there may be this one. */
export async function writeNewFile(workspace: Workspace, path: string, body: Uint8Array): Promise<boolean> {
  const call: WorkspaceCall = {
    method: "PUT",
    path: filesPath("files", path),
    query: { overwrite: "false" },
    headers: { "content-type": "application/octet-stream" },
    body,
  };
  const { request, reply } = await workspace.attempt(call);
  if (reply.status === 409) return false;
  accept(request, reply, nothing, workspace.label);
  return true;
}
