import { readFileSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import * as tls from "node:tls";
import { errnoOf, type FactoryError, usageError } from "./error.ts";
import { httpSettings } from "./http-settings.ts";
import { proxyFor } from "./proxy.ts";

/** Shorter than the five seconds after which common servers close an idle connection: a stale one is never used. */
const CONNECTIONS = { keepAlive: true, maxSockets: 8, timeout: 4000 };

let agents = new Map<string, http.Agent>();
let madeFor: object | undefined;

/** The keeper of connections for an address: direct, or through the proxy that the variables name. */
export async function agentFor(url: URL): Promise<http.Agent> {
  const { variables } = httpSettings();
  if (madeFor !== variables) {
    agents = new Map();
    madeFor = variables;
  }
  const proxy = proxyFor(url, variables);
  const key = `${url.protocol} ${proxy ?? ""}`;
  const known = agents.get(key);
  if (known !== undefined) return known;
  const trust = url.protocol === "https:" ? trusted(variables) : {};
  const agent =
    proxy !== undefined
      ? await proxyAgent(proxy, trust)
      : url.protocol === "https:"
        ? new https.Agent({ ...CONNECTIONS, ...trust })
        : new http.Agent(CONNECTIONS);
  agents.set(key, agent);
  return agent;
}

/** Asks the proxy for a tunnel, for plain http too: what is sent through is between the two ends. */
async function proxyAgent(proxy: string, trust: { secureContext?: tls.SecureContext }): Promise<http.Agent> {
  const { HttpsProxyAgent } = await import("https-proxy-agent");
  const agent = new HttpsProxyAgent(proxy, { ...CONNECTIONS, ...trust });
  // What it is made with holds for the way to the proxy alone; these hold for the server behind it.
  Object.assign(agent.options, trust);
  return agent;
}

/** Node's own authorities, and those of SSL_CERT_FILE. What NODE_EXTRA_CA_CERTS names, Node has read already. */
function trusted(variables: Readonly<Record<string, string>>): { secureContext?: tls.SecureContext } {
  const { SSL_CERT_FILE: file = "", NODE_EXTRA_CA_CERTS: extra = "" } = variables;
  if (file === "" || file === extra) return {};
  // A list of one's own takes the place of Node's, so that it has to hold those too.
  const ca = [...tls.rootCertificates, authorities("SSL_CERT_FILE", file)];
  if (extra !== "") ca.push(authorities("NODE_EXTRA_CA_CERTS", extra));
  return { secureContext: tls.createSecureContext({ ca }) };
}

function authorities(variable: string, file: string): string {
  let text = "";
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw unreadable(variable, file, errnoOf(error) ?? "error");
  }
  if (!text.includes("-----BEGIN CERTIFICATE-----")) throw unreadable(variable, file, "no certificate in PEM form");
  return text;
}

function unreadable(variable: string, file: string, why: string): FactoryError {
  return usageError(
    "http.authorities",
    `${variable} names ${file}, which cannot be read as certificates (${why})`,
    "correct or unset the variable",
  );
}
