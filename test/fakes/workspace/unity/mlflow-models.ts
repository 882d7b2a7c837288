import * as z from "zod";
import { bodyOf, inputOf, ok, pageOf, queryOf, type Route, refuse } from "../route.ts";
import {
  AlreadyThere,
  makeModel,
  missingAlias,
  readModel,
  removeAlias,
  removeModel,
  setAlias,
  tagModel,
  touch,
  updateModel,
  visibleModels,
} from "./models.ts";
import { checkTags } from "./names.ts";
import { MLFLOW_UC, pairs, tagSchema, versionNumber, versionProto } from "./proto.ts";
import { fullNameOf, type Model } from "./store.ts";
import { versionOf } from "./versions.ts";

const ROOT = `${MLFLOW_UC}/registered-models`;
const named = z.strictObject({ name: z.string() });
const optional = (): z.ZodOptional<z.ZodString> => z.string().optional();

/** Registered models as MLflow's `databricks-uc` client asks for them: versions are strings. Reference 4.2, and mlflow 3.17's protos. */
export const mlflowModelRoutes: readonly Route[] = [
  {
    method: "POST",
    path: `${ROOT}/create`,
    cites: "4.2, CreateRegisteredModelRequest",
    handle(ask) {
      const schema = z.strictObject({
        name: z.string(),
        description: optional(),
        tags: z.array(tagSchema).optional(),
        deployment_job_id: optional(),
      });
      const { name: fullName, description: comment, tags, deployment_job_id } = bodyOf(ask, schema);
      const model = taken(() =>
        makeModel(ask, { fullName, comment, tags: tags ?? [], deploymentJobId: deployment_job_id ?? "" }),
      );
      return ok({ registered_model: modelProto(model, true) });
    },
  },
  {
    method: "PATCH",
    path: `${ROOT}/update`,
    cites: "4.2, UpdateRegisteredModelRequest",
    handle(ask) {
      const schema = z.strictObject({
        name: z.string(),
        new_name: optional(),
        description: optional(),
        deployment_job_id: optional(),
      });
      const body = bodyOf(ask, schema);
      const change = { newName: body.new_name, comment: body.description, deploymentJobId: body.deployment_job_id };
      return ok({
        registered_model: modelProto(
          taken(() => updateModel(ask, body.name, change)),
          true,
        ),
      });
    },
  },
  {
    method: "DELETE",
    path: `${ROOT}/delete`,
    cites: "4.2, DeleteRegisteredModelRequest",
    handle(ask) {
      removeModel(ask, inputOf(ask, named).name);
      return ok();
    },
  },
  {
    method: "GET",
    path: `${ROOT}/get`,
    cites: "4.2, GetRegisteredModelRequest",
    handle: (ask) => ok({ registered_model: modelProto(readModel(ask, queryOf(ask, named).name), true) }),
  },
  {
    method: "GET",
    path: `${ROOT}/search`,
    cites: "4.2: takes no filter and no order_by",
    handle(ask) {
      const schema = z.strictObject({
        max_results: z.coerce.number().int().min(1).max(1000).default(100),
        page_token: optional(),
      });
      const query = queryOf(ask, schema);
      const { items, next } = pageOf(visibleModels(ask, undefined, false), query.max_results, query.page_token);
      return ok({
        registered_models: items.map((model) => modelProto(model, false)),
        ...(next !== undefined && { next_page_token: next }),
      });
    },
  },
  {
    method: "POST",
    path: `${ROOT}/alias`,
    cites: "4.2, SetRegisteredModelAliasRequest",
    handle(ask) {
      const body = bodyOf(ask, z.strictObject({ name: z.string(), alias: z.string(), version: z.string() }));
      setAlias(ask, body.name, body.alias, versionNumber(body.version));
      return ok();
    },
  },
  {
    method: "DELETE",
    path: `${ROOT}/alias`,
    cites: "4.2, DeleteRegisteredModelAliasRequest",
    handle(ask) {
      const body = inputOf(ask, z.strictObject({ name: z.string(), alias: z.string() }));
      removeAlias(ask, body.name, body.alias);
      return ok();
    },
  },
  {
    method: "GET",
    path: `${ROOT}/alias`,
    cites: "4.2, GetModelVersionByAliasRequest",
    handle(ask) {
      const query = queryOf(ask, z.strictObject({ name: z.string(), alias: z.string() }));
      const model = readModel(ask, query.name);
      const number = model.aliases.get(query.alias);
      if (number === undefined) throw missingAlias(model, query.alias);
      return ok({ model_version: versionProto(versionOf(model, number), true) });
    },
  },
  {
    method: "POST",
    path: `${ROOT}/set-tag`,
    cites: "4.2, SetRegisteredModelTagRequest",
    handle(ask) {
      const body = bodyOf(ask, z.strictObject({ name: z.string(), key: z.string(), value: z.string().default("") }));
      const model = tagModel(ask, body.name);
      checkTags(model.tags, [body]);
      model.tags.set(body.key, body.value);
      touch(ask, model);
      return ok();
    },
  },
  {
    method: "DELETE",
    path: `${ROOT}/delete-tag`,
    cites: "4.2, DeleteRegisteredModelTagRequest",
    handle(ask) {
      const body = inputOf(ask, z.strictObject({ name: z.string(), key: z.string() }));
      const model = tagModel(ask, body.name);
      if (!model.tags.delete(body.key))
        throw refuse(404, "RESOURCE_DOES_NOT_EXIST", `Tag '${body.key}' of '${fullNameOf(model)}' does not exist.`);
      touch(ask, model);
      return ok();
    },
  },
  {
    method: "GET",
    path: `${MLFLOW_UC}/registered-models:is-databricks-sdk-models-artifact-repository-enabled`,
    cites: "4.2: true, so files go through the Files API at /Models",
    handle(ask) {
      queryOf(ask, z.strictObject({ name: optional() }));
      return ok({ is_databricks_sdk_models_artifact_repository_enabled: true });
    },
  },
];

function modelProto(model: Model, whole: boolean): object {
  return {
    name: fullNameOf(model),
    creation_timestamp: model.created_at,
    last_updated_timestamp: model.updated_at,
    user_id: model.created_by,
    ...(model.comment !== undefined && { description: model.comment }),
    ...(whole && {
      tags: pairs(model.tags),
      aliases: [...model.aliases].map(([alias, version]) => ({ alias, version: String(version) })),
    }),
    ...(model.deploymentJobId !== "" && {
      deployment_job_id: model.deploymentJobId,
      deployment_job_state: "CONNECTED",
    }),
  };
}

/** This family says 400 RESOURCE_ALREADY_EXISTS, which MLflow's client takes for "carry on". */
function taken<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof AlreadyThere) throw refuse(400, "RESOURCE_ALREADY_EXISTS", error.message);
    throw error;
  }
}
