import type { WorkspaceAddress } from "../../policy/policy.ts";
import type { OpenOptions } from "./open-workspace.ts";
import type { Workspace } from "./workspace.ts";

/** Opens each workspace once, when it is first asked for: its tokens and its clock are shared by everything that talks to it. */
export function shareWorkspaces(options: OpenOptions): (address: WorkspaceAddress) => Promise<Workspace> {
  const opened = new Map<string, Promise<Workspace>>();
  return (address) => {
    const key = JSON.stringify([address.profile, address.host ?? ""]);
    const known = opened.get(key);
    if (known !== undefined) return known;
    const opening = import("./open-workspace.ts").then(({ openWorkspace }) => openWorkspace(address, options));
    opened.set(key, opening);
    return opening;
  };
}
