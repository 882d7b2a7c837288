import * as z from "zod";
import { identities, type Principal } from "./principals.ts";
import { type Ask, badValue, ok, param, queryOf, type Reply, type Route, refuse } from "./route.ts";

const SCIM = "/api/2.0/preview/scim/v2";

const listQuery = z.strictObject({
  filter: z.string().optional(),
  attributes: z.string().optional(),
  excludedAttributes: z.string().optional(),
  startIndex: z.coerce.number().int().min(1).default(1),
  count: z.coerce.number().int().min(0).default(100),
  sortBy: z.string().optional(),
  sortOrder: z.enum(["ascending", "descending"]).optional(),
});

/** SCIM: who one is, who is there. Reference 6.6. */
export const identityRoutes: readonly Route[] = [
  { method: "GET", path: `${SCIM}/Me`, cites: "6.6, scim/v2/Me", handle: (ask) => ok(described(ask.principal)) },
  {
    method: "GET",
    path: `${SCIM}/Users`,
    cites: "6.6, Users list",
    handle: (ask) => list(ask, all(ask, "user").map(described)),
  },
  {
    method: "GET",
    path: `${SCIM}/ServicePrincipals`,
    cites: "6.6, ServicePrincipals list, filter applicationId eq",
    handle: (ask) => list(ask, all(ask, "service-principal").map(described)),
  },
  {
    method: "GET",
    path: `${SCIM}/ServicePrincipals/:id`,
    cites: "6.6, ServicePrincipals get",
    handle: (ask) => one(ask, "service-principal"),
  },
  { method: "GET", path: `${SCIM}/Users/:id`, cites: "6.6, Users get", handle: (ask) => one(ask, "user") },
  {
    method: "GET",
    path: `${SCIM}/Groups`,
    cites: "6.6, Groups list",
    handle: (ask) => list(ask, groups(ask)),
  },
];

const all = (ask: Ask, kind: Principal["kind"]): Principal[] =>
  [...identities.of(ask.state).principals.values()].filter((each) => each.kind === kind);

interface Described {
  id: string;
  userName?: string;
  applicationId?: string;
  displayName: string;
  [attribute: string]: unknown;
}

/** As SCIM shows a principal; the user name of a service principal is its application id. */
function described(principal: Principal): Described {
  const isUser = principal.kind === "user";
  return {
    schemas: [`urn:ietf:params:scim:schemas:core:2.0:${isUser ? "User" : "ServicePrincipal"}`],
    id: principal.id,
    userName: principal.name,
    ...(!isUser && { applicationId: principal.name }),
    displayName: principal.displayName,
    active: true,
    ...(isUser && { emails: [{ type: "work", value: principal.name, primary: true }] }),
    groups: principal.groups.map((display) => ({ display, value: groupId(display), type: "direct" })),
    entitlements: [{ value: "workspace-access" }, { value: "databricks-sql-access" }],
    roles: [],
  };
}

function groups(ask: Ask): Described[] {
  const names = new Set([...identities.of(ask.state).principals.values()].flatMap((each) => each.groups));
  return [...names].sort().map((displayName) => ({
    id: groupId(displayName),
    displayName,
    members: [...identities.of(ask.state).principals.values()]
      .filter((each) => each.groups.includes(displayName))
      .map((each) => ({ value: each.id, display: each.displayName })),
  }));
}

const groupId = (name: string): string =>
  String([...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 1_000_000_007, 7));

function one(ask: Ask, kind: Principal["kind"]): Reply {
  const id = param(ask, "id");
  const found = all(ask, kind).find((each) => each.id === id);
  if (found !== undefined) return ok(described(found));
  const what = kind === "user" ? "User" : "Service principal";
  const detail = `${what} with id ${id} not found.`;
  return { status: 404, body: { schemas: ["urn:ietf:params:scim:api:messages:2.0:Error"], detail, status: "404" } };
}

function list(ask: Ask, found: readonly Described[]): Reply {
  const query = queryOf(ask, listQuery);
  const kept = query.filter === undefined ? found : found.filter(filterOf(query.filter));
  const Resources = kept.slice(query.startIndex - 1, query.startIndex - 1 + query.count);
  return ok({
    schemas: ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
    totalResults: kept.length,
    startIndex: query.startIndex,
    itemsPerPage: Resources.length,
    Resources,
  });
}

/** `applicationId eq "…"`, `displayName eq "…"`, `userName eq "…"`: all that the reference names. */
function filterOf(filter: string): (each: Described) => boolean {
  const match = /^\s*(\w+)\s+eq\s+(?:"([^"]*)"|'([^']*)'|(\S+))\s*$/i.exec(filter);
  const attribute = match?.[1];
  if (attribute === undefined) throw badValue(`Given filter operator is not supported: ${filter}`);
  if (!["applicationId", "displayName", "userName"].includes(attribute))
    throw refuse(400, "INVALID_PARAMETER_VALUE", `Attribute ${attribute} cannot be filtered by`);
  const value = match?.[2] ?? match?.[3] ?? match?.[4] ?? "";
  return (each) => each[attribute] === value;
}
