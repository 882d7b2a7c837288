import { randomBytes } from "node:crypto";
import * as z from "zod";
import { createAcl, dropAcl, entryOf } from "../acl.ts";
import { holds, parseFilter } from "../filter.ts";
import {
  type Ask,
  badValue,
  bodyOf,
  inputOf,
  notFound,
  ok,
  pageOf,
  queryOf,
  type Reply,
  type Route,
  refuse,
} from "../route.ts";
import { int64, needed, tag, within } from "../shapes.ts";
import {
  invalidName,
  isName,
  type LegacyModel,
  latestVersions,
  legacy,
  legacyRoute,
  modelNamed,
  P,
  permissionOf,
  shownModel,
  shownVersion,
  stageOf,
} from "./store.ts";

const SDK = "driven by databricks-sdk model_registry and mlflow 3.17.2";
const name = z.strictObject({ name: z.string().optional() });

function search(ask: Ask): Reply {
  const query = queryOf(
    ask,
    z.strictObject({
      filter: z.string().optional(),
      max_results: int64.default(100),
      order_by: z.string().optional(),
      page_token: z.string().optional(),
    }),
  );
  if (query.max_results < 1 || query.max_results > 1000) throw badValue("max_results must be between 1 and 1000.");
  const clauses = parseFilter(query.filter);
  if (
    clauses.length > 1 ||
    clauses.some(
      ({ entity, key, op }) => entity !== "attributes" || key !== "name" || !["=", "LIKE", "ILIKE"].includes(op),
    )
  )
    throw badValue("Invalid filter: only one condition on 'name' with =, LIKE or ILIKE is supported.");
  const all = visible(ask).filter((each) => clauses.every((clause) => holds(clause, each.name)));
  return listed(all, query.max_results, query.page_token);
}

const visible = (ask: Ask): LegacyModel[] =>
  [...legacy.of(ask.state).models.values()]
    .filter((each) => permissionOf(ask, each) !== undefined)
    .sort((a, b) => (a.name < b.name ? -1 : 1));

function listed(all: readonly LegacyModel[], size: number, token: string | undefined): Reply {
  const { items, next } = pageOf(all, size, token);
  return ok({
    ...(items.length === 0 ? {} : { registered_models: items.map(shownModel) }),
    ...(next === undefined ? {} : { next_page_token: next }),
  });
}

function latest(ask: Ask, body: { name?: string | undefined; stages?: string[] | undefined }): Reply {
  const model = modelNamed(ask, body.name, "CAN_READ");
  const found = latestVersions(
    model,
    body.stages === undefined || body.stages.length === 0 ? undefined : body.stages.map(stageOf),
  );
  return ok(found.length === 0 ? {} : { model_versions: found.map(shownVersion) });
}

const aliases = (method: "GET" | "POST" | "DELETE"): Route => ({
  method,
  path: `${P}/registered-models/alias`,
  cites: "reference 3.1: aliases are not supported on the workspace registry",
  handle() {
    throw refuse(
      404,
      "ENDPOINT_NOT_FOUND",
      "Model aliases are not supported in the workspace model registry; use models in Unity Catalog.",
    );
  },
});

const routes: readonly Route[] = [
  {
    method: "POST",
    path: `${P}/registered-models/create`,
    cites: `reference 3.1 registered-models/create; ${SDK}`,
    handle(ask) {
      const body = bodyOf(
        ask,
        z.strictObject({
          name: z.string().optional(),
          description: z.string().exactOptional(),
          tags: z.array(tag).default([]),
        }),
      );
      const given = checkedName(needed(body.name, "name"));
      const { models, settings } = legacy.of(ask.state);
      if (models.has(given))
        throw refuse(
          settings.duplicateStatus,
          "RESOURCE_ALREADY_EXISTS",
          `Registered Model (name=${given}) already exists.`,
        );
      const model: LegacyModel = {
        id: randomBytes(16).toString("hex"),
        name: given,
        user_id: ask.principal.name,
        creation_timestamp: ask.now(),
        last_updated_timestamp: ask.now(),
        ...(body.description === undefined ? {} : { description: body.description }),
        tags: new Map(body.tags.map(({ key, value }): [string, string] => [key, value])),
        versions: new Map(),
        nextVersion: 1,
      };
      models.set(given, model);
      createAcl(ask.state, "registered-models", model.id, entryOf(ask.principal, "CAN_MANAGE"));
      return ok({ registered_model: shownModel(model) });
    },
  },
  {
    method: "GET",
    path: `${P}/databricks/registered-models/get`,
    cites: `reference 3.1 databricks/registered-models/get: id is the key of the permissions API; ${SDK}`,
    handle(ask) {
      const model = modelNamed(ask, queryOf(ask, name).name, "CAN_READ");
      return ok({
        registered_model_databricks: { id: model.id, ...shownModel(model), permission_level: permissionOf(ask, model) },
      });
    },
  },
  {
    method: "GET",
    path: `${P}/registered-models/get`,
    cites: `reference 3.1: as MLflow's own server; ${SDK}`,
    handle: (ask) => ok({ registered_model: shownModel(modelNamed(ask, queryOf(ask, name).name, "CAN_READ")) }),
  },
  {
    method: "PATCH",
    path: `${P}/registered-models/update`,
    cites: `reference 3.1 registered-models/update; ${SDK}`,
    handle(ask) {
      const body = bodyOf(ask, z.strictObject({ name: z.string().optional(), description: z.string().default("") }));
      const model = modelNamed(ask, body.name, "CAN_EDIT");
      model.description = body.description;
      model.last_updated_timestamp = ask.now();
      return ok({ registered_model: shownModel(model) });
    },
  },
  {
    method: "POST",
    path: `${P}/registered-models/rename`,
    cites: `reference 3.1 registered-models/rename; ${SDK}`,
    handle(ask) {
      const body = bodyOf(ask, z.strictObject({ name: z.string().optional(), new_name: z.string().optional() }));
      const model = modelNamed(ask, body.name, "CAN_MANAGE");
      const given = checkedName(needed(body.new_name, "new_name"));
      const { models, settings } = legacy.of(ask.state);
      if (models.has(given))
        throw refuse(
          settings.duplicateStatus,
          "RESOURCE_ALREADY_EXISTS",
          `Registered Model (name=${given}) already exists.`,
        );
      models.delete(model.name);
      model.name = given;
      model.last_updated_timestamp = ask.now();
      for (const version of model.versions.values()) version.name = given;
      models.set(given, model);
      return ok({ registered_model: shownModel(model) });
    },
  },
  {
    method: "DELETE",
    path: `${P}/registered-models/delete`,
    cites: `reference 3.1 registered-models/delete: not with versions in Staging or Production; ${SDK}`,
    handle(ask) {
      const model = modelNamed(ask, inputOf(ask, name).name, "CAN_MANAGE");
      if ([...model.versions.values()].some(({ current_stage }) => ["Staging", "Production"].includes(current_stage)))
        throw refuse(
          400,
          "INVALID_STATE",
          `Registered model ${model.name} has versions in Staging or Production; archive them first.`,
        );
      legacy.of(ask.state).models.delete(model.name);
      dropAcl(ask.state, "registered-models", model.id);
      return ok();
    },
  },
  {
    method: "GET",
    path: `${P}/registered-models/search`,
    cites: `reference 3.1 registered-models/search; ${SDK}`,
    handle: search,
  },
  {
    method: "GET",
    path: `${P}/registered-models/list`,
    cites: "reference 3.1 registered-models/list: Databricks only; driven by databricks-sdk model_registry.list_models",
    handle(ask) {
      const query = queryOf(
        ask,
        z.strictObject({ max_results: int64.default(100), page_token: z.string().optional() }),
      );
      return listed(visible(ask), query.max_results, query.page_token);
    },
  },
  {
    method: "POST",
    path: `${P}/registered-models/get-latest-versions`,
    cites: `reference 3.1 registered-models/get-latest-versions; ${SDK}`,
    handle: (ask) =>
      latest(ask, bodyOf(ask, z.strictObject({ name: z.string().optional(), stages: z.array(z.string()).optional() }))),
  },
  {
    method: "GET",
    path: `${P}/registered-models/get-latest-versions`,
    cites: "reference 3.1: MLflow's own server takes GET too",
    handle: (ask) => latest(ask, { name: ask.query.get("name") ?? undefined, stages: ask.query.getAll("stages") }),
  },
  {
    method: "POST",
    path: `${P}/registered-models/set-tag`,
    cites: `reference 3.1 registered-models/set-tag: key ≤250 B, value ≤5000 B; ${SDK}`,
    handle(ask) {
      const body = bodyOf(
        ask,
        z.strictObject({ name: z.string().optional(), key: z.string().optional(), value: z.string().default("") }),
      );
      const model = modelNamed(ask, body.name, "CAN_EDIT");
      within("Tag key", needed(body.key, "key"), 250);
      within("Tag value", body.value, 5000);
      model.tags.set(needed(body.key, "key"), body.value);
      return ok();
    },
  },
  {
    method: "DELETE",
    path: `${P}/registered-models/delete-tag`,
    cites: `reference 3.1 registered-models/delete-tag; ${SDK}`,
    handle(ask) {
      const body = inputOf(ask, z.strictObject({ name: z.string().optional(), key: z.string().optional() }));
      const model = modelNamed(ask, body.name, "CAN_EDIT");
      if (!model.tags.delete(needed(body.key, "key"))) throw notFound(`No tag with key ${body.key} on ${model.name}.`);
      return ok();
    },
  },
  aliases("GET"),
  aliases("POST"),
  aliases("DELETE"),
];

export const legacyModelRoutes: readonly Route[] = routes.map(legacyRoute);

function checkedName(given: string): string {
  if (!isName(given)) throw invalidName(given);
  return given;
}
