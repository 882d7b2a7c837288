import type { EntryOf } from "../ledger/line-state.ts";
import type { FactoryError } from "../lib/error.ts";
import type { RollbackPlan } from "./plan-rollback.ts";
import type { RollbackWords } from "./rollback-words.ts";

interface Planned {
  plan: RollbackPlan;
  /** As its entry, or the file that waits, holds them. */
  words: RollbackWords;
}

type NotMoved =
  | (Planned & { kind: "refused" })
  /** `again`: it was done before, so that nothing would be recorded. */
  | (Planned & { kind: "planned"; again: boolean });

export type RollbackResult =
  | NotMoved
  | (Planned & { kind: "rolledback"; entry: EntryOf<"rolledback">; resumed: boolean });

/** Without the ledger: what was done waits for it. */
export type UnrecordedRollback =
  | NotMoved
  | (Planned & {
      kind: "unrecorded";
      /** When the alias was moved, ISO 8601. */
      at: string;
      /** The file that waits. */
      pending: string;
      resumed: boolean;
    });

/** The ledger cannot be written, or may not be by the clocks: nothing was moved. */
export interface Unwritten {
  kind: "unwritten";
  cause: FactoryError;
}
