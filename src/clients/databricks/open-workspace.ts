import { usageError } from "../../lib/error.ts";
import type { WorkspaceAddress } from "../../policy/policy.ts";
import { configFilePath, readConfigFile } from "./auth/config-file.ts";
import { workspaceHost } from "./auth/host.ts";
import type { Workspace } from "./workspace.ts";
import { workspaceApi } from "./workspace-api.ts";

export interface OpenOptions {
  variables: Readonly<Record<string, string>>;
  /** The user's home folder. */
  home: string;
  /** Where tokens are kept between commands. */
  places: { config: string; cache: string };
  signal?: AbortSignal;
  /** Factory's own version, for the user agent. */
  version: string;
}

/**
 * The workspace that a policy names. Throws exit 2 when its profile cannot be used: it is missing, has no credential, or is of
 * another host than the policy pins. Asks the workspace nothing yet.
 */
export async function openWorkspace(address: WorkspaceAddress, options: OpenOptions): Promise<Workspace> {
  const file = readConfigFile(configFilePath(options.variables, options.home));
  const profile = file.profiles.get(address.profile);
  if (profile === undefined)
    throw usageError(
      "databricks.profile",
      `${file.path} has no profile ${address.profile}`,
      `databricks auth login --profile ${address.profile}, or write it by hand: docs/authentication.md`,
    );
  const named = profile.get("host") ?? "";
  if (named === "") throw usageError("databricks.host", `profile ${address.profile} of ${file.path} has no host`);
  const host = workspaceHost(named, `profile ${address.profile} of ${file.path}`);
  const pinned = address.host === undefined ? host : workspaceHost(address.host, "policy.yaml");
  if (pinned !== host)
    throw usageError(
      "databricks.host",
      `profile ${address.profile} of ${file.path} is of ${host}, and the policy says ${pinned}`,
      "correct the profile, or have the policy changed by its owners",
    );
  const token = profile.get("token") ?? "";
  if (token === "")
    throw usageError("databricks.credential", `profile ${address.profile} of ${file.path} has no token`);
  return workspaceApi({
    host,
    label: `${host} (profile ${address.profile})`,
    credential: { authType: "pat", from: `profile ${address.profile} of ${file.path}` },
    token: async () => token,
    headers: { "user-agent": `factory/${options.version}` },
    signal: options.signal,
  });
}
