import * as z from "zod";
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
import { cleanPath, int64, needed, tag, within } from "../shapes.ts";
import { entriesOf, sign } from "../tracking/artifacts.ts";
import { filesOf } from "../tracking/state.ts";
import {
  type LegacyVersion,
  legacy,
  legacyRoute,
  modelNamed,
  P,
  permissionOf,
  settle,
  shownVersion,
  sourceFiles,
  versionNamed,
} from "./store.ts";

const SDK = "driven by databricks-sdk model_registry and mlflow 3.17.2";
export const versionRef = { name: z.string().optional(), version: z.string().optional() };

function create(ask: Ask): Reply {
  const body = bodyOf(
    ask,
    z.strictObject({
      name: z.string().optional(),
      source: z.string().optional(),
      run_id: z.string().exactOptional(),
      run_link: z.string().exactOptional(),
      description: z.string().exactOptional(),
      tags: z.array(tag).default([]),
      // MLflow 3 sends the logged model; the workspace registry has no field for it.
      model_id: z.string().optional(),
    }),
  );
  const model = modelNamed(ask, body.name, "CAN_EDIT");
  const source = needed(body.source, "source");
  const files = sourceFiles(ask, source);
  const number = String(model.nextVersion++);
  const { name: _, source: __, tags, model_id: ___, ...rest } = body;
  const version: LegacyVersion = {
    ...rest,
    name: model.name,
    version: number,
    creation_timestamp: ask.now(),
    last_updated_timestamp: ask.now(),
    user_id: ask.principal.name,
    current_stage: "None",
    source,
    status: files === undefined ? "FAILED_REGISTRATION" : "PENDING_REGISTRATION",
    ...(files === undefined ? { status_message: `No files were found at ${source}.` } : {}),
    tags: new Map(tags.map(({ key, value }): [string, string] => [key, value])),
    files: files instanceof Map ? files : new Map(),
    pendingReads: legacy.of(ask.state).settings.pendingReads,
  };
  model.versions.set(number, version);
  // Presigned URLs of a version read from its own copy.
  for (const [path, file] of version.files) filesOf(ask.state, `versions/${model.id}/${number}`).set(path, file);
  return ok({ model_version: shownVersion(version) });
}

function search(ask: Ask): Reply {
  const query = queryOf(
    ask,
    z.strictObject({
      filter: z.string().optional(),
      max_results: int64.default(10_000),
      order_by: z.string().optional(),
      page_token: z.string().optional(),
    }),
  );
  if (query.max_results < 1 || query.max_results > 10_000) throw badValue("max_results must be between 1 and 10000.");
  const clauses = parseFilter(query.filter);
  const held = (each: LegacyVersion, key: string): string | undefined => {
    if (key === "name" || key === "run_id") return each[key];
    throw badValue(`Invalid filter: '${key}' is not supported, only name and run_id are.`);
  };
  const all = [...legacy.of(ask.state).models.values()]
    .filter((model) => permissionOf(ask, model) !== undefined)
    .flatMap((model) => [...model.versions.values()])
    .filter((each) => clauses.every((clause) => holds(clause, held(each, clause.key))))
    .sort((a, b) => b.last_updated_timestamp - a.last_updated_timestamp || Number(b.version) - Number(a.version));
  const { items, next } = pageOf(all, query.max_results, query.page_token);
  return ok({
    ...(items.length === 0 ? {} : { model_versions: items.map(shownVersion) }),
    ...(next === undefined ? {} : { next_page_token: next }),
  });
}

const routes: readonly Route[] = [
  {
    method: "POST",
    path: `${P}/model-versions/create`,
    cites: `reference 3.1 model-versions/create: PENDING_REGISTRATION, then poll; ${SDK}`,
    handle: create,
  },
  {
    method: "GET",
    path: `${P}/model-versions/get`,
    cites: `reference 3.1 model-versions/get; ${SDK}`,
    handle(ask) {
      const { version } = versionNamed(ask, queryOf(ask, z.strictObject(versionRef)), "CAN_READ");
      return ok({ model_version: shownVersion(settle(ask, version)) });
    },
  },
  {
    method: "PATCH",
    path: `${P}/model-versions/update`,
    cites: `reference 3.1 model-versions/update; ${SDK}`,
    handle(ask) {
      const body = bodyOf(ask, z.strictObject({ ...versionRef, description: z.string().default("") }));
      const { version } = versionNamed(ask, body, "CAN_EDIT");
      version.description = body.description;
      version.last_updated_timestamp = ask.now();
      return ok({ model_version: shownVersion(version) });
    },
  },
  {
    method: "DELETE",
    path: `${P}/model-versions/delete`,
    cites: `reference 3.1 model-versions/delete; ${SDK}`,
    handle(ask) {
      const { model, version } = versionNamed(ask, inputOf(ask, z.strictObject(versionRef)), "CAN_MANAGE");
      if (["Staging", "Production"].includes(version.current_stage))
        throw refuse(
          400,
          "INVALID_STATE",
          `Version ${version.version} is in ${version.current_stage}; archive it first.`,
        );
      model.versions.delete(version.version);
      return ok();
    },
  },
  {
    method: "GET",
    path: `${P}/model-versions/search`,
    cites: `reference 3.1 model-versions/search; ${SDK}`,
    handle: search,
  },
  {
    method: "POST",
    path: `${P}/model-versions/set-tag`,
    cites: `reference 3.1 model-versions/set-tag; ${SDK}`,
    handle(ask) {
      const body = bodyOf(
        ask,
        z.strictObject({ ...versionRef, key: z.string().optional(), value: z.string().default("") }),
      );
      const { version } = versionNamed(ask, body, "CAN_EDIT");
      within("Tag key", needed(body.key, "key"), 250);
      within("Tag value", body.value, 5000);
      version.tags.set(needed(body.key, "key"), body.value);
      return ok();
    },
  },
  {
    method: "DELETE",
    path: `${P}/model-versions/delete-tag`,
    cites: `reference 3.1 model-versions/delete-tag; ${SDK}`,
    handle(ask) {
      const body = inputOf(ask, z.strictObject({ ...versionRef, key: z.string().optional() }));
      const { version } = versionNamed(ask, body, "CAN_EDIT");
      if (!version.tags.delete(needed(body.key, "key"))) throw notFound(`No tag with key ${body.key}.`);
      return ok();
    },
  },
  {
    method: "GET",
    path: `${P}/model-versions/get-download-uri`,
    cites: `reference 3.1 model-versions/get-download-uri; ${SDK}`,
    handle(ask) {
      const { model, version } = versionNamed(ask, queryOf(ask, z.strictObject(versionRef)), "CAN_READ");
      return ok({
        artifact_uri: `dbfs:/databricks/mlflow-registry/${model.id}/models/${model.name}/${version.version}`,
      });
    },
  },
  {
    method: "GET",
    path: `${P}/model-versions/list-artifacts`,
    cites:
      "reference 2.4 model-versions/list-artifacts; driven by mlflow 3.17.2 download_artifacts of models:/name/version",
    handle(ask) {
      const query = queryOf(
        ask,
        z.strictObject({ ...versionRef, path: z.string().default(""), page_token: z.string().optional() }),
      );
      const { version } = versionNamed(ask, query, "CAN_READ");
      const { items, next } = pageOf(entriesOf(version.files, cleanPath(query.path)), 1000, query.page_token);
      return ok({
        ...(items.length === 0 ? {} : { files: items }),
        ...(next === undefined ? {} : { next_page_token: next }),
      });
    },
  },
  {
    method: "GET",
    path: `${P}/model-versions/get-signed-download-uri`,
    cites:
      "reference 2.4 model-versions/get-signed-download-uri; driven by mlflow 3.17.2 download_artifacts of models:/name/version",
    handle(ask) {
      const query = queryOf(ask, z.strictObject({ ...versionRef, path: z.string().optional() }));
      const { model, version } = versionNamed(ask, query, "CAN_READ");
      const path = cleanPath(needed(query.path, "path"));
      if (!version.files.has(path)) throw notFound(`No such artifact: ${path}`);
      const { signed_uri, headers } = sign(ask, {
        owner: `versions/${model.id}/${version.version}`,
        path,
        does: "GET",
      });
      return ok({ signed_uri, headers });
    },
  },
];

export const legacyVersionRoutes: readonly Route[] = routes.map(legacyRoute);
