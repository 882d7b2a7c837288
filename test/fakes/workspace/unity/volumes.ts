import * as z from "zod";
import { type Ask, bodyOf, flag, ok, param, queryOf, type Route, refuse } from "../route.ts";
import { maySee, page, paging, securableInfo } from "./containers.ts";
import { objectName } from "./names.ts";
import { demand, demandContainers, missing } from "./rights.ts";
import { makeVolume } from "./settle.ts";
import { fullNameOf, grantKey, parentOf, unity, type Volume } from "./store.ts";

const VOLUMES = "/api/2.1/unity-catalog/volumes";
const optional = (): z.ZodOptional<z.ZodString> => z.string().optional();

/** Volumes. Reference 7.1. */
export const volumeRoutes: readonly Route[] = [
  {
    method: "POST",
    path: VOLUMES,
    cites: "7.1, volumes create",
    handle(ask) {
      const schema = z.strictObject({
        catalog_name: z.string(),
        schema_name: z.string(),
        name: z.string(),
        volume_type: z.enum(["MANAGED", "EXTERNAL"]),
        storage_location: optional(),
        comment: optional(),
      });
      const body = bodyOf(ask, schema);
      const [catalog, parent, name] = [
        objectName(body.catalog_name),
        objectName(body.schema_name),
        objectName(body.name),
      ];
      const fullName = `${catalog}.${parent}.${name}`;
      demandContainers(ask.state, ask.principal, "volume", fullName);
      demand(ask.state, ask.principal, "schema", parentOf(fullName), "CREATE_VOLUME");
      if (unity.of(ask.state).volumes.has(fullName))
        throw refuse(409, "VOLUME_ALREADY_EXISTS", `Volume '${fullName}' already exists`);
      if ((body.volume_type === "EXTERNAL") !== (body.storage_location !== undefined))
        throw refuse(400, "INVALID_PARAMETER_VALUE", "An external volume, and no other, has a storage_location.");
      const storage = body.storage_location?.replace(/\/+$/, "");
      makeVolume(ask.state, catalog, parent, name, ask.principal.name, ask.now(), { comment: body.comment, storage });
      return ok(volumeInfo(ask, reached(ask, fullName)));
    },
  },
  {
    method: "GET",
    path: VOLUMES,
    cites: "7.1, volumes list: catalog_name and schema_name",
    handle(ask) {
      const query = queryOf(
        ask,
        z.strictObject({
          catalog_name: z.string(),
          schema_name: z.string(),
          ...paging,
          include_browse: flag.optional(),
        }),
      );
      const schema = `${query.catalog_name}.${query.schema_name}`.toLowerCase();
      demandContainers(ask.state, ask.principal, "volume", `${schema}.x`);
      const all = [...unity.of(ask.state).volumes.values()].filter(
        (each) => parentOf(fullNameOf(each)) === schema && maySee(ask, "volume", fullNameOf(each)),
      );
      all.sort((a, b) => (a.name < b.name ? -1 : 1));
      return page(
        all.map((each) => volumeInfo(ask, each)),
        "volumes",
        query,
      );
    },
  },
  {
    method: "GET",
    path: `${VOLUMES}/:full_name`,
    cites: "7.1, volumes get",
    handle(ask) {
      queryOf(ask, z.strictObject({ include_browse: flag.optional() }));
      const volume = reached(ask, param(ask, "full_name").toLowerCase());
      demand(ask.state, ask.principal, "volume", fullNameOf(volume), "READ_VOLUME", "WRITE_VOLUME", "BROWSE", "MANAGE");
      return ok(volumeInfo(ask, volume));
    },
  },
  {
    method: "DELETE",
    path: `${VOLUMES}/:full_name`,
    cites: "7.1, volumes delete",
    handle(ask) {
      const volume = reached(ask, param(ask, "full_name").toLowerCase());
      demand(ask.state, ask.principal, "volume", fullNameOf(volume), "MANAGE");
      unity.of(ask.state).volumes.delete(fullNameOf(volume));
      unity.of(ask.state).grants.delete(grantKey("volume", fullNameOf(volume)));
      return ok();
    },
  },
];

function reached(ask: Ask, fullName: string): Volume {
  demandContainers(ask.state, ask.principal, "volume", fullName);
  const volume = unity.of(ask.state).volumes.get(fullName);
  if (volume === undefined) throw missing("volume", fullName);
  return volume;
}

const volumeInfo = (ask: Ask, volume: Volume): object => ({
  name: volume.name,
  catalog_name: volume.catalog_name,
  schema_name: volume.schema_name,
  full_name: fullNameOf(volume),
  volume_id: volume.volume_id,
  volume_type: volume.volume_type,
  storage_location: volume.storage_location,
  ...securableInfo(ask, volume),
});
