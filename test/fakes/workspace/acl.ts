import type { Principal } from "./principals.ts";
import { type Ask, denied } from "./route.ts";
import { defineSection, type State } from "./state.ts";

/** Who: one of the three kinds that the Permissions API names. */
export interface AclEntry {
  kind: "user_name" | "group_name" | "service_principal_name";
  name: string;
  level: string;
}

export interface Acl {
  direct: AclEntry[];
  /** From the folder that holds the object, or from the workspace. */
  inherited: AclEntry[];
}

/** Levels of each kind of object that the Permissions API knows, weakest first (reference 2.1, 3.1, 5.1, 6.1, 6.2). */
export const LEVELS: Readonly<Record<string, readonly string[]>> = {
  experiments: ["CAN_READ", "CAN_EDIT", "CAN_MANAGE"],
  "registered-models": [
    "CAN_READ",
    "CAN_EDIT",
    "CAN_MANAGE_STAGING_VERSIONS",
    "CAN_MANAGE_PRODUCTION_VERSIONS",
    "CAN_MANAGE",
  ],
  "serving-endpoints": ["CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"],
  jobs: ["CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER"],
  warehouses: ["CAN_VIEW", "CAN_USE", "CAN_MONITOR", "CAN_MANAGE", "IS_OWNER"],
  directories: ["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"],
  files: ["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"],
  notebooks: ["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"],
};

/** Lists of who may do what, by `<type>/<id>`. */
export const acls = defineSection("acls", () => ({ objects: new Map<string, Acl>() }));

/** Every signed-in principal of a workspace is in this group. */
export const EVERYBODY = "users";

export const entryOf = (principal: Principal, level: string): AclEntry => ({
  kind: principal.kind === "user" ? "user_name" : "service_principal_name",
  name: principal.name,
  level,
});

/** Starts the list of a new object: its creator has the given level. */
export function createAcl(
  state: State,
  type: string,
  id: string,
  owner: AclEntry,
  inherited: readonly AclEntry[] = [],
): void {
  acls.of(state).objects.set(`${type}/${id}`, { direct: [owner], inherited: [...inherited] });
}

export const dropAcl = (state: State, type: string, id: string): boolean =>
  acls.of(state).objects.delete(`${type}/${id}`);

/** The strongest level that a principal has on an object; undefined: none. Admins have CAN_MANAGE on everything. */
export function levelOf(state: State, type: string, id: string, principal: Principal): string | undefined {
  if (principal.admin) return "CAN_MANAGE";
  const acl = acls.of(state).objects.get(`${type}/${id}`);
  const order = LEVELS[type] ?? [];
  const held = [...(acl?.direct ?? []), ...(acl?.inherited ?? [])].filter((entry) => reaches(entry, principal));
  return held.map(({ level }) => level).sort((a, b) => order.indexOf(b) - order.indexOf(a))[0];
}

export function hasLevel(state: State, type: string, id: string, principal: Principal, wanted: string): boolean {
  const level = levelOf(state, type, id, principal);
  const order = LEVELS[type] ?? [];
  return level !== undefined && order.indexOf(level) >= order.indexOf(wanted);
}

/** Refuses with 403 PERMISSION_DENIED unless the principal has at least this level. */
export function demandLevel(ask: Ask, type: string, id: string, wanted: string, what = `${type} ${id}`): void {
  if (!hasLevel(ask.state, type, id, ask.principal, wanted))
    throw denied(`${ask.principal.name} does not have ${wanted} permissions on ${what}.`);
}

const reaches = (entry: AclEntry, principal: Principal): boolean =>
  entry.kind === "group_name"
    ? entry.name === EVERYBODY || principal.groups.includes(entry.name)
    : entry.name === principal.name;
