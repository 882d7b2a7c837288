import { EXIT, FactoryError } from "../lib/error.ts";
import type { ModelRegistry } from "./registry.ts";

/** Throws exit 4 with every grant to ask for when we lack a right for a new version, its aliases and its evidence. Writes nothing. */
export async function demandRights(
  registry: Pick<ModelRegistry, "missingRights" | "place">,
  model: string,
  there: boolean,
): Promise<void> {
  const missing = await registry.missingRights(model, there);
  if (missing.length === 0) return;
  throw new FactoryError(
    "grants.missing",
    EXIT.outside,
    `${registry.place} does not let us write ${model} and its evidence: ${missing.length} grant${missing.length === 1 ? " is" : "s are"} missing`,
    {
      hint: "have the owner give what is listed, then run the same command again",
      problems: missing.map((message) => ({ message })),
    },
  );
}
