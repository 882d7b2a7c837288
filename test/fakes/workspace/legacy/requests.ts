import { hasLevel } from "../acl.ts";
import { type Ask, notFound } from "../route.ts";
import {
  type LegacyModel,
  type LegacyVersion,
  type Level,
  legacy,
  type Stage,
  type TransitionRequest,
} from "./store.ts";

/** From and to Production needs the level for Production, all else the one for Staging (the vendor's page on registry permissions). */
export function levelFor(from: Stage, to: Stage): Level {
  return [from, to].includes("Production") ? "CAN_MANAGE_PRODUCTION_VERSIONS" : "CAN_MANAGE_STAGING_VERSIONS";
}

export const isFor = (request: TransitionRequest, version: LegacyVersion): boolean =>
  request.name === version.name && request.version === version.version;

export function requestFor(ask: Ask, version: LegacyVersion, stage: Stage): TransitionRequest {
  const found = legacy.of(ask.state).requests.find((each) => isFor(each, version) && each.to_stage === stage);
  if (found === undefined)
    throw notFound(`No open transition request to ${stage} for version ${version.version} of ${version.name}.`);
  return found;
}

export function shownRequest(ask: Ask, model: LegacyModel, request: TransitionRequest): object {
  const from = model.versions.get(request.version)?.current_stage ?? "None";
  const decides = hasLevel(ask.state, "registered-models", model.id, ask.principal, levelFor(from, request.to_stage));
  const { name: _, version: __, ...rest } = request;
  return {
    ...rest,
    available_actions: [
      ...(decides ? ["APPROVE_TRANSITION_REQUEST", "REJECT_TRANSITION_REQUEST"] : []),
      ...(request.user_id === ask.principal.name ? ["CANCEL_TRANSITION_REQUEST"] : []),
    ],
  };
}

/** Lists tell of a request as of an activity (databricks-sdk reads them so). */
export const openRequest = (
  ask: Ask,
  model: LegacyModel,
  version: LegacyVersion,
  request: TransitionRequest,
): object => ({
  activity_type: "REQUESTED_TRANSITION",
  from_stage: version.current_stage,
  last_updated_timestamp: request.creation_timestamp,
  ...shownRequest(ask, model, request),
});
