import type { AclEntry } from "./acl.ts";
import { EVERYBODY, entryOf } from "./acl.ts";
import { identities } from "./principals.ts";
import { defineSection, type State } from "./state.ts";

export interface WorkspaceObject {
  path: string;
  object_type: "DIRECTORY" | "NOTEBOOK" | "FILE";
  object_id: number;
  language?: string;
  /** Digest of the bytes, in the state's blobs. */
  digest?: string;
  size?: number;
  modified_at: number;
  created_at: number;
}

/** The tree that people see in the workspace: folders, notebooks and files. */
export const workspaceTree = defineSection("workspaceTree", () => ({
  objects: new Map<string, WorkspaceObject>(),
  nextId: 2_000_000_000_000_001,
}));

/** `/`, `/Shared`, `/Users` and everybody's home are always there. */
export function folderExists(state: State, path: string): boolean {
  if (["/", "/Shared", "/Users", "/Repos"].includes(path)) return true;
  if (path.startsWith("/Users/") && identities.of(state).principals.has(path.slice("/Users/".length))) return true;
  return workspaceTree.of(state).objects.get(path)?.object_type === "DIRECTORY";
}

/** What objects in a folder inherit: `/Shared` is open to everybody, a home belongs to its owner. */
export function inheritedEntries(state: State, folder: string): AclEntry[] {
  if (folder === "/Shared" || folder.startsWith("/Shared/"))
    return [{ kind: "group_name", name: EVERYBODY, level: "CAN_MANAGE" }];
  const owner = identities.of(state).principals.get(folder.split("/")[2] ?? "");
  return folder.startsWith("/Users/") && owner !== undefined ? [entryOf(owner, "CAN_MANAGE")] : [];
}
