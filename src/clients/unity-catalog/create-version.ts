import { setTimeout as sleep } from "node:timers/promises";
import { FactoryError, outsideError } from "../../lib/error.ts";
import { type Report, withTask } from "../../lib/progress.ts";
import type { FetchedModel } from "../../registry/model-files.ts";
import type { ModelVersion, VersionRequest } from "../../registry/registry.ts";
import { type Grant, withGrants } from "../databricks/grants.ts";
import { isUnknownOutcome } from "../databricks/replies.ts";
import { DIGEST_TAG, digestOf } from "../version-tags.ts";
import { thisAttempt } from "./attempt.ts";
import { earlierVersion, finished } from "./earlier-version.ts";
import { makeModel } from "./models.ts";
import { PYTHON_UNKNOWN, type PythonRequest, type PythonWorld, runPython } from "./python.ts";
import { ATTEMPT_TAG, keptTags } from "./tags.ts";
import { deleteVersion, findVersion } from "./versions.ts";

const TRIES = 4;
const FIRST_PAUSE_MS = 500;
const READS = 6;
const READ_PAUSE_MS = 400;

export interface VersionBytes {
  /** Holds exactly `files`. */
  folder: string;
  files: FetchedModel["files"];
  /** Where it came from, for those who look at it in the workspace. */
  origin?: { run: string; loggedModel: string };
  /**
   * What the caller knows of the target. Given, it holds the line's lock on the environment, so that nobody else makes versions here;
   * `earlierTry`: a version of this request may be there already; `model`: the registered model is. Absent (`register`, which holds
   * no lock): everything is looked for, and what somebody else is making is waited for.
   */
  seen?: { earlierTry: boolean; model: boolean };
}

/**
 * A version with bytes of its own: made, filled and finished by MLflow's own client, tags inside the create. A try that was cut off leaves
 * a version that is not finished and counts for nobody; it is removed by the next one.
 */
export async function createVersion(
  world: PythonWorld,
  files: () => Promise<boolean>,
  request: VersionRequest & VersionBytes,
  report: Report,
): Promise<ModelVersion> {
  const { workspace, signal } = world;
  const { seen = { earlierTry: true, model: false } } = request;
  const alone = request.seen !== undefined;
  const look = (below?: string) =>
    earlierVersion(workspace, request, { alone, signal, ...(below !== undefined && { below }) });
  const there = seen.earlierTry ? await look() : undefined;
  if (there !== undefined) return there;
  if (!seen.model) await withGrants(workspace, toMakeModel(request.model), () => makeModel(workspace, request.model));
  const byFiles = await files();
  for (let tries = 1; ; tries++) {
    try {
      const version = await fill(world, request, byFiles, report);
      const made = await readBack(world, request, version);
      // The caller holds the environment. Who takes it over looks for what this made, and the caller asks the ledger before an alias moves.
      if (tries === 1 && alone && !seen.earlierTry) return made;
      // An earlier try may have come through late, after it was looked for; or somebody registers the same at this moment.
      const first = await look(made.version);
      if (first === undefined) return made;
      await deleteVersion(workspace, made.model, made.version);
      return first;
    } catch (error) {
      const unknown = error instanceof FactoryError && (error.code === PYTHON_UNKNOWN || isUnknownOutcome(error));
      if (signal.aborted || !unknown) throw error;
      // A server that is still at it gets a moment to finish.
      await sleep(FIRST_PAUSE_MS * 2 ** (tries - 1), undefined, { signal });
      const made = await look();
      if (made !== undefined) return made;
      if (tries === TRIES) throw error;
    }
  }
}

/** The grants that a new version takes, of somebody who does not own the model. */
export function toMakeVersion(model: string): Grant[] {
  return [
    ["CREATE MODEL VERSION", "FUNCTION", model],
    ["MANAGE", "FUNCTION", model],
  ];
}

/** The grant that a new model takes; who makes a model owns it. */
export function toMakeModel(model: string): Grant[] {
  return [["CREATE MODEL", "SCHEMA", model.split(".").slice(0, 2).join(".")]];
}

/** Runs MLflow's client and returns the number of the version that it made. */
async function fill(
  world: PythonWorld,
  request: VersionRequest & VersionBytes,
  files: boolean,
  report: Report,
): Promise<string> {
  const { model, folder, origin } = request;
  const digest = digestOf(request);
  const asked: PythonRequest = {
    what: "create",
    model,
    folder,
    source: origin === undefined ? `/factory/sha256/${digest}` : `models:/${origin.loggedModel}`,
    tags: keptTags({ ...request.tags, [ATTEMPT_TAG]: thisAttempt() }),
    ...(origin !== undefined && { run: origin.run, loggedModel: origin.loggedModel }),
  };
  const total = request.files.reduce((sum, each) => sum + each.bytes, 0);
  let version: string | undefined;
  try {
    await withTask(
      report,
      "model.upload",
      `copying the model to ${model}`,
      (advance) =>
        withGrants(world.workspace, toMakeVersion(model), () =>
          runPython(world, asked, {
            files,
            report,
            on(event) {
              if (event.event === "created") version = event.version;
              if (event.event === "progress") advance(Math.min(event.bytes, total));
            },
          }),
        ),
      { total, unit: "bytes" },
    );
  } catch (error) {
    // Refused for good: what was begun goes away. Where it is unknown, the next look finds and removes it.
    const refused =
      error instanceof FactoryError &&
      ["http.403", "grants.missing", "unity.refused", "unity.throttled"].includes(error.code);
    if (refused && version !== undefined) await removeUnfinished(world, model, version).catch(() => {});
    throw error;
  }
  if (version === undefined) throw outsideError(PYTHON_UNKNOWN, `MLflow's client did not say what it made of ${model}`);
  return version;
}

async function removeUnfinished({ workspace }: PythonWorld, model: string, version: string): Promise<void> {
  if ((await findVersion(workspace, model, version))?.ready === false) await deleteVersion(workspace, model, version);
}

/** What was made, by its number: finished, and with the tags that it was made with. */
async function readBack(
  { workspace, signal }: PythonWorld,
  request: VersionRequest,
  version: string,
): Promise<ModelVersion> {
  const find = () => findVersion(workspace, request.model, version);
  let made = await find();
  // A read may lag behind what was just written.
  for (let reads = 1; reads < READS && made?.ready !== true; reads++) {
    await sleep(READ_PAUSE_MS, undefined, { signal });
    made = await find();
  }
  if (made?.ready === true && made.tags[DIGEST_TAG] === digestOf(request)) return finished(made);
  throw outsideError(
    PYTHON_UNKNOWN,
    `${request.model} v${version} was made, and ${made === undefined ? "is not there" : made.ready ? "carries another digest" : "is not finished"}`,
    "run the same command again",
  );
}
