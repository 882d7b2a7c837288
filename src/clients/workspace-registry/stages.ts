import { changedError, outsideError } from "../../lib/error.ts";
import { problemOf } from "../../lib/http.ts";
import { remake } from "../mlflow/make-once.ts";
import { accept, attempt, demand, type MlflowApi } from "../mlflow/mlflow-api.ts";
import { nothing } from "../mlflow/schemas.ts";
import { nameInWorkspace } from "./names.ts";
import { readVersion } from "./one-version.ts";
import { openRequests, type Stage } from "./schemas.ts";

const STAGES: Readonly<Record<string, Stage>> = { challenger: "Staging", champion: "Production" };

/** The alias that a stage stands for; undefined for the others. */
export function aliasOf(stage: Stage): string | undefined {
  return Object.keys(STAGES).find((alias) => STAGES[alias] === stage);
}

export function stageOf(alias: string): Stage {
  const stage = STAGES[alias];
  if (stage === undefined) throw new TypeError(`no stage stands for the alias ${alias}`);
  return stage;
}

/**
 * Moves a version to a stage by a transition request with a comment, and approves it; what was in a stage that only one may be in is
 * archived. Looks first, and after a lost reply again. Without the right to approve, the request stays open for somebody who has
 * it: exit 4, and running the command again after that goes on.
 */
export async function moveTo(api: MlflowApi, model: string, version: string, to: Stage, why: string): Promise<void> {
  const name = nameInWorkspace(model);
  const stageNow = async (): Promise<Stage> => {
    const found = await readVersion(api, model, version);
    if (found === undefined) throw outsideError("registry.missing", `${name} v${version} is not there`);
    return found.current_stage;
  };
  if ((await stageNow()) === to) return;
  const what = { name, version, stage: to };
  const isOpen = async () => {
    const query = { name, version };
    const { requests } = await demand(api, { method: "GET", path: "transition-requests/list", query }, openRequests);
    return requests.some((each) => each.to_stage === to) ? true : undefined;
  };
  const ask = async () => {
    const call = { method: "POST" as const, path: "transition-requests/create", json: { ...what, comment: why } };
    await demand(api, call, nothing);
    return true;
  };
  if (!(await isOpen())) await remake(api, isOpen, ask);
  const isThere = async () => ((await stageNow()) === to ? true : undefined);
  await remake(api, isThere, async () => {
    const archive_existing_versions = to === "Staging" || to === "Production";
    const json = { ...what, archive_existing_versions, comment: why };
    const { request, reply } = await attempt(api, { method: "POST", path: "transition-requests/approve", json });
    if (problemOf(reply).code === "PERMISSION_DENIED")
      throw outsideError(
        "stage.approval",
        `${name} v${version} waits for somebody who may move it to ${to}: a transition request is open`,
        `have it approved in the workspace by somebody with ${to === "Production" ? "CAN_MANAGE_PRODUCTION_VERSIONS" : "CAN_MANAGE_STAGING_VERSIONS"}, then run the same command again`,
      );
    accept(request, reply, nothing);
    return true;
  });
  const now = await stageNow();
  if (now !== to)
    throw changedError(
      "stage.moved",
      `${name} v${version} is in ${now} right after it was moved to ${to}: somebody else moves it`,
    );
}
