import * as z from "zod";
import { hasLevel } from "../acl.ts";
import { type Ask, badValue, bodyOf, denied, inputOf, notFound, ok, queryOf, type Route } from "../route.ts";
import { needed } from "../shapes.ts";
import { isFor, levelFor, openRequest, requestFor, shownRequest } from "./requests.ts";
import {
  type Activity,
  type LegacyModel,
  type LegacyVersion,
  legacy,
  legacyRoute,
  P,
  permissionOf,
  record,
  type Stage,
  shownVersion,
  stageOf,
  type TransitionRequest,
  versionNamed,
} from "./store.ts";
import { versionRef } from "./versions.ts";

const SDK = "driven by databricks-sdk model_registry";

interface Change {
  model: LegacyModel;
  version: LegacyVersion;
  stage: Stage;
  archives: boolean;
}

function changeFrom(
  ask: Ask,
  body: {
    name?: string | undefined;
    version?: string | undefined;
    stage?: string | undefined;
    archive_existing_versions?: boolean | undefined;
  },
): Change {
  const { model, version } = versionNamed(ask, body, "CAN_READ");
  const stage = stageOf(body.stage);
  const archives = needed(body.archive_existing_versions, "archive_existing_versions");
  if (archives && stage !== "Staging" && stage !== "Production")
    throw badValue(
      `Model version transition cannot archive existing model versions because '${stage}' is not an Active stage. Valid stages are Staging, Production.`,
    );
  const level = levelFor(version.current_stage, stage);
  if (!hasLevel(ask.state, "registered-models", model.id, ask.principal, level))
    throw denied(`${ask.principal.name} does not have ${level} permissions on registered model ${model.name}.`);
  return { model, version, stage, archives };
}

/** Moves a version, archives what was in that stage, and closes the requests that asked for the move. */
function move(ask: Ask, { model, version, stage, archives }: Change): void {
  const known = legacy.of(ask.state);
  if (archives)
    for (const other of model.versions.values()) {
      if (other === version || other.current_stage !== stage) continue;
      other.current_stage = "Archived";
      other.last_updated_timestamp = ask.now();
      record(ask, {
        activity_type: "SYSTEM_TRANSITION",
        name: model.name,
        version: other.version,
        from_stage: stage,
        to_stage: "Archived",
        system_comment: `Archived because version ${version.version} was moved to ${stage}.`,
      });
    }
  version.current_stage = stage;
  version.last_updated_timestamp = ask.now();
  model.last_updated_timestamp = ask.now();
  known.requests = known.requests.filter((each) => !isFor(each, version) || each.to_stage !== stage);
}

const transition = z.strictObject({
  ...versionRef,
  stage: z.string().optional(),
  archive_existing_versions: z.boolean().optional(),
  comment: z.string().exactOptional(),
});

const commented = ({ comment }: { comment?: string }): { comment?: string } =>
  comment === undefined ? {} : { comment };

const routes: readonly Route[] = [
  {
    method: "POST",
    path: `${P}/databricks/model-versions/transition-stage`,
    cites: `reference 3.1 databricks/model-versions/transition-stage: archive_existing_versions is required; ${SDK}`,
    handle(ask) {
      const body = bodyOf(ask, transition);
      const change = changeFrom(ask, body);
      const from_stage = change.version.current_stage;
      move(ask, change);
      record(ask, {
        activity_type: "APPLIED_TRANSITION",
        name: change.model.name,
        version: change.version.version,
        from_stage,
        to_stage: change.stage,
        ...commented(body),
      });
      const open = legacy.of(ask.state).requests.filter((each) => isFor(each, change.version));
      return ok({
        model_version_databricks: {
          ...shownVersion(change.version),
          permission_level: permissionOf(ask, change.model),
          ...(open.length === 0
            ? {}
            : {
                open_requests: open.map((each) => openRequest(ask, change.model, change.version, each)),
              }),
        },
      });
    },
  },
  {
    method: "POST",
    path: `${P}/model-versions/transition-stage`,
    cites:
      "reference 3.3 model-versions/transition-stage, as MLflow's own server; driven by mlflow 3.17.2 transition_model_version_stage",
    handle(ask) {
      const change = changeFrom(ask, bodyOf(ask, transition));
      const from_stage = change.version.current_stage;
      move(ask, change);
      record(ask, {
        activity_type: "APPLIED_TRANSITION",
        name: change.model.name,
        version: change.version.version,
        from_stage,
        to_stage: change.stage,
      });
      return ok({ model_version: shownVersion(change.version) });
    },
  },
  {
    method: "POST",
    path: `${P}/transition-requests/create`,
    cites: `reference 3.1 transition-requests/create; ${SDK}`,
    handle(ask) {
      const body = bodyOf(
        ask,
        z.strictObject({ ...versionRef, stage: z.string().optional(), comment: z.string().exactOptional() }),
      );
      const { model, version } = versionNamed(ask, body, "CAN_READ");
      const to_stage = stageOf(body.stage);
      const request = {
        name: model.name,
        version: version.version,
        to_stage,
        user_id: ask.principal.name,
        creation_timestamp: ask.now(),
        ...commented(body),
      };
      legacy.of(ask.state).requests.push(request);
      record(ask, {
        activity_type: "REQUESTED_TRANSITION",
        name: model.name,
        version: version.version,
        from_stage: version.current_stage,
        to_stage,
        ...commented(body),
      });
      return ok({ request: shownRequest(ask, model, request) });
    },
  },
  {
    method: "GET",
    path: `${P}/transition-requests/list`,
    cites: `reference 3.1 transition-requests/list: the open ones; ${SDK}`,
    handle(ask) {
      const { model, version } = versionNamed(ask, queryOf(ask, z.strictObject(versionRef)), "CAN_READ");
      const open = legacy.of(ask.state).requests.filter((each) => isFor(each, version));
      return ok(open.length === 0 ? {} : { requests: open.map((each) => openRequest(ask, model, version, each)) });
    },
  },
  {
    method: "POST",
    path: `${P}/transition-requests/approve`,
    cites: `reference 3.1 transition-requests/approve; ${SDK}`,
    handle(ask) {
      const body = bodyOf(ask, transition);
      const change = changeFrom(ask, body);
      requestFor(ask, change.version, change.stage);
      const from_stage = change.version.current_stage;
      move(ask, change);
      return ok({
        activity: shownActivity(
          record(ask, {
            activity_type: "APPROVED_REQUEST",
            name: change.model.name,
            version: change.version.version,
            from_stage,
            to_stage: change.stage,
            ...commented(body),
          }),
        ),
      });
    },
  },
  {
    method: "POST",
    path: `${P}/transition-requests/reject`,
    cites: `reference 3.1 transition-requests/reject; ${SDK}`,
    handle(ask) {
      const body = bodyOf(
        ask,
        z.strictObject({ ...versionRef, stage: z.string().optional(), comment: z.string().exactOptional() }),
      );
      const { model, version, stage } = changeFrom(ask, { ...body, archive_existing_versions: false });
      close(ask, requestFor(ask, version, stage));
      return ok({
        activity: shownActivity(
          record(ask, {
            activity_type: "REJECTED_REQUEST",
            name: model.name,
            version: version.version,
            from_stage: version.current_stage,
            to_stage: stage,
            ...commented(body),
          }),
        ),
      });
    },
  },
  {
    method: "DELETE",
    path: `${P}/transition-requests/delete`,
    cites: `reference 3.1 transition-requests/delete: only the creator may; ${SDK}`,
    handle(ask) {
      const body = inputOf(
        ask,
        z.strictObject({
          ...versionRef,
          stage: z.string().optional(),
          creator: z.string().optional(),
          comment: z.string().exactOptional(),
        }),
      );
      const { model, version } = versionNamed(ask, body, "CAN_READ");
      const stage = stageOf(body.stage);
      const creator = needed(body.creator, "creator");
      const found = legacy
        .of(ask.state)
        .requests.find((each) => isFor(each, version) && each.to_stage === stage && each.user_id === creator);
      if (found === undefined) throw notFound(`No open transition request to ${stage} by ${creator}.`);
      if (creator !== ask.principal.name) throw denied("Only the creator of a transition request may delete it.");
      close(ask, found);
      record(ask, {
        activity_type: "CANCELLED_REQUEST",
        name: model.name,
        version: version.version,
        from_stage: version.current_stage,
        to_stage: stage,
        ...commented(body),
      });
      return ok();
    },
  },
];

function close(ask: Ask, request: TransitionRequest): void {
  const known = legacy.of(ask.state);
  known.requests = known.requests.filter((each) => each !== request);
}

const shownActivity = ({ name: _, version: __, ...rest }: Activity): object => rest;
export const transitionRoutes: readonly Route[] = routes.map(legacyRoute);
