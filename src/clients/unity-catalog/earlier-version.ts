import { setTimeout as sleep } from "node:timers/promises";
import { outsideError } from "../../lib/error.ts";
import type { ModelVersion, VersionRequest } from "../../registry/registry.ts";
import type { Workspace } from "../databricks/workspace.ts";
import { DIGEST_TAG, digestOf } from "../version-tags.ts";
import { isOver, thisAttempt } from "./attempt.ts";
import { ATTEMPT_TAG } from "./tags.ts";
import { type AnyVersion, deleteVersion, listVersions, withTags } from "./versions.ts";

/** After this long nobody on another machine is still sending the bytes of a version. */
const LEFT_AFTER_MS = 60 * 60_000;
const PAUSE_MS = 1000;
const WAIT_MS = 10 * 60_000;

export interface Search {
  /** Nobody else makes versions here: what is not finished was left behind. */
  alone: boolean;
  /** A version that this very command made: only lower ones are of interest. */
  below?: string;
  signal: AbortSignal;
}

/**
 * The version that an earlier try of this request made: the lowest number above `above` with its digest. What a try left unfinished
 * is removed; what somebody else is still making is waited for.
 */
export async function earlierVersion(
  workspace: Workspace,
  request: VersionRequest,
  { alone, below, signal }: Search,
): Promise<ModelVersion | undefined> {
  const digest = digestOf(request);
  const until = Date.now() + WAIT_MS;
  for (;;) {
    const above = (await listVersions(workspace, request.model)).filter(
      ({ version }) => Number(version) > request.above && (below === undefined || Number(version) < Number(below)),
    );
    const mine = (await withTags(workspace, above)).filter((each) => each.tags[DIGEST_TAG] === digest);
    const unfinished = mine.filter((each) => !each.ready);
    const left = unfinished.filter((each) => alone || isLeft(each, workspace));
    for (const each of left) await deleteVersion(workspace, each.model, each.version);
    const [first] = mine.filter((each) => each.ready).sort((a, b) => Number(a.version) - Number(b.version));
    if (first !== undefined) return finished(first);
    if (left.length === unfinished.length) return undefined;
    if (Date.now() > until)
      throw outsideError(
        "version.pending",
        `${request.model} v${unfinished.map((each) => each.version).join(", v")} with the same bytes is not finished (PENDING), ${WAIT_MS / 60_000} min after this command began to wait for it`,
        `another command makes it at this moment, or was killed on another machine; run the same command again: what is unfinished ${LEFT_AFTER_MS / 60_000} min after it was begun is removed and made anew`,
      );
    await sleep(PAUSE_MS, undefined, { signal });
  }
}

/** A version that is whole, without aliases: a new one has none. */
export function finished({ ready: _, ...version }: AnyVersion): ModelVersion {
  return { ...version, aliases: [] };
}

/** Whether nobody is at work any more on a version that is not finished. */
function isLeft({ tags, createdAt }: AnyVersion, workspace: Workspace): boolean {
  const attempt = tags[ATTEMPT_TAG] ?? "";
  // Between two tries of its own, a process works on nothing.
  if (attempt === thisAttempt()) return true;
  const over = isOver(attempt);
  if (over !== undefined) return over;
  const { serverMs, localMs } = workspace.clock() ?? { serverMs: 0, localMs: 0 };
  return Date.now() + (serverMs - localMs) - createdAt > LEFT_AFTER_MS;
}
