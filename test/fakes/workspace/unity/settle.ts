import { randomUUID } from "node:crypto";
import { type Principal, principalNamed } from "../principals.ts";
import type { State } from "../state.ts";
import { born, type Kind, unity } from "./store.ts";

export interface CatalogOptions {
  name: string;
  /** Schemas in it, each with its volumes. */
  schemas?: readonly { name: string; volumes?: readonly string[] }[];
  /** Name of the principal that owns it all; default: the admin. */
  owner?: string;
}

export interface GrantOptions {
  /** `catalog acme_dev`, `schema acme_dev.claims`, `function acme_dev.claims.triage`, `volume …`, `table …`; a model is a function. */
  on: `${Kind} ${string}`;
  /** A user's address, a service principal's display name or application id, or a group. */
  to: string;
  privileges: readonly string[];
}

/** What stands in the metastore before anybody asks; what stands there already, in a state that is gone on with, stays as it is. */
export function settleCatalogs(
  state: State,
  admin: Principal,
  catalogs: readonly CatalogOptions[],
  grants: readonly GrantOptions[],
  now: number,
): void {
  for (const catalog of catalogs) {
    const owner = catalog.owner === undefined ? admin.name : nameOf(state, catalog.owner);
    const { catalogs: known, schemas, volumes } = unity.of(state);
    if (!known.has(catalog.name)) makeCatalog(state, catalog.name, owner, now);
    for (const schema of catalog.schemas ?? []) {
      const place = `${catalog.name}.${schema.name}`;
      if (!schemas.has(place)) makeSchema(state, catalog.name, schema.name, owner, now);
      for (const volume of schema.volumes ?? [])
        if (!volumes.has(`${place}.${volume}`)) makeVolume(state, catalog.name, schema.name, volume, owner, now);
    }
  }
  for (const each of grants) grant(state, each);
}

/** Gives privileges, as an admin would. */
export function grant(state: State, { on, to, privileges }: GrantOptions): void {
  const { grants } = unity.of(state);
  const key = on.toLowerCase();
  const given = grants.get(key) ?? new Map<string, Set<string>>();
  const name = nameOf(state, to);
  given.set(name, new Set([...(given.get(name) ?? []), ...privileges]));
  grants.set(key, given);
}

const nameOf = (state: State, to: string): string => principalNamed(state, to)?.name ?? to;

export function makeCatalog(state: State, name: string, owner: string, now: number, comment?: string): void {
  unity.of(state).catalogs.set(name, { name, ...born(owner, now, comment) });
  makeSchema(state, name, "information_schema", "System user", now);
  makeSchema(state, name, "default", owner, now);
}

export function makeSchema(
  state: State,
  catalog: string,
  name: string,
  owner: string,
  now: number,
  comment?: string,
): void {
  unity.of(state).schemas.set(`${catalog}.${name}`, { name, catalog_name: catalog, ...born(owner, now, comment) });
}

export function makeVolume(
  state: State,
  catalog: string,
  schema: string,
  name: string,
  owner: string,
  now: number,
  more: { comment?: string | undefined; storage?: string | undefined } = {},
): void {
  const volume_id = randomUUID();
  unity.of(state).volumes.set(`${catalog}.${schema}.${name}`, {
    name,
    catalog_name: catalog,
    schema_name: schema,
    volume_id,
    volume_type: more.storage === undefined ? "MANAGED" : "EXTERNAL",
    storage_location: more.storage ?? `s3://metastore/${unity.of(state).metastoreId}/volumes/${volume_id}`,
    ...born(owner, now, more.comment),
  });
}
