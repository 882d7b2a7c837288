import { httpSettings } from "../../lib/http-settings.ts";
import type { WorkspaceAddress } from "../../policy/policy.ts";
import { chooseCredential } from "./auth/choose.ts";
import { settingsForAddress } from "./auth/for-address.ts";
import { workspaceIdOf } from "./auth/host.ts";
import { keepToken } from "./auth/keep-token.ts";
import { tokenStore } from "./auth/token-store.ts";
import type { Workspace } from "./workspace.ts";
import { workspaceApi } from "./workspace-api.ts";

export interface OpenOptions {
  variables: Readonly<Record<string, string>>;
  /** The user's home folder. */
  home: string;
  /** Where tokens are kept between commands. */
  places: { config: string; cache: string };
  signal?: AbortSignal;
  /** Factory's own version. */
  version: string;
  now?(): number;
}

/**
 * The workspace that a policy names, as the identity that the user's own profile or variables give. Throws exit 2 when there is none,
 * when two kinds of credentials are configured, or when the host is another than the policy pins. The workspace itself is asked
 * nothing before the first call, unless it takes its answer to tell which login counts.
 */
export async function openWorkspace(address: WorkspaceAddress, options: OpenOptions): Promise<Workspace> {
  const { variables, home, signal, places, now = Date.now } = options;
  const resolved = settingsForAddress(address, { variables, home });
  const { host, settings, profile } = resolved;
  const world = { host, signal, now };
  const chosen = await chooseCredential(resolved, world, { variables, home, signal }, variables);
  const id = settings.get("workspace_id")?.value ?? workspaceIdOf(settings.get("host")?.value ?? "");
  return workspaceApi({
    host,
    label: `${host}${profile === undefined ? "" : ` (profile ${profile})`}`,
    credential: { authType: chosen.authType, from: chosen.from },
    token: keepToken(chosen.source, tokenStore(places.config, now), { first: chosen.first, now }),
    headers: async () => ({
      "user-agent": `${httpSettings().userAgent} auth/${chosen.authType}`,
      ...(id !== undefined && { "x-databricks-org-id": id }),
      ...(await chosen.source.headers?.()),
    }),
    signal,
  });
}
