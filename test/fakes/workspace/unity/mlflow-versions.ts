import * as z from "zod";
import { bodyOf, denied, inputOf, ok, pageOf, queryOf, type Route, refuse } from "../route.ts";
import { readModel, tagModel, touch } from "./models.ts";
import { checkTags } from "./names.ts";
import { MLFLOW_UC, tagSchema, versionNumber, versionProto } from "./proto.ts";
import { fullNameOf } from "./store.ts";
import {
  demandCreator,
  finalizeVersion,
  makeVersion,
  readVersion,
  removeVersion,
  stamp,
  updateVersion,
  versionOf,
  versionsOf,
} from "./versions.ts";

const ROOT = `${MLFLOW_UC}/model-versions`;
const optional = (): z.ZodOptional<z.ZodString> => z.string().optional();
const one = { name: z.string(), version: z.string() };

const createBody = z.strictObject({
  name: z.string(),
  source: z.string(),
  run_id: optional(),
  run_tracking_server_id: optional(),
  description: optional(),
  tags: z.array(tagSchema).optional(),
  feature_deps: optional(),
  model_version_dependencies: z.array(z.strictObject({ type: z.string(), name: z.string() })).optional(),
  model_id: optional(),
});

/** Versions as MLflow's `databricks-uc` client makes and reads them. Reference 4.2 and 4.3, and mlflow 3.17's protos. */
export const mlflowVersionRoutes: readonly Route[] = [
  {
    method: "POST",
    path: `${ROOT}/create`,
    cites: "4.2, CreateModelVersionRequest: PENDING_REGISTRATION",
    handle(ask) {
      const { name, description, model_version_dependencies, feature_deps: _, ...rest } = bodyOf(ask, createBody);
      const request = { ...rest, model: name, comment: description, dependencies: model_version_dependencies };
      return ok({ model_version: versionProto(makeVersion(ask, request), true) });
    },
  },
  {
    method: "POST",
    path: `${ROOT}/finalize`,
    cites: "4.2, FinalizeModelVersionRequest",
    handle(ask) {
      const body = bodyOf(ask, z.strictObject(one));
      return ok({ model_version: versionProto(finalizeVersion(ask, body.name, versionNumber(body.version)), true) });
    },
  },
  {
    method: "POST",
    path: `${ROOT}/generate-temporary-credentials`,
    cites: "4.2: writes only while PENDING",
    handle(ask) {
      const schema = z.strictObject({
        ...one,
        operation: z.enum(["MODEL_VERSION_OPERATION_READ", "MODEL_VERSION_OPERATION_READ_WRITE"]),
      });
      const body = bodyOf(ask, schema);
      const { version } = readVersion(ask, body.name, versionNumber(body.version));
      if (body.operation === "MODEL_VERSION_OPERATION_READ_WRITE") {
        demandCreator(ask, version);
        if (version.status !== "PENDING_REGISTRATION")
          throw denied(`Version ${body.version} is ${version.status}: it can no longer be written.`);
      }
      return ok({
        credentials: {
          aws_temp_credentials: { access_key_id: "ASIAFAKE", secret_access_key: "fake", session_token: "fake" },
          expiration_time: ask.now() + 3_600_000,
          storage_mode: "DEFAULT_STORAGE",
        },
      });
    },
  },
  {
    method: "GET",
    path: `${ROOT}/get`,
    cites: "4.2, GetModelVersionRequest",
    handle(ask) {
      const query = queryOf(ask, z.strictObject(one));
      return ok({ model_version: versionProto(readVersion(ask, query.name, versionNumber(query.version)), true) });
    },
  },
  {
    method: "GET",
    path: `${ROOT}/search`,
    cites: "4.2: the filter is name='…' and nothing else",
    handle(ask) {
      const schema = z.strictObject({
        filter: optional(),
        max_results: z.coerce.number().int().min(1).max(10_000).default(100),
        page_token: optional(),
      });
      const query = queryOf(ask, schema);
      const name = /^\s*name\s*=\s*(?:'([^']*)'|"([^"]*)")\s*$/i.exec(query.filter ?? "");
      if (name === null)
        throw refuse(
          400,
          "INVALID_PARAMETER_VALUE",
          `Unsupported filter '${query.filter ?? ""}': only name='…' is supported.`,
        );
      const model = readModel(ask, name[1] ?? name[2] ?? "");
      const { items, next } = pageOf(versionsOf(model), query.max_results, query.page_token);
      return ok({
        model_versions: items.map((version) => versionProto({ model, version }, false)),
        ...(next !== undefined && { next_page_token: next }),
      });
    },
  },
  {
    method: "GET",
    path: `${ROOT}/get-download-uri`,
    cites: "4.2, GetModelVersionDownloadUriRequest",
    handle(ask) {
      const query = queryOf(ask, z.strictObject(one));
      return ok({ artifact_uri: readVersion(ask, query.name, versionNumber(query.version)).version.storage_location });
    },
  },
  {
    method: "PATCH",
    path: `${ROOT}/update`,
    cites: "4.2, UpdateModelVersionRequest",
    handle(ask) {
      const body = bodyOf(ask, z.strictObject({ ...one, description: optional() }));
      const found = updateVersion(ask, body.name, versionNumber(body.version), body.description);
      return ok({ model_version: versionProto(found, true) });
    },
  },
  {
    method: "DELETE",
    path: `${ROOT}/delete`,
    cites: "4.2, DeleteModelVersionRequest",
    handle(ask) {
      const body = inputOf(ask, z.strictObject(one));
      removeVersion(ask, body.name, versionNumber(body.version));
      return ok();
    },
  },
  {
    method: "POST",
    path: `${ROOT}/set-tag`,
    cites: "4.2, SetModelVersionTagRequest",
    handle(ask) {
      const body = bodyOf(ask, z.strictObject({ ...one, key: z.string(), value: z.string().default("") }));
      const { model, version } = versionOf(tagModel(ask, body.name), versionNumber(body.version));
      checkTags(version.tags, [body]);
      version.tags.set(body.key, body.value);
      stamp(ask, version);
      touch(ask, model);
      return ok();
    },
  },
  {
    method: "DELETE",
    path: `${ROOT}/delete-tag`,
    cites: "4.2, DeleteModelVersionTagRequest",
    handle(ask) {
      const body = inputOf(ask, z.strictObject({ ...one, key: z.string() }));
      const { model, version } = versionOf(tagModel(ask, body.name), versionNumber(body.version));
      if (!version.tags.delete(body.key))
        throw refuse(
          404,
          "RESOURCE_DOES_NOT_EXIST",
          `Tag '${body.key}' of a version of '${fullNameOf(model)}' does not exist.`,
        );
      stamp(ask, version);
      return ok();
    },
  },
  {
    method: "POST",
    path: `${ROOT}/emit-lineage`,
    cites: "4.2, EmitModelVersionLineageRequest",
    handle(ask) {
      const schema = z.strictObject({
        ...one,
        model_version_lineage_info: z.looseObject({}).optional(),
        securable: z.looseObject({}).optional(),
      });
      const body = bodyOf(ask, schema);
      readVersion(ask, body.name, versionNumber(body.version));
      return ok();
    },
  },
];
