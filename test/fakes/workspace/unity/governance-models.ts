import * as z from "zod";
import {
  type Ask,
  bodyOf,
  flag,
  notFound,
  ok,
  pageOf,
  param,
  queryOf,
  type Reply,
  type Route,
  refuse,
} from "../route.ts";
import {
  AlreadyThere,
  makeModel,
  missingAlias,
  readModel,
  removeAlias,
  removeModel,
  setAlias,
  updateModel,
  visibleModels,
} from "./models.ts";
import { fullNameOf, type Model, unity, type Version } from "./store.ts";
import { readVersion, removeVersion, updateVersion, versionOf, versionsOf } from "./versions.ts";

const ROOT = "/api/2.1/unity-catalog/models";
const browse = { include_browse: flag.optional() };
const aliases = { include_aliases: flag.optional() };
const paged = { max_results: z.coerce.number().int().min(0).optional(), page_token: z.string().optional() };

/** Registered models as governance sees them: versions are integers. Reference 4.1, read in databricks-sdk. */
export const governanceModelRoutes: readonly Route[] = [
  { method: "POST", path: ROOT, cites: "4.1, create", handle: create },
  { method: "GET", path: ROOT, cites: "4.1, list", handle: list },
  {
    method: "GET",
    path: `${ROOT}/:full_name`,
    cites: "4.1, get: aliases only with include_aliases",
    handle(ask) {
      const query = queryOf(ask, z.strictObject({ ...browse, ...aliases }));
      return ok(modelInfo(ask, readModel(ask, param(ask, "full_name")), query.include_aliases ?? false));
    },
  },
  {
    method: "PATCH",
    path: `${ROOT}/:full_name`,
    cites: "4.1, update: new_name, comment, owner",
    handle(ask) {
      const body = bodyOf(ask, z.strictObject({ new_name: text(), comment: text(), owner: text(), full_name: text() }));
      const { new_name: newName, comment, owner } = body;
      return ok(
        conflicting(() =>
          modelInfo(ask, updateModel(ask, param(ask, "full_name"), { newName, comment, owner }), false),
        ),
      );
    },
  },
  {
    method: "DELETE",
    path: `${ROOT}/:full_name`,
    cites: "4.1, delete: takes the versions along",
    handle(ask) {
      removeModel(ask, param(ask, "full_name"));
      return ok();
    },
  },
  {
    method: "GET",
    path: `${ROOT}/:full_name/versions`,
    cites: "4.1, versions: no aliases or tags",
    handle: listVersions,
  },
  {
    method: "GET",
    path: `${ROOT}/:full_name/versions/:version`,
    cites: "4.1, version",
    handle(ask) {
      const query = queryOf(ask, z.strictObject({ ...browse, ...aliases }));
      const { model, version } = readVersion(ask, param(ask, "full_name"), numberOf(ask));
      return ok(versionInfo(ask, model, version, query.include_aliases ?? false));
    },
  },
  {
    method: "PATCH",
    path: `${ROOT}/:full_name/versions/:version`,
    cites: "4.1: only the comment is mutable",
    handle(ask) {
      const { comment } = bodyOf(ask, z.strictObject({ comment: text() }));
      const { model, version } = updateVersion(ask, param(ask, "full_name"), numberOf(ask), comment);
      return ok(versionInfo(ask, model, version, false));
    },
  },
  {
    method: "DELETE",
    path: `${ROOT}/:full_name/versions/:version`,
    cites: "4.1, delete version",
    handle(ask) {
      removeVersion(ask, param(ask, "full_name"), numberOf(ask));
      return ok();
    },
  },
  {
    method: "GET",
    path: `${ROOT}/:full_name/aliases/:alias`,
    cites: "4.1, alias: resolves to the version, missing is 404",
    handle(ask) {
      const query = queryOf(ask, z.strictObject(aliases));
      const model = readModel(ask, param(ask, "full_name"));
      const number = model.aliases.get(param(ask, "alias"));
      if (number === undefined) throw missingAlias(model, param(ask, "alias"));
      return ok(versionInfo(ask, model, versionOf(model, number).version, query.include_aliases ?? false));
    },
  },
  {
    method: "PUT",
    path: `${ROOT}/:full_name/aliases/:alias`,
    cites: "4.1, set alias: version_num",
    handle(ask) {
      // The SDK repeats full_name and alias of the path in the body.
      const body = bodyOf(ask, z.strictObject({ version_num: z.int(), full_name: text(), alias: text() }));
      const alias = param(ask, "alias");
      const model = setAlias(ask, param(ask, "full_name"), alias, body.version_num);
      return ok({ id: model.id, alias_name: alias, version_num: body.version_num, ...place(model) });
    },
  },
  {
    method: "DELETE",
    path: `${ROOT}/:full_name/aliases/:alias`,
    cites: "4.1, delete alias",
    handle(ask) {
      removeAlias(ask, param(ask, "full_name"), param(ask, "alias"));
      return ok();
    },
  },
];

function text(): z.ZodOptional<z.ZodString> {
  return z.string().optional();
}

function create(ask: Ask): Reply {
  const body = bodyOf(
    ask,
    z.strictObject({
      catalog_name: z.string(),
      schema_name: z.string(),
      name: z.string(),
      comment: text(),
      storage_location: text(),
    }),
  );
  const fullName = `${body.catalog_name}.${body.schema_name}.${body.name}`;
  return ok(conflicting(() => modelInfo(ask, makeModel(ask, { fullName, comment: body.comment }), false)));
}

function list(ask: Ask): Reply {
  const query = queryOf(ask, z.strictObject({ catalog_name: text(), schema_name: text(), ...paged, ...browse }));
  if ((query.catalog_name === undefined) !== (query.schema_name === undefined))
    throw refuse(400, "INVALID_PARAMETER_VALUE", "catalog_name and schema_name must be given together or not at all.");
  const schema =
    query.catalog_name === undefined ? undefined : `${query.catalog_name}.${query.schema_name}`.toLowerCase();
  const most = schema === undefined ? 1000 : 10_000;
  const all = visibleModels(ask, schema, query.include_browse ?? false);
  const { items, next } = pageOf(all, Math.min(most, query.max_results || 100), query.page_token);
  return ok({
    registered_models: items.map((model) => modelInfo(ask, model, false)),
    ...(next !== undefined && { next_page_token: next }),
  });
}

function listVersions(ask: Ask): Reply {
  const query = queryOf(ask, z.strictObject({ ...paged, ...browse }));
  const model = readModel(ask, param(ask, "full_name"));
  const { items, next } = pageOf(versionsOf(model), Math.min(1000, query.max_results || 100), query.page_token);
  return ok({
    model_versions: items.map((version) => versionInfo(ask, model, version, false)),
    ...(next !== undefined && { next_page_token: next }),
  });
}

function numberOf(ask: Ask): number {
  const version = param(ask, "version");
  if (!/^\d{1,9}$/.test(version)) throw notFound(`Model version '${version}' does not exist.`);
  return Number(version);
}

const place = (model: Model): object => ({
  catalog_name: model.catalog_name,
  schema_name: model.schema_name,
  model_name: model.name,
});

const aliasInfos = (model: Model, only?: number): object[] =>
  [...model.aliases]
    .filter(([, version]) => only === undefined || version === only)
    .map(([alias_name, version_num]) => ({ alias_name, version_num }));

function modelInfo(ask: Ask, model: Model, withAliases: boolean): object {
  const { metastoreId: metastore_id } = unity.of(ask.state);
  const { created_at, created_by, updated_at, updated_by, owner, comment } = model;
  return {
    id: model.id,
    name: model.name,
    full_name: fullNameOf(model),
    catalog_name: model.catalog_name,
    schema_name: model.schema_name,
    storage_location: `s3://metastore/${metastore_id}/models/${model.id}`,
    metastore_id,
    owner,
    ...(comment !== undefined && { comment }),
    ...{ created_at, created_by, updated_at, updated_by },
    ...(withAliases && model.aliases.size > 0 && { aliases: aliasInfos(model) }),
  };
}

function versionInfo(ask: Ask, model: Model, version: Version, withAliases: boolean): object {
  const { created_at, created_by, updated_at, updated_by, comment, run_id } = version;
  const { metastoreId: metastore_id } = unity.of(ask.state);
  const workspace = Number(version.run_tracking_server_id);
  return {
    id: version.id,
    ...place(model),
    version: version.version,
    status: version.status,
    source: version.source,
    storage_location: version.storage_location,
    metastore_id,
    ...(comment !== undefined && { comment }),
    ...(run_id !== undefined && { run_id }),
    ...(Number.isSafeInteger(workspace) && workspace > 0 && { run_workspace_id: workspace }),
    ...{ created_at, created_by, updated_at, updated_by },
    ...(withAliases && { aliases: aliasInfos(model, version.version) }),
  };
}

/** This family says 409 ALREADY_EXISTS of what is there already. */
function conflicting<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof AlreadyThere) throw refuse(409, "ALREADY_EXISTS", error.message);
    throw error;
  }
}
