import * as z from "zod";
import { FactoryError, outsideError } from "../../lib/error.ts";
import { inParallel } from "../../lib/parallel.ts";
import type { Workspace } from "./workspace.ts";

/** A privilege as SQL spells it, the kind of thing and its full name. A model is a function to Unity Catalog. */
export type Grant = readonly [
  privilege: string,
  on: "CATALOG" | "SCHEMA" | "VOLUME" | "FUNCTION" | "TABLE",
  name: string,
];

const me = z.object({
  userName: z.string().min(1).max(1000),
  groups: z.array(z.object({ display: z.string().default("") })).default([]),
});
const assignments = z.object({
  privilege_assignments: z
    .array(
      z.object({
        principal: z.string().default(""),
        privileges: z.array(z.object({ privilege: z.string().default("") })).default([]),
      }),
    )
    .default([]),
  next_page_token: z.string().default(""),
});
const owned = z.object({ owner: z.string().default("") });

/** Where Unity Catalog's API keeps each kind of thing that a grant is on; a model is a function. */
export const FOLDERS = {
  CATALOG: "catalogs",
  SCHEMA: "schemas",
  VOLUME: "volumes",
  FUNCTION: "models",
  TABLE: "tables",
} as const;
const AT_ONCE = 8;
const MAX_PAGES = 20;
/** Covered by no ALL PRIVILEGES. */
const APART = new Set(["MANAGE"]);

export interface Principal {
  name: string;
  /** Itself, its groups and everybody: the names by which grants reach it. */
  names: ReadonlySet<string>;
}

const known = new WeakMap<Workspace, Promise<Principal>>();

/** Whom the workspace takes us for; asked once. */
export function whoAmI(workspace: Workspace): Promise<Principal> {
  const asked =
    known.get(workspace) ??
    workspace.demand({ method: "GET", path: "/api/2.0/preview/scim/v2/Me" }, me).then(({ userName, groups }) => ({
      name: userName,
      names: new Set([userName, ...groups.map((each) => each.display), "account users"]),
    }));
  known.set(workspace, asked);
  return asked;
}

/** The statement that gives a privilege. */
function grantSql([privilege, on, name]: Grant, principal: string): string {
  return `GRANT ${privilege} ON ${on} ${quotedName(name)} TO ${quote(principal)}`;
}

/** A name with dots, each part quoted where SQL asks for it. */
export function quotedName(name: string): string {
  return name
    .split(".")
    .map((part) => (/^[a-z_][a-z0-9_]*$/.test(part) ? part : quote(part)))
    .join(".");
}

const quote = (name: string): string => `\`${name.replaceAll("`", "``")}\``;

/** Runs the work; when the workspace refuses it for a right, the error names the grants that it takes. */
export async function withGrants<T>(
  workspace: Workspace,
  needed: readonly Grant[],
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof FactoryError) || error.code !== "http.403" || /invalid access token/i.test(error.message))
      throw error;
    const what = needed.map(
      ([privilege, on, name]) => `${privilege} on ${on === "FUNCTION" ? "model" : on.toLowerCase()} ${name}`,
    );
    throw outsideError(
      "grants.missing",
      `${what.join(" and ")} ${what.length === 1 ? "is" : "are"} refused: ${error.message}`,
      await askFor(workspace, needed),
      error,
    );
  }
}

/** The hint that asks for grants: of these, and of those that a thing in a schema takes anyway. */
async function askFor(workspace: Workspace, needed: readonly Grant[]): Promise<string> {
  const name = await whoAmI(workspace).then(
    (found) => found.name,
    () => "you",
  );
  const statements = withContainers(needed).map((each) => grantSql(each, name));
  return `have the owner run: ${statements.join("; ")}`;
}

/** The same with USE CATALOG and USE SCHEMA, each once, from the outside in. */
function withContainers(needed: readonly Grant[]): Grant[] {
  const all = needed.flatMap((each): Grant[] => {
    const [catalog = "", schema = ""] = each[2].split(".");
    return [["USE CATALOG", "CATALOG", catalog], ["USE SCHEMA", "SCHEMA", `${catalog}.${schema}`], each];
  });
  return all.filter((each, i) => all.findIndex((other) => other.join(" ") === each.join(" ")) === i);
}

/**
 * Those of the wanted grants that this identity does not have, as statements. Privileges that are inherited, held through a group,
 * or had by ownership count. What the workspace does not tell counts as had: the call itself will be refused, and named then.
 */
export async function missingGrants(workspace: Workspace, wanted: readonly Grant[]): Promise<string[]> {
  const principal = await whoAmI(workspace);
  // An admin may do everything without a grant, and nothing tells that of one.
  if (principal.names.has("admins")) return [];
  const things = new Map(wanted.map((each) => [`${each[1]} ${each[2]}`, each] as const));
  const held = new Map<string, ReadonlySet<string> | undefined>();
  await inParallel([...things], AT_ONCE, async ([key, [, on, name]]) => {
    held.set(key, await privilegesOn(workspace, on, name, principal));
  });
  const lacking = wanted.filter(([privilege, on, name]) => {
    const had = held.get(`${on} ${name}`);
    const spelt = privilege.replaceAll(" ", "_");
    return had !== undefined && !had.has(spelt) && !(had.has("ALL_PRIVILEGES") && !APART.has(spelt));
  });
  const excused = await inParallel(lacking, AT_ONCE, (each) => isOwner(workspace, each, principal));
  return lacking.filter((_, i) => !excused[i]).map((each) => grantSql(each, principal.name));
}

/** Undefined: the workspace does not tell. */
async function privilegesOn(
  workspace: Workspace,
  on: Grant[1],
  name: string,
  principal: Principal,
): Promise<ReadonlySet<string> | undefined> {
  const path = `/api/2.1/unity-catalog/effective-permissions/${on.toLowerCase()}/${encodeURIComponent(name)}`;
  const found = new Set<string>();
  for (let token = "", pages = 0; pages < MAX_PAGES; pages++) {
    const query = token === "" ? {} : { query: { page_token: token } };
    const page = await told(() => workspace.find({ method: "GET", path, ...query }, assignments));
    if (page === undefined) return undefined;
    for (const each of page.privilege_assignments)
      if (principal.names.has(each.principal)) for (const { privilege } of each.privileges) found.add(privilege);
    token = page.next_page_token;
    if (token === "") return found;
  }
  return undefined;
}

/** Whether it owns the thing, or what the thing lies in. */
async function isOwner(workspace: Workspace, [, on, name]: Grant, principal: Principal): Promise<boolean> {
  const [catalog = "", schema = ""] = name.split(".");
  const chain: (readonly [Grant[1], string])[] = [
    ["CATALOG", catalog],
    ["SCHEMA", `${catalog}.${schema}`],
    [on, name],
  ];
  const owners = await inParallel(on === "CATALOG" ? chain.slice(0, 1) : chain, AT_ONCE, ([kind, full]) =>
    ownerOf(workspace, kind, full),
  );
  return owners.some((owner) => owner !== undefined && principal.names.has(owner));
}

/** Undefined: it is not there, or the workspace does not tell. */
async function ownerOf(workspace: Workspace, on: Grant[1], name: string): Promise<string | undefined> {
  const path = `/api/2.1/unity-catalog/${FOLDERS[on]}/${encodeURIComponent(name)}`;
  return (await told(() => workspace.find({ method: "GET", path }, owned)))?.owner;
}

/** Undefined when it may not be asked. */
async function told<T>(ask: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof FactoryError && error.code === "http.403") return undefined;
    throw error;
  }
}
