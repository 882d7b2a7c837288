import { grantNames, type Principal } from "../principals.ts";
import { denied, notFound } from "../route.ts";
import type { State } from "../state.ts";
import { grantKey, type Kind, parentOf, type Securable, unity } from "./store.ts";

const LABEL: Record<Kind, string> = {
  metastore: "Metastore",
  catalog: "Catalog",
  schema: "Schema",
  volume: "Volume",
  function: "Routine or Model",
  table: "Table",
};

const MISSING: Record<Kind, string> = {
  metastore: "METASTORE_DOES_NOT_EXIST",
  catalog: "CATALOG_DOES_NOT_EXIST",
  schema: "SCHEMA_DOES_NOT_EXIST",
  volume: "VOLUME_DOES_NOT_EXIST",
  function: "RESOURCE_DOES_NOT_EXIST",
  table: "TABLE_DOES_NOT_EXIST",
};

/** Not covered by ALL_PRIVILEGES (reference 7.2). */
const APART = new Set(["MANAGE", "EXTERNAL_USE_SCHEMA", "EXTERNAL_USE_LOCATION"]);

/** A securable and those that it lies in, innermost first. */
export function chainOf(kind: Kind, fullName: string): { kind: Kind; fullName: string }[] {
  if (kind === "metastore") return [{ kind, fullName }];
  const above: Kind = kind === "catalog" ? "metastore" : kind === "schema" ? "catalog" : "schema";
  return [{ kind, fullName }, ...(above === "metastore" ? [] : chainOf(above, parentOf(fullName)))];
}

export function findSecurable(state: State, kind: Kind, fullName: string): Securable | undefined {
  const known = unity.of(state);
  switch (kind) {
    case "catalog":
      return known.catalogs.get(fullName);
    case "schema":
      return known.schemas.get(fullName);
    case "volume":
      return known.volumes.get(fullName);
    case "table":
      return known.tables.get(fullName);
    case "function":
      return known.models.get(fullName);
    case "metastore":
      return undefined;
  }
}

/** Whether a principal holds a privilege: granted here or above, to it or to a group of its; or by ownership; or as the admin. */
export function holds(state: State, principal: Principal, kind: Kind, fullName: string, privilege: string): boolean {
  if (principal.admin) return true;
  if (owns(state, principal, kind, fullName)) return true;
  const chain = chainOf(kind, fullName);
  // Who owns a container manages what is in it and may use it; to read the contents takes a grant.
  const byContainer = privilege === "MANAGE" || privilege === "USE_SCHEMA";
  if (byContainer && chain.slice(1).some((each) => owns(state, principal, each.kind, each.fullName))) return true;
  return chain.some((each) => {
    const granted = grantedTo(state, principal, each.kind, each.fullName);
    return granted.has(privilege) || (granted.has("ALL_PRIVILEGES") && !APART.has(privilege));
  });
}

export function owns(state: State, principal: Principal, kind: Kind, fullName: string): boolean {
  const owner = findSecurable(state, kind, fullName)?.owner;
  return owner !== undefined && (owner === principal.name || principal.groups.includes(owner));
}

export function grantedTo(state: State, principal: Principal, kind: Kind, fullName: string): Set<string> {
  const grants = unity.of(state).grants.get(grantKey(kind, fullName));
  return new Set(grantNames(principal).flatMap((name) => [...(grants?.get(name) ?? [])]));
}

/** Refuses unless the principal holds one of the privileges on that securable. */
export function demand(state: State, principal: Principal, kind: Kind, fullName: string, ...anyOf: string[]): void {
  if (anyOf.some((privilege) => holds(state, principal, kind, fullName, privilege))) return;
  throw denied(`User does not have ${spoken(anyOf)} on ${LABEL[kind]} '${fullName}'.`);
}

/** Refuses unless the containers of a securable exist and the principal may use them. */
export function demandContainers(state: State, principal: Principal, kind: Kind, fullName: string): void {
  for (const { kind: above, fullName: name } of chainOf(kind, fullName).slice(1).reverse()) {
    demandExists(state, above, name);
    demand(state, principal, above, name, above === "catalog" ? "USE_CATALOG" : "USE_SCHEMA");
  }
}

export function demandExists(state: State, kind: Kind, fullName: string): void {
  if (findSecurable(state, kind, fullName) === undefined) throw missing(kind, fullName);
}

export const missing = (kind: Kind, fullName: string): Error =>
  notFound(`${LABEL[kind]} '${fullName}' does not exist.`, MISSING[kind]);

/** `CREATE_MODEL` as SQL and messages spell it. */
const spoken = (privileges: readonly string[]): string =>
  privileges.map((each) => each.replaceAll("_", " ")).join(" or ");
