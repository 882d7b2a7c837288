import { usageError } from "./error.ts";
import { publicUrl } from "./public-url.ts";

/**
 * The proxy for an address, by the variables that every tool reads: HTTPS_PROXY or HTTP_PROXY by the scheme, else ALL_PROXY, but for
 * what NO_PROXY names. This machine is never reached through one. Throws exit 2 for a proxy that is no http address.
 */
export function proxyFor(url: URL, variables: Readonly<Record<string, string>>): string | undefined {
  const read = (name: string) => variables[name.toLowerCase()] || variables[name] || undefined;
  const secure = url.protocol === "https:";
  // In a web server HTTP_PROXY may come from a visitor's header; a command line has none.
  const named = read(secure ? "HTTPS_PROXY" : "HTTP_PROXY") ?? read("ALL_PROXY");
  if (named === undefined || isLocal(url.hostname) || isExempt(url, read("NO_PROXY") ?? "")) return undefined;
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(named) ? named : `http://${named}`;
  if (!URL.canParse(whole) || !/^https?:$/.test(new URL(whole).protocol))
    throw usageError(
      "http.proxy",
      `the proxy ${publicUrl(whole)} is not an http address`,
      "give HTTPS_PROXY in the form http://proxy.example.com:3128",
    );
  return whole;
}

function isLocal(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

/** Names in NO_PROXY stand for themselves and what is below them; `*` for everything; a port limits one to it. */
function isExempt(url: URL, list: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return list
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => {
      if (entry === "*") return true;
      const [, name = "", only] = /^(.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
      if (only !== undefined && only !== port) return false;
      const bare = name.replace(/^\*?\./, "");
      return bare !== "" && (host === bare || host.endsWith(`.${bare}`));
    });
}
