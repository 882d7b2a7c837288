import * as z from "zod";
import { outsideError } from "../../../lib/error.ts";
import { sendHttp } from "../../../lib/http.ts";
import { learnSecret } from "../../../lib/redact.ts";
import { type AuthWorld, requestToken } from "./oauth.ts";
import { type Programs, runForJson } from "./programs.ts";
import type { Token, TokenSource } from "./token.ts";

/** The application that stands for Azure Databricks in Entra. */
const DATABRICKS = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";

export interface AzureCloud {
  login: string;
  management: string;
}
const CLOUDS: readonly [string, AzureCloud][] = [
  [
    ".azuredatabricks.net",
    { login: "https://login.microsoftonline.com", management: "https://management.core.windows.net/" },
  ],
  [
    ".databricks.azure.us",
    { login: "https://login.microsoftonline.us", management: "https://management.core.usgovcloudapi.net/" },
  ],
  [
    ".databricks.azure.cn",
    { login: "https://login.chinacloudapi.cn", management: "https://management.core.chinacloudapi.cn/" },
  ],
];

/** Azure's addresses for a workspace, by its host; undefined where it is not one of Azure's. */
export function azureCloud(host: string): AzureCloud | undefined {
  const { hostname } = new URL(host);
  return CLOUDS.find(([zone]) => hostname.endsWith(zone))?.[1];
}

export interface AzurePrincipal {
  clientId: string;
  clientSecret: string;
  tenant: string;
  /** The workspace in Azure's own words, where the principal was not added to the workspace itself. */
  resourceId: string | undefined;
}

/** A service principal of Entra, by its secret. */
export function azureClientSecret(
  cloud: AzureCloud,
  principal: AzurePrincipal,
  whose: string,
  world: AuthWorld,
): TokenSource {
  const { clientId, clientSecret, tenant, resourceId } = principal;
  const tokenFor = (resource: string): Promise<Token> =>
    requestToken(
      `${cloud.login}/${encodeURIComponent(tenant)}/oauth2/token`,
      { grant_type: "client_credentials", client_id: clientId, client_secret: clientSecret, resource },
      { whose, world },
    );
  let management: Token | undefined;
  return {
    fetch: () => tokenFor(DATABRICKS),
    keptFor: async () => ["azure-client-secret", world.host, tenant, clientId, clientSecret],
    ...(resourceId !== undefined && {
      async headers() {
        if (management?.expiresMs === undefined || management.expiresMs - world.now() < 60_000)
          management = await tokenFor(cloud.management);
        return {
          "x-databricks-azure-sp-management-token": management.value,
          "x-databricks-azure-workspace-resource-id": resourceId,
        };
      },
    }),
  };
}

const printed = z.object({
  accessToken: z.string().min(1),
  expires_on: z.union([z.number(), z.string().regex(/^\d+$/)]).optional(),
  expiresOn: z.string().optional(),
});

/** The login of `az login`, as the program itself hands it out. */
export function azureCli(
  program: string,
  tenant: string | undefined,
  programs: Programs,
  world: AuthWorld,
): TokenSource {
  return {
    async fetch() {
      const of = tenant ?? (await tenantOf(world));
      const argv = [program, "account", "get-access-token", "--resource", DATABRICKS, "--output", "json"];
      // An identity of the machine has no tenant to choose.
      const answer =
        of === undefined
          ? await runForJson(argv, programs, {})
          : await runForJson([...argv, "--tenant", of], programs, {}).catch((error: unknown) =>
              tenant === undefined ? runForJson(argv, programs, {}) : Promise.reject(error),
            );
      const parsed = printed.safeParse(answer);
      if (!parsed.success)
        throw outsideError("databricks.program", `${program} account get-access-token did not print a token`);
      const { accessToken, expires_on: epoch, expiresOn } = parsed.data;
      // Without an offset it is local time.
      const local = Date.parse((expiresOn ?? "").replace(" ", "T"));
      const expiresMs = epoch !== undefined ? Number(epoch) * 1000 : Number.isNaN(local) ? undefined : local;
      return { value: learnSecret(accessToken), expiresMs, fromMs: world.now() };
    },
  };
}

/** The tenant of a workspace: its login page is one of that tenant's. */
async function tenantOf({ host, signal }: AuthWorld): Promise<string | undefined> {
  const reply = await sendHttp({ method: "GET", url: `${host}/aad/auth`, signal, retries: 1, timeoutMs: 10_000 });
  const location = reply.headers.location ?? "";
  return URL.canParse(location) ? /^\/([0-9a-f-]{36})\//i.exec(new URL(location).pathname)?.[1] : undefined;
}
