import * as z from "zod";
import { createAcl, demandLevel, entryOf, levelOf } from "../acl.ts";
import { holds, parseFilter, parseOrder, sorted } from "../filter.ts";
import { type Ask, badValue, bodyOf, notFound, ok, pageOf, queryOf, type Route, refuse } from "../route.ts";
import { int64, needed, tag, tagsOf, within } from "../shapes.ts";
import { folderExists, inheritedEntries } from "../workspace-files.ts";
import { type Experiment, experimentOf, tracking } from "./state.ts";

const P = "/api/2.0/mlflow/experiments";
const RECORDED = "recorded: mlflow 3.17.2";

const shown = (each: Experiment): object => ({ ...each, tags: tagsOf(each.tags) });

export const experimentRoutes: readonly Route[] = [
  {
    method: "POST",
    path: `${P}/create`,
    cites: `reference 2.1 experiments/create; ${RECORDED} create_experiment`,
    handle: create,
  },
  {
    method: "GET",
    path: `${P}/get-by-name`,
    cites: "reference 2.1 experiments/get-by-name: a deleted one too, the active one first",
    handle(ask) {
      const name = stripped(
        needed(queryOf(ask, z.strictObject({ experiment_name: z.string() })).experiment_name, "experiment_name"),
      );
      const found = named(ask, name);
      if (found === undefined) throw notFound(`Could not find experiment with name '${name}'.`);
      demandLevel(ask, "experiments", found.experiment_id, "CAN_READ");
      return ok({ experiment: shown(found) });
    },
  },
  {
    method: "GET",
    path: `${P}/get`,
    cites: `reference 2.1 experiments/get; ${RECORDED} set_experiment`,
    handle(ask) {
      const { experiment_id } = queryOf(ask, z.strictObject({ experiment_id: z.string() }));
      const found = experimentOf(ask.state, needed(experiment_id, "experiment_id"));
      demandLevel(ask, "experiments", experiment_id, "CAN_READ");
      return ok({ experiment: shown(found) });
    },
  },
  {
    method: "POST",
    path: `${P}/update`,
    cites: `reference 2.1 experiments/update: rename only; ${RECORDED} rename_experiment`,
    handle(ask) {
      const body = bodyOf(ask, z.strictObject({ experiment_id: z.string(), new_name: z.string().optional() }));
      const found = edited(ask, body.experiment_id);
      if (found.lifecycle_stage !== "active") throw badValue("Cannot rename a non-active experiment.");
      const name = absolute(needed(body.new_name, "new_name"));
      if (name !== found.name && named(ask, name) !== undefined) throw exists(name);
      found.name = name;
      found.last_update_time = ask.now();
      return ok();
    },
  },
  ...(["delete", "restore"] as const).map(
    (verb): Route => ({
      method: "POST",
      path: `${P}/${verb}`,
      cites: `reference 2.1 experiments/delete · restore: soft; ${RECORDED} ${verb}_experiment`,
      handle(ask) {
        const found = edited(
          ask,
          bodyOf(ask, z.strictObject({ experiment_id: z.string() })).experiment_id,
          "CAN_MANAGE",
        );
        const stage = verb === "delete" ? "deleted" : "active";
        if (found.lifecycle_stage === stage)
          throw notFound(`No ${verb === "delete" ? "active" : "deleted"} experiment with id ${found.experiment_id}`);
        found.lifecycle_stage = stage;
        found.last_update_time = ask.now();
        return ok();
      },
    }),
  ),
  {
    method: "POST",
    path: `${P}/set-experiment-tag`,
    cites: `reference 2.1 set-experiment-tag; ${RECORDED} set_experiment_tag`,
    handle(ask) {
      const body = bodyOf(ask, z.strictObject({ experiment_id: z.string(), key: z.string(), value: z.string() }));
      const found = edited(ask, body.experiment_id);
      within("Tag key", needed(body.key, "key"), 250);
      within("Tag value", body.value, 64 * 1024);
      found.tags.set(body.key, body.value);
      found.last_update_time = ask.now();
      return ok();
    },
  },
  {
    method: "POST",
    path: `${P}/search`,
    cites: `reference 2.1 experiments/search: max_results ≤3000; ${RECORDED} search_experiments`,
    handle: search,
  },
  {
    method: "GET",
    path: `${P}/list`,
    cites:
      "reference 2.1 experiments/list: legacy, on Databricks only; read from databricks-sdk experiments.list_experiments",
    handle(ask) {
      const query = queryOf(
        ask,
        z.strictObject({
          max_results: int64.optional(),
          page_token: z.string().optional(),
          view_type: z.string().optional(),
        }),
      );
      return ok(page(ask, visible(ask, query.view_type), query.max_results ?? 1000, query.page_token));
    },
  },
];

const createBody = z.strictObject({
  name: z.string(),
  artifact_location: z.string().optional(),
  tags: z.array(tag).default([]),
});

function create(ask: Ask) {
  const body = bodyOf(ask, createBody);
  const name = absolute(needed(body.name, "name"));
  if (body.tags.length > 20) throw badValue(`At most 20 tags can be set in a request, ${body.tags.length} were given.`);
  for (const { key, value } of body.tags) {
    within("Tag key", key, 250);
    within("Tag value", value, 5000);
  }
  const known = tracking.of(ask.state);
  const before = named(ask, name);
  if (before !== undefined) throw exists(name, before.lifecycle_stage === "deleted");
  const folder = name.slice(0, name.lastIndexOf("/")) || "/";
  if (!folderExists(ask.state, folder)) throw notFound(`Parent directory ${folder} does not exist.`);
  const id = String(known.nextExperiment++);
  known.experiments.set(id, {
    experiment_id: id,
    name,
    artifact_location: body.artifact_location ?? `dbfs:/databricks/mlflow-tracking/${id}`,
    lifecycle_stage: "active",
    creation_time: ask.now(),
    last_update_time: ask.now(),
    tags: new Map([
      ...body.tags.map(({ key, value }): [string, string] => [key, value]),
      ["mlflow.ownerId", ask.principal.id],
      ["mlflow.ownerEmail", ask.principal.name],
      ["mlflow.experiment.sourceName", name],
      ["mlflow.experimentType", "MLFLOW_EXPERIMENT"],
    ]),
  });
  createAcl(ask.state, "experiments", id, entryOf(ask.principal, "CAN_MANAGE"), inheritedEntries(ask.state, folder));
  return ok({ experiment_id: id });
}

function search(ask: Ask) {
  const body = bodyOf(
    ask,
    z.strictObject({
      filter: z.string().optional(),
      max_results: int64.default(1000),
      order_by: z.array(z.string()).default([]),
      page_token: z.string().optional(),
      view_type: z.string().optional(),
    }),
  );
  if (body.max_results < 1 || body.max_results > 3000)
    throw badValue(`Invalid value ${body.max_results} for parameter 'max_results': it must be between 1 and 3000.`);
  const clauses = parseFilter(body.filter);
  const held = (each: Experiment, { entity, key }: { entity: string; key: string }): string | number | undefined => {
    if (entity === "tags") return each.tags.get(key);
    if (entity !== "attributes") throw badValue(`Invalid attribute key '${entity}' specified.`);
    if (key === "name") return each.name;
    if (key === "experiment_id") return each.experiment_id;
    if (key === "creation_time" || key === "last_update_time") return each[key];
    throw badValue(`Invalid attribute key '${key}' specified. Valid keys are name, creation_time, last_update_time.`);
  };
  const found = visible(ask, body.view_type).filter((each) =>
    clauses.every((clause) => holds(clause, held(each, clause))),
  );
  const orders = parseOrder(body.order_by.length > 0 ? body.order_by : ["last_update_time DESC", "experiment_id DESC"]);
  return ok(page(ask, sorted(found, orders, held), body.max_results, body.page_token));
}

function page(_ask: Ask, all: readonly Experiment[], size: number, token: string | undefined): object {
  const { items, next } = pageOf(all, size, token);
  return {
    ...(items.length === 0 ? {} : { experiments: items.map(shown) }),
    ...(next === undefined ? {} : { next_page_token: next }),
  };
}

function visible(ask: Ask, view: string | undefined): Experiment[] {
  if (view !== undefined && !["ACTIVE_ONLY", "DELETED_ONLY", "ALL"].includes(view))
    throw badValue(`Invalid view_type ${view}`);
  return [...tracking.of(ask.state).experiments.values()].filter(
    (each) =>
      (view === "ALL" || each.lifecycle_stage === (view === "DELETED_ONLY" ? "deleted" : "active")) &&
      levelOf(ask.state, "experiments", each.experiment_id, ask.principal) !== undefined,
  );
}

const named = (ask: Ask, name: string): Experiment | undefined =>
  [...tracking.of(ask.state).experiments.values()].find((each) => each.name === name);

/** The backend takes `/Workspace/Shared/x` for `/Shared/x` (reference 2.1). */
const stripped = (name: string): string => name.replace(/^\/Workspace(?=\/)/, "");

function absolute(given: string): string {
  const name = stripped(given);
  if (!name.startsWith("/") || name.endsWith("/") || name.includes("//"))
    throw badValue(
      `Got an invalid experiment name '${given}'. An experiment name must be an absolute path within the Databricks workspace, e.g. '/Users/<some-username>/my-experiment'.`,
    );
  return name;
}

const exists = (name: string, deleted = false): Error =>
  refuse(
    400,
    "RESOURCE_ALREADY_EXISTS",
    deleted
      ? `Node named '${name}' already exists, but it was deleted. Restore it or choose another name.`
      : `Node named '${name}' already exists`,
  );

function edited(ask: Ask, id: string, level: "CAN_EDIT" | "CAN_MANAGE" = "CAN_EDIT"): Experiment {
  const found = experimentOf(ask.state, needed(id, "experiment_id"));
  demandLevel(ask, "experiments", id, level);
  return found;
}
