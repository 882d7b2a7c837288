import * as z from "zod";
import { type AclEntry, acls, demandLevel, EVERYBODY, LEVELS } from "./acl.ts";
import { identities } from "./principals.ts";
import { type Ask, badValue, bodyOf, notFound, ok, type Reply, type Route } from "./route.ts";

/** The Permissions API, reference 6.2. */
export const aclBody = z.array(
  z.strictObject({
    user_name: z.string().optional(),
    group_name: z.string().optional(),
    service_principal_name: z.string().optional(),
    permission_level: z.string().optional(),
  }),
);
const KINDS = ["user_name", "group_name", "service_principal_name"] as const;

export function entriesFrom(ask: Ask, type: string, given: z.infer<typeof aclBody>): AclEntry[] {
  return given.map((each) => {
    const named = KINDS.flatMap((kind) => (each[kind] === undefined ? [] : [{ kind, name: each[kind] }]));
    const [who] = named;
    if (who === undefined || named.length > 1)
      throw badValue("Each entry names exactly one of user_name, group_name, service_principal_name.");
    const level = each.permission_level ?? "";
    if (!(LEVELS[type] ?? []).includes(level)) throw badValue(`Permission level ${level} is not supported on ${type}.`);
    if (!exists(ask, who.kind, who.name)) throw notFound(`Principal: ${who.kind}(${who.name}) does not exist`);
    return { ...who, level };
  });
}

function exists(ask: Ask, kind: AclEntry["kind"], name: string): boolean {
  const { principals } = identities.of(ask.state);
  if (kind === "group_name")
    return [EVERYBODY, "admins"].includes(name) || [...principals.values()].some(({ groups }) => groups.includes(name));
  return principals.get(name)?.kind === (kind === "user_name" ? "user" : "service-principal");
}

function shown(ask: Ask, type: string, id: string): Reply {
  const acl = acls.of(ask.state).objects.get(`${type}/${id}`);
  if (acl === undefined) throw notFound(`${type} ${id} does not exist.`);
  const people = new Map<string, { entry: AclEntry; all: object[] }>();
  const add = (entry: AclEntry, inherited: boolean): void => {
    const key = `${entry.kind} ${entry.name}`;
    const known = people.get(key) ?? { entry, all: [] };
    known.all.push({
      permission_level: entry.level,
      inherited,
      ...(inherited ? { inherited_from_object: ["/directories/0"] } : {}),
    });
    people.set(key, known);
  };
  for (const entry of acl.direct) add(entry, false);
  for (const entry of acl.inherited) add(entry, true);
  // Admins keep what they inherit, whatever a PUT says.
  add({ kind: "group_name", name: "admins", level: "CAN_MANAGE" }, true);
  return ok({
    object_id: `/${type}/${id}`,
    object_type: type.replace(/s$/, ""),
    access_control_list: [...people.values()].map(({ entry, all }) => ({
      [entry.kind]: entry.name,
      display_name: entry.name,
      all_permissions: all,
    })),
  });
}

/** The kind of object and the id that a call names. */
function objectOf(ask: Ask): { type: string; id: string } {
  const type = ask.params.type ?? "warehouses";
  const id = ask.params.id ?? "";
  if (LEVELS[type] === undefined) throw badValue(`${type} is no object type with permissions.`);
  if (!acls.of(ask.state).objects.has(`${type}/${id}`)) throw notFound(`${type} ${id} does not exist.`);
  return { type, id };
}

function write(ask: Ask, { type, id }: { type: string; id: string }, replaces: boolean): Reply {
  demandLevel(ask, type, id, "CAN_MANAGE");
  const body = bodyOf(ask, z.strictObject({ access_control_list: aclBody.default([]) }));
  const given = entriesFrom(ask, type, body.access_control_list);
  const acl = acls.of(ask.state).objects.get(`${type}/${id}`) ?? { direct: [], inherited: [] };
  const isSame = (a: AclEntry, b: AclEntry): boolean => a.kind === b.kind && a.name === b.name;
  const direct = replaces ? given : [...acl.direct.filter((each) => !given.some((one) => isSame(one, each))), ...given];
  if (type === "jobs" && direct.filter(({ level }) => level === "IS_OWNER").length !== 1)
    throw badValue("The job must have exactly one owner.");
  acls.of(ask.state).objects.set(`${type}/${id}`, { ...acl, direct });
  return shown(ask, type, id);
}

const routesAt = (path: string): Route[] => {
  const cites = `reference 6.2 ${path}; driven by databricks-sdk permissions`;
  return [
    {
      method: "GET",
      path,
      cites,
      handle(ask) {
        const { type, id } = objectOf(ask);
        demandLevel(ask, type, id, LEVELS[type]?.[0] ?? "");
        return shown(ask, type, id);
      },
    },
    {
      method: "PUT",
      path,
      cites: `${cites}: replaces direct grants`,
      handle: (ask) => write(ask, objectOf(ask), true),
    },
    {
      method: "PATCH",
      path,
      cites: `${cites}: merges, cannot remove`,
      handle: (ask) => write(ask, objectOf(ask), false),
    },
    {
      method: "GET",
      path: `${path}/permissionLevels`,
      cites,
      handle(ask) {
        const { type } = objectOf(ask);
        return ok({ permission_levels: (LEVELS[type] ?? []).map((permission_level) => ({ permission_level })) });
      },
    },
  ];
};

export const permissionRoutes: readonly Route[] = [
  ...routesAt("/api/2.0/permissions/:type/:id"),
  // Another name of the same (reference 6.2).
  ...routesAt("/api/2.0/permissions/sql/warehouses/:id"),
];
