import { EXIT, FactoryError } from "../lib/error.ts";
import type { Signer } from "../lib/signing.ts";
import type { Whereabouts } from "../line/find-line.ts";
import type { Line } from "../line/line.ts";
import { openForWriting, type WritingWorld } from "./open-for-writing.ts";
import { rollback } from "./rollback.ts";
import type { RollbackResult, UnrecordedRollback } from "./rollback-result.ts";
import { demandNoSecret, type RollbackRequest } from "./rollback-words.ts";
import { rollbackWithoutLedger, type WithoutLedger, withoutLedger } from "./without-ledger.ts";
import type { ReleaseWorld } from "./world.ts";

/** From where a rollback sets out: the line, or what is known without its ledger. */
export interface OpenRollback {
  model: string;
  /** Of the policy. */
  timezone: string;
  line: Line | undefined;
  /** Reads the line again. */
  reopen: () => Promise<Line>;
  /** What is known without the ledger. Throws exit 2 outside of the project. */
  alone: () => WithoutLedger;
  /** Entries that were written so far for rollbacks that waited. */
  recorded: readonly number[];
}

/**
 * Looks whether the ledger can be asked. One that does not answer, does not hold or is empty must not keep what is wrong in production;
 * anything else that is wrong must: it is thrown.
 */
export async function openForRollback(
  where: Whereabouts,
  environment: string,
  signer: Signer,
  world: WritingWorld,
): Promise<OpenRollback> {
  const recorded: number[] = [];
  const reopen = async () => {
    const opened = await openForWriting(where, signer, world, "leave");
    recorded.push(...opened.recorded);
    return opened.line;
  };
  const alone = () => withoutLedger(where.cwd, where.policy, environment);
  const line = await reopen().catch(unlessOutside);
  const trouble = "view" in line ? troubleOf(line) : line.message;
  if (trouble === undefined && "view" in line) {
    const timezone = line.policy.known ? line.policy.value.inForce.policy.timezone : "UTC";
    return { model: line.model, timezone, line, reopen, alone, recorded };
  }
  const about = alone();
  world.report({ type: "note", tone: "warning", text: `${trouble}; going on without the ledger` });
  const { model, policy } = about;
  return { model, timezone: policy.timezone, line: undefined, reopen, alone: () => about, recorded };
}

/** Goes back by the ledger, or round it where that cannot be read or not be written: what is wrong must not stay for that. */
export async function rollbackEitherWay(
  request: RollbackRequest,
  { line, reopen, alone }: OpenRollback,
  world: ReleaseWorld,
  dryRun: boolean,
): Promise<RollbackResult | UnrecordedRollback> {
  demandNoSecret(request);
  if (line === undefined) return rollbackWithoutLedger(request, alone(), world, dryRun);
  const result = await rollback(request, line, reopen, world, dryRun);
  if (result.kind !== "unwritten") return result;
  // What is begun may have moved the alias: the way round the ledger would go back from there.
  const now = await reopen().catch(unlessOutside);
  if ("state" in now && now.state.environment(request.environment).open.some(({ kind }) => kind === "rollback.started"))
    throw result.cause;
  const text = `${result.cause.message}; going on without the ledger`;
  world.report({ type: "note", tone: "warning", text });
  return rollbackWithoutLedger(request, alone(), world, dryRun);
}

/** Why a chain that was read is no ground for a rollback. */
function troubleOf({ view, ledger }: Line): string | undefined {
  const [problem] = view.problems;
  if (problem !== undefined) return `the ledger ${ledger.place} does not hold: ${problem.message}`;
  return view.entries.length === 0 ? `the ledger ${ledger.place} is empty` : undefined;
}

function unlessOutside(error: unknown): FactoryError {
  if (error instanceof FactoryError && error.exit === EXIT.outside) return error;
  throw error;
}
