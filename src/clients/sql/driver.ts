import { readFileSync } from "node:fs";
import { DBSQLClient } from "@databricks/sql";
import { httpSettings } from "../../lib/http-settings.ts";
import { proxyFor } from "../../lib/proxy.ts";
import type { Workspace } from "../databricks/workspace.ts";

/**
 * The driver of Databricks, made quiet: its own logger would catch errors of ours and print them on stdout, and it would call home.
 * This module, and all that it brings, is loaded when the first statement is to be sent.
 */

/** A statement is asked after in short calls; none of them is silent for longer. */
const SILENCE_MS = 180_000;

type Session = Awaited<ReturnType<DBSQLClient["openSession"]>>;

export async function connectDriver(
  workspace: Workspace,
  id: string,
): Promise<{ session: Session; close(): Promise<void> }> {
  const url = new URL(workspace.host);
  const { variables, userAgent } = httpSettings();
  const client = new DBSQLClient({ logger: { log: () => {} } });
  // Without a listener each broken connection would end the process.
  client.on("error", () => {});
  const authority = variables.SSL_CERT_FILE ?? "";
  await client.connect({
    host: url.hostname,
    port: url.port === "" ? 443 : Number(url.port),
    path: `/sql/1.0/warehouses/${id}`,
    authType: "custom",
    // Asked before each call, so that a token that ends in between is a new one by then.
    provider: { authenticate: async () => ({ Authorization: `Bearer ${await workspace.token()}` }) },
    userAgentEntry: userAgent,
    socketTimeout: SILENCE_MS,
    retryMaxAttempts: 5,
    retryDelayMin: 500,
    retryDelayMax: 10_000,
    retriesTimeout: 60_000,
    telemetryEnabled: variables.FACTORY_SQL_TELEMETRY === "1",
    ...proxyOf(url, variables),
    ...(authority !== "" && authority !== variables.NODE_EXTRA_CA_CERTS && { customCaCert: readFileSync(authority) }),
  });
  const session = await client.openSession();
  return { session, close: () => client.close() };
}

type Proxy = NonNullable<Parameters<DBSQLClient["connect"]>[0]["proxy"]>;

function proxyOf(url: URL, variables: Readonly<Record<string, string>>): { proxy?: Proxy } {
  const named = proxyFor(url, variables);
  if (named === undefined) return {};
  const { protocol, hostname, port, username, password } = new URL(named);
  const secure = protocol === "https:";
  const auth = username === "" ? {} : { auth: { username, password } };
  return {
    proxy: {
      protocol: secure ? "https" : "http",
      host: hostname,
      port: port === "" ? (secure ? 443 : 80) : Number(port),
      ...auth,
    },
  };
}
