import { anchorProblem } from "../line/anchor.ts";
import type { Line } from "../line/line.ts";
import { MODEL_TAGS, type ModelRegistry, type RegisteredModel } from "../registry/registry.ts";
import type { RollbackFacts } from "./plan-rollback.ts";

/**
 * Whether a registry is the one that the ledger tells of. Numbers and names are the same in any: it has to hold the end of this very chain
 * as its anchor, or a version that was made when the ledger says. One of them is enough, since a rollback is for the worst days.
 */
export async function holdsThisLine(
  of: { model: RegisteredModel | undefined; name: string } & Pick<RollbackFacts, "serving" | "target">,
  line: Line,
  environment: string,
  registry: ModelRegistry,
): Promise<boolean> {
  const { model, name, serving, target } = of;
  if (model === undefined || serving === undefined) return false;
  const anchor = model.tags[MODEL_TAGS.ledgerHead] ?? "";
  if (anchor !== "" && anchorProblem(model, environment, line.view.entries) === undefined) return true;
  const { rollback } = serving;
  if (rollback !== undefined && rollback !== "none" && target?.createdAt === rollback.createdAt) return true;
  return (await registry.version(name, serving.version))?.createdAt === serving.createdAt;
}
