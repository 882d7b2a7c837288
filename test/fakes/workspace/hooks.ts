import type { PlayedTask } from "./jobs/play.ts";
import type { TaskEnd } from "./jobs/state.ts";
import type { State } from "./state.ts";

/** What a served model is asked: the columns and rows of one scoring request. */
export interface Scored {
  endpoint: string;
  served: string;
  entityName: string;
  entityVersion: string;
  columns: readonly string[];
  rows: readonly (readonly unknown[])[];
}

/**
 * What tests decide in the place of compute: functions, which the state itself cannot hold. Set them on `hooksOf(workspace.state)`.
 */
export interface Hooks {
  /**
   * What a task of a job's run does, called once per attempt, in the order of dependencies; it may call the workspace. Throwing fails the
   * task. Undefined: the default, success, but for tasks named approval…, which ask for the version's tag.
   */
  task?: (played: PlayedTask, state: State) => TaskEnd | undefined | Promise<TaskEnd | undefined>;
  /** Predictions of a served model, one per row. Default: 0 for each. */
  score?: (asked: Scored) => readonly unknown[];
  /** Answers an SQL statement. Default: SELECT of literals only, everything else fails with a syntax error. */
  statement?: (text: string, parameters: ReadonlyMap<string, string | undefined>) => StatementResult | undefined;
}

export type StatementResult =
  | { columns: readonly { name: string; type: string }[]; rows: readonly (readonly (string | null)[])[] }
  | { sqlState: string; message: string };

const known = new WeakMap<State, Hooks>();

export function hooksOf(state: State): Hooks {
  const present = known.get(state) ?? {};
  known.set(state, present);
  return present;
}
