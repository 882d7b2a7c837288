import { usageError } from "../../../lib/error.ts";
import { isLoopback } from "../../../lib/loopback.ts";

/**
 * The origin of a workspace as its tools write it: the scheme may be missing, path and query are dropped. A credential is sent there,
 * so it must be https; plain http is for this machine alone. Throws exit 2.
 */
export function workspaceHost(text: string, from: string): string {
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`;
  const url = URL.canParse(whole) ? new URL(whole) : undefined;
  if (url === undefined || url.hostname === "")
    throw usageError("databricks.host", `${from}: that is not the address of a workspace`, FORM);
  if (url.username !== "" || url.password !== "")
    throw usageError("databricks.host", `${from}: the address of a workspace must not carry credentials`, FORM);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url.hostname)))
    throw usageError("databricks.host", `${from}: ${url.origin} is not an https address`, FORM);
  return url.origin;
}

const FORM = "the form is https://adb-….azuredatabricks.net";

/** The workspace that the address of a host with several names in its query: `?o=`, as copied from a browser. */
export function workspaceIdOf(text: string): string | undefined {
  const query = new URLSearchParams(/\?(.*)$/.exec(text)?.[1] ?? "");
  const id = query.get("w") ?? query.get("o") ?? query.get("workspace_id") ?? "";
  return /^[A-Za-z0-9_-]{1,64}$/.test(id) ? id : undefined;
}
