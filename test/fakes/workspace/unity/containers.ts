import * as z from "zod";
import { type Ask, bodyOf, flag, ok, pageOf, param, queryOf, type Reply, type Route, refuse } from "../route.ts";
import { objectName } from "./names.ts";
import { demand, demandContainers, demandExists, holds, missing } from "./rights.ts";
import { makeCatalog, makeSchema } from "./settle.ts";
import { type Catalog, fullNameOf, type Schema, type Securable, unity } from "./store.ts";

const CATALOGS = "/api/2.1/unity-catalog/catalogs";
const SCHEMAS = "/api/2.1/unity-catalog/schemas";
const optional = (): z.ZodOptional<z.ZodString> => z.string().optional();
export const paging = { max_results: z.coerce.number().int().min(0).optional(), page_token: optional() };
const browse = { include_browse: flag.optional() };

/** Catalogs and schemas. Reference 7.1. */
export const containerRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/api/2.1/unity-catalog/metastore_summary",
    cites: "6.10: metastore id",
    handle: (ask) => ok({ metastore_id: unity.of(ask.state).metastoreId, name: "metastore" }),
  },
  {
    method: "POST",
    path: CATALOGS,
    cites: "7.1, catalogs create",
    handle(ask) {
      const schema = z.strictObject({
        name: z.string(),
        comment: optional(),
        properties: z.record(z.string(), z.string()).optional(),
        storage_root: optional(),
      });
      const body = bodyOf(ask, schema);
      const name = objectName(body.name);
      demand(ask.state, ask.principal, "metastore", unity.of(ask.state).metastoreId, "CREATE_CATALOG");
      if (unity.of(ask.state).catalogs.has(name))
        throw refuse(409, "CATALOG_ALREADY_EXISTS", `Catalog '${name}' already exists`);
      makeCatalog(ask.state, name, ask.principal.name, ask.now(), body.comment);
      return ok(catalogInfo(ask, catalogOf(ask, name)));
    },
  },
  {
    method: "GET",
    path: CATALOGS,
    cites: "7.1, catalogs list: paged",
    handle(ask) {
      const query = queryOf(ask, z.strictObject({ ...paging, ...browse, include_unbound: flag.optional() }));
      const all = [...unity.of(ask.state).catalogs.values()].filter((each) => maySee(ask, "catalog", each.name));
      return page(
        all.sort(byName).map((each) => catalogInfo(ask, each)),
        "catalogs",
        query,
      );
    },
  },
  {
    method: "GET",
    path: `${CATALOGS}/:name`,
    cites: "7.1, catalogs get",
    handle(ask) {
      queryOf(ask, z.strictObject(browse));
      const catalog = catalogOf(ask, param(ask, "name").toLowerCase());
      demand(ask.state, ask.principal, "catalog", catalog.name, "USE_CATALOG", "BROWSE", "MANAGE");
      return ok(catalogInfo(ask, catalog));
    },
  },
  { method: "POST", path: SCHEMAS, cites: "7.1, schemas create", handle: createSchema },
  {
    method: "GET",
    path: SCHEMAS,
    cites: "7.1, schemas list: paged",
    handle(ask) {
      const query = queryOf(ask, z.strictObject({ catalog_name: z.string(), ...paging, ...browse }));
      const catalog = query.catalog_name.toLowerCase();
      demandContainers(ask.state, ask.principal, "schema", `${catalog}.x`);
      const all = [...unity.of(ask.state).schemas.values()].filter(
        (each) => each.catalog_name === catalog && maySee(ask, "schema", fullNameOf(each)),
      );
      return page(
        all.sort(byName).map((each) => schemaInfo(ask, each)),
        "schemas",
        query,
      );
    },
  },
  {
    method: "GET",
    path: `${SCHEMAS}/:full_name`,
    cites: "7.1, schemas get",
    handle(ask) {
      queryOf(ask, z.strictObject(browse));
      const fullName = param(ask, "full_name").toLowerCase();
      demandContainers(ask.state, ask.principal, "schema", fullName);
      const schema = unity.of(ask.state).schemas.get(fullName);
      if (schema === undefined) throw missing("schema", fullName);
      demand(ask.state, ask.principal, "schema", fullName, "USE_SCHEMA", "BROWSE", "MANAGE");
      return ok(schemaInfo(ask, schema));
    },
  },
  {
    method: "GET",
    path: "/api/2.1/unity-catalog/tables/:full_name",
    cites: "7.1, tables get",
    handle(ask) {
      queryOf(ask, z.strictObject({ ...browse, include_delta_metadata: flag.optional() }));
      const fullName = param(ask, "full_name").toLowerCase();
      demandContainers(ask.state, ask.principal, "table", fullName);
      const table = unity.of(ask.state).tables.get(fullName);
      if (table === undefined) throw missing("table", fullName);
      demand(ask.state, ask.principal, "table", fullName, "SELECT", "MODIFY", "BROWSE", "MANAGE");
      const { name, catalog_name, schema_name, owner } = table;
      return ok({ name, catalog_name, schema_name, owner, full_name: fullName, table_type: "MANAGED" });
    },
  },
];

function createSchema(ask: Ask): Reply {
  const body = bodyOf(
    ask,
    z.strictObject({
      catalog_name: z.string(),
      name: z.string(),
      comment: optional(),
      properties: z.record(z.string(), z.string()).optional(),
      storage_root: optional(),
    }),
  );
  const catalog = body.catalog_name.toLowerCase();
  const name = objectName(body.name);
  demandContainers(ask.state, ask.principal, "schema", `${catalog}.${name}`);
  demand(ask.state, ask.principal, "catalog", catalog, "CREATE_SCHEMA");
  if (unity.of(ask.state).schemas.has(`${catalog}.${name}`))
    throw refuse(409, "SCHEMA_ALREADY_EXISTS", `Schema '${catalog}.${name}' already exists`);
  makeSchema(ask.state, catalog, name, ask.principal.name, ask.now(), body.comment);
  const made = unity.of(ask.state).schemas.get(`${catalog}.${name}`);
  if (made === undefined) throw new Error("the schema was not made");
  return ok(schemaInfo(ask, made));
}

function catalogOf(ask: Ask, name: string): Catalog {
  demandExists(ask.state, "catalog", name);
  const catalog = unity.of(ask.state).catalogs.get(name);
  if (catalog === undefined) throw missing("catalog", name);
  return catalog;
}

export const maySee = (ask: Ask, kind: "catalog" | "schema" | "volume", fullName: string): boolean =>
  ["USE_CATALOG", "USE_SCHEMA", "READ_VOLUME", "BROWSE", "MANAGE"].some((each) =>
    holds(ask.state, ask.principal, kind, fullName, each),
  );

const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);

/** How list calls of governance answer: page after page until no token comes. */
export function page(
  all: readonly object[],
  field: string,
  query: { max_results?: number | undefined; page_token?: string | undefined },
): Reply {
  const { items, next } = pageOf(all, query.max_results || 1000, query.page_token);
  return ok({ [field]: items, ...(next !== undefined && { next_page_token: next }) });
}

export const securableInfo = (
  ask: Ask,
  { owner, comment, created_at, created_by, updated_at, updated_by }: Securable,
) => ({
  owner,
  ...(comment !== undefined && { comment }),
  ...{ created_at, created_by, updated_at, updated_by },
  metastore_id: unity.of(ask.state).metastoreId,
});

const catalogInfo = (ask: Ask, catalog: Catalog): object => ({
  name: catalog.name,
  full_name: catalog.name,
  catalog_type: "MANAGED_CATALOG",
  isolation_mode: "OPEN",
  ...securableInfo(ask, catalog),
});

const schemaInfo = (ask: Ask, schema: Schema): object => ({
  name: schema.name,
  catalog_name: schema.catalog_name,
  full_name: fullNameOf(schema),
  catalog_type: "MANAGED_CATALOG",
  ...securableInfo(ask, schema),
});
