import * as z from "zod";
import { EVERYBODY } from "./acl.ts";
import { type Ask, badValue, bodyOf, denied, notFound, ok, queryOf, type Route, refuse } from "./route.ts";
import { defineSection } from "./state.ts";

interface Scope {
  name: string;
  /** Values are written and never read back. */
  secrets: Map<string, { bytes: string; last_updated_timestamp: number }>;
  acls: Map<string, "READ" | "WRITE" | "MANAGE">;
}

export const secrets = defineSection("secrets", () => ({ scopes: new Map<string, Scope>() }));

const P = "/api/2.0/secrets";
const SDK = "driven by databricks-sdk secrets";
const ORDER = ["READ", "WRITE", "MANAGE"];
const NAME = /^[\w.-]{1,128}$/;
const MOST = 128 * 1024;

function may(ask: Ask, scope: Scope, permission: string): boolean {
  if (ask.principal.admin) return true;
  return [ask.principal.name, ...ask.principal.groups, EVERYBODY].some(
    (name) => ORDER.indexOf(scope.acls.get(name) ?? "") >= ORDER.indexOf(permission),
  );
}

function scopeOf(ask: Ask, name: string, permission: "READ" | "WRITE" | "MANAGE"): Scope {
  const scope = secrets.of(ask.state).scopes.get(name);
  if (scope === undefined) throw notFound(`Scope ${name} does not exist!`);
  if (!may(ask, scope, permission))
    throw denied(`${ask.principal.name} does not have ${permission} permission on scope ${name}.`);
  return scope;
}

const post = (path: string, cites: string, handle: Route["handle"]): Route => ({
  method: "POST",
  path: `${P}/${path}`,
  cites,
  handle,
});
const get = (path: string, cites: string, handle: Route["handle"]): Route => ({
  method: "GET",
  path: `${P}/${path}`,
  cites,
  handle,
});
const inScope = z.strictObject({ scope: z.string() });
const inScopeKey = z.strictObject({ scope: z.string(), key: z.string() });
const inScopePrincipal = z.strictObject({ scope: z.string(), principal: z.string() });

/** Secrets, reference 6.4. */
export const secretRoutes: readonly Route[] = [
  post("scopes/create", `reference 6.4 scopes/create; ${SDK}.create_scope`, (ask) => {
    const body = bodyOf(
      ask,
      z.strictObject({
        scope: z.string(),
        initial_manage_principal: z.string().optional(),
        scope_backend_type: z.string().optional(),
      }),
    );
    if (!NAME.test(body.scope)) throw badValue(`Invalid scope name ${body.scope}.`);
    if (body.initial_manage_principal !== undefined && body.initial_manage_principal !== EVERYBODY)
      throw badValue(`initial_manage_principal can only be ${EVERYBODY}.`);
    const { scopes } = secrets.of(ask.state);
    if (scopes.has(body.scope)) throw refuse(400, "RESOURCE_ALREADY_EXISTS", `Scope ${body.scope} already exists!`);
    scopes.set(body.scope, {
      name: body.scope,
      secrets: new Map(),
      acls: new Map([[body.initial_manage_principal ?? ask.principal.name, "MANAGE"]]),
    });
    return ok();
  }),
  post("scopes/delete", `reference 6.4 scopes/delete; ${SDK}.delete_scope`, (ask) => {
    secrets.of(ask.state).scopes.delete(scopeOf(ask, bodyOf(ask, inScope).scope, "MANAGE").name);
    return ok();
  }),
  get("scopes/list", `reference 6.4 scopes/list; ${SDK}.list_scopes`, (ask) => {
    const seen = [...secrets.of(ask.state).scopes.values()].filter((scope) => may(ask, scope, "READ"));
    return ok(seen.length === 0 ? {} : { scopes: seen.map(({ name }) => ({ name, backend_type: "DATABRICKS" })) });
  }),
  post("put", `reference 6.4 secrets/put: string_value xor bytes_value, ≤128 KB; ${SDK}.put_secret`, (ask) => {
    const body = bodyOf(
      ask,
      z.strictObject({
        scope: z.string(),
        key: z.string(),
        string_value: z.string().optional(),
        bytes_value: z.string().optional(),
      }),
    );
    const scope = scopeOf(ask, body.scope, "WRITE");
    if (!NAME.test(body.key)) throw badValue(`Invalid key ${body.key}.`);
    if ((body.string_value === undefined) === (body.bytes_value === undefined))
      throw badValue("Exactly one of string_value and bytes_value must be given.");
    const bytes =
      body.string_value === undefined ? (body.bytes_value ?? "") : Buffer.from(body.string_value).toString("base64");
    if (Buffer.from(bytes, "base64").length > MOST) throw badValue("The secret is larger than 128 KB.");
    if (!scope.secrets.has(body.key) && scope.secrets.size >= 1000)
      throw refuse(400, "QUOTA_EXCEEDED", "A scope holds at most 1000 secrets.");
    scope.secrets.set(body.key, { bytes, last_updated_timestamp: ask.now() });
    return ok();
  }),
  get("list", `reference 6.4 secrets/list: no paging, no values; ${SDK}.list_secrets`, (ask) => {
    const scope = scopeOf(ask, queryOf(ask, inScope).scope, "READ");
    const list = [...scope.secrets].map(([key, { last_updated_timestamp }]) => ({ key, last_updated_timestamp }));
    return ok(list.length === 0 ? {} : { secrets: list });
  }),
  get("get", `reference 6.4 secrets/get: outside a notebook BAD_REQUEST; ${SDK}.get_secret`, (ask) => {
    scopeOf(ask, queryOf(ask, inScopeKey).scope, "READ");
    throw refuse(400, "BAD_REQUEST", "Secrets can be read from notebooks and jobs only.");
  }),
  post("delete", `reference 6.4 secrets/delete; ${SDK}.delete_secret`, (ask) => {
    const body = bodyOf(ask, inScopeKey);
    if (!scopeOf(ask, body.scope, "WRITE").secrets.delete(body.key))
      throw notFound(`Secret ${body.key} does not exist.`);
    return ok();
  }),
  post("acls/put", `reference 6.4 acls/put; ${SDK}.put_acl`, (ask) => {
    const body = bodyOf(
      ask,
      z.strictObject({ scope: z.string(), principal: z.string(), permission: z.enum(["READ", "WRITE", "MANAGE"]) }),
    );
    scopeOf(ask, body.scope, "MANAGE").acls.set(body.principal, body.permission);
    return ok();
  }),
  get("acls/get", `reference 6.4 acls/get; ${SDK}.get_acl`, (ask) => {
    const { scope, principal } = queryOf(ask, inScopePrincipal);
    const permission = scopeOf(ask, scope, "MANAGE").acls.get(principal);
    if (permission === undefined) throw notFound(`No ACL for ${principal} on scope ${scope}.`);
    return ok({ principal, permission });
  }),
  get("acls/list", `reference 6.4 acls/list; ${SDK}.list_acls`, (ask) => {
    const { acls } = scopeOf(ask, queryOf(ask, inScope).scope, "MANAGE");
    return ok({ items: [...acls].map(([principal, permission]) => ({ principal, permission })) });
  }),
  post("acls/delete", `reference 6.4 acls/delete; ${SDK}.delete_acl`, (ask) => {
    const { scope, principal } = bodyOf(ask, inScopePrincipal);
    if (!scopeOf(ask, scope, "MANAGE").acls.delete(principal))
      throw notFound(`No ACL for ${principal} on scope ${scope}.`);
    return ok();
  }),
];
