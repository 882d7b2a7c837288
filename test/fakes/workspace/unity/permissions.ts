import * as z from "zod";
import { groupNames, principalNamed } from "../principals.ts";
import { type Ask, badValue, bodyOf, ok, param, queryOf, type Reply, type Route, refuse } from "../route.ts";
import { chainOf, demandExists, holds } from "./rights.ts";
import { grantKey, type Kind, unity } from "./store.ts";

const KINDS: Record<string, Kind> = {
  metastore: "metastore",
  catalog: "catalog",
  schema: "schema",
  volume: "volume",
  function: "function",
  table: "table",
};

/** Of the SDK's enum (reference 7.2), what the securables here can carry; CREATE_MODEL_VERSION comes from the vendor's pages (4.4). */
const PRIVILEGES = new Set(
  (
    "ALL_PRIVILEGES APPLY_TAG BROWSE CREATE CREATE_CATALOG CREATE_CONNECTION CREATE_EXTERNAL_LOCATION CREATE_EXTERNAL_TABLE CREATE_EXTERNAL_VOLUME " +
    "CREATE_FUNCTION CREATE_MATERIALIZED_VIEW CREATE_MODEL CREATE_MODEL_VERSION CREATE_SCHEMA CREATE_STORAGE_CREDENTIAL CREATE_TABLE CREATE_VIEW " +
    "CREATE_VOLUME EXECUTE EXTERNAL_USE_SCHEMA MANAGE MANAGE_ALLOWLIST MODIFY READ_VOLUME REFRESH SELECT USAGE USE_CATALOG USE_SCHEMA WRITE_VOLUME"
  ).split(" "),
);

const change = z.strictObject({
  principal: z.string(),
  add: z.array(z.string()).optional(),
  remove: z.array(z.string()).optional(),
});

/** Grants. Models are of the type `function` (reference 4.4, 7.1). */
export const permissionRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/api/2.1/unity-catalog/permissions/:type/:full_name",
    cites: "7.1, grants get",
    handle(ask) {
      const { kind, fullName, query } = asked(ask);
      const direct = [...(unity.of(ask.state).grants.get(grantKey(kind, fullName)) ?? [])];
      return assignments(
        visibleTo(ask, kind, fullName, query.principal, direct).map(([principal, privileges]) => ({
          principal,
          privileges: [...privileges].sort(),
        })),
      );
    },
  },
  {
    method: "PATCH",
    path: "/api/2.1/unity-catalog/permissions/:type/:full_name",
    cites: "7.1, grants update: the same privilege in add and remove is 400",
    handle: update,
  },
  {
    method: "GET",
    path: "/api/2.1/unity-catalog/effective-permissions/:type/:full_name",
    cites: "7.1, effective grants: inherited_from_type and _name",
    handle: effective,
  },
];

const listQuery = z.strictObject({
  principal: z.string().optional(),
  max_results: z.coerce.number().int().min(0).optional(),
  page_token: z.string().optional(),
});

function asked(ask: Ask) {
  const query = queryOf(ask, listQuery);
  if (query.max_results !== undefined && query.max_results > 0 && query.max_results < 150)
    throw badValue("max_results must be 0 or at least 150.");
  return { ...securableOf(ask), query };
}

function securableOf(ask: Ask): { kind: Kind; fullName: string } {
  const kind = KINDS[param(ask, "type").toLowerCase()];
  if (kind === undefined) throw badValue(`'${param(ask, "type")}' is not a valid securable type.`);
  const fullName = kind === "metastore" ? param(ask, "full_name") : param(ask, "full_name").toLowerCase();
  if (kind !== "metastore") demandExists(ask.state, kind, fullName);
  return { kind, fullName };
}

/** Everybody sees the grants of themselves and their groups; who manages the securable, all. */
function visibleTo(
  ask: Ask,
  kind: Kind,
  fullName: string,
  principal: string | undefined,
  grants: readonly [string, Set<string>][],
): [string, Set<string>][] {
  const all = holds(ask.state, ask.principal, kind, fullName, "MANAGE");
  const own = new Set([ask.principal.name, ...ask.principal.groups, "account users"]);
  const wanted = principal === undefined ? undefined : namesOf(ask, principal);
  return grants.filter(
    ([name, privileges]) => privileges.size > 0 && (all || own.has(name)) && (wanted === undefined || wanted.has(name)),
  );
}

/** A filter by principal also tells what comes through its groups. */
function namesOf(ask: Ask, name: string): Set<string> {
  return new Set([name, ...(principalNamed(ask.state, name)?.groups ?? []), "account users"]);
}

const assignments = (privilege_assignments: readonly object[]): Reply =>
  ok({ ...(privilege_assignments.length > 0 && { privilege_assignments }) });

function update(ask: Ask): Reply {
  const body = bodyOf(
    ask,
    z.strictObject({ changes: z.array(change), omit_permissions_in_response: z.boolean().optional() }),
  );
  const { kind, fullName } = securableOf(ask);
  if (!holds(ask.state, ask.principal, kind, fullName, "MANAGE"))
    throw refuse(403, "PERMISSION_DENIED", `User does not own ${kind} '${fullName}' and has no MANAGE on it.`);
  for (const { principal, add = [], remove = [] } of body.changes) {
    const unknown = [...add, ...remove].find((each) => !PRIVILEGES.has(each.replaceAll(" ", "_").toUpperCase()));
    if (unknown !== undefined) throw badValue(`Privilege ${unknown} is not known.`);
    const both = add.find((each) => remove.includes(each));
    if (both !== undefined) throw badValue(`Privilege ${both} is both added and removed.`);
    if (!isKnown(ask, principal))
      throw refuse(404, "PRINCIPAL_DOES_NOT_EXIST", `Could not find principal with name ${principal}.`);
  }
  const { grants } = unity.of(ask.state);
  const given = grants.get(grantKey(kind, fullName)) ?? new Map<string, Set<string>>();
  grants.set(grantKey(kind, fullName), given);
  for (const { principal, add = [], remove = [] } of body.changes) {
    const privileges = new Set([...(given.get(principal) ?? []), ...add]);
    for (const each of remove) privileges.delete(each);
    if (privileges.size > 0) given.set(principal, privileges);
    else given.delete(principal);
  }
  if (body.omit_permissions_in_response === true) return ok();
  return assignments([...given].map(([principal, privileges]) => ({ principal, privileges: [...privileges].sort() })));
}

/** By address, application id or group; not by the display name of a service principal. */
function isKnown(ask: Ask, name: string): boolean {
  const known = principalNamed(ask.state, name);
  return name === "account users" || known?.name === name || groupNames(ask.state).has(name);
}

function effective(ask: Ask): Reply {
  const { kind, fullName, query } = asked(ask);
  const found = new Map<string, object[]>();
  for (const each of chainOf(kind, fullName)) {
    const grants = [...(unity.of(ask.state).grants.get(grantKey(each.kind, each.fullName)) ?? [])];
    const own = each.kind === kind && each.fullName === fullName;
    for (const [principal, privileges] of visibleTo(ask, kind, fullName, query.principal, grants)) {
      const told = [...privileges].sort().map((privilege) => ({
        privilege,
        ...(!own && { inherited_from_type: each.kind.toUpperCase(), inherited_from_name: each.fullName }),
      }));
      found.set(principal, [...(found.get(principal) ?? []), ...told]);
    }
  }
  return assignments([...found].map(([principal, privileges]) => ({ principal, privileges })));
}
