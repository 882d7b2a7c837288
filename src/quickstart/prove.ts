import * as z from "zod";
import { EXIT, FactoryError } from "../lib/error.ts";
import { step } from "./first-release.ts";
import { AUTHOR } from "./people.ts";
import type { Stage } from "./stage.ts";
import { runFactory } from "./step.ts";
import type { Story, StoryStep } from "./story.ts";

const verified = z.object({
  ledger: z.object({ entries: z.int() }),
  bundles: z.object({ named: z.int(), good: z.int() }),
  registry: z.array(z.object({ environment: z.string(), champion: z.string().nullable().optional() })).nullable(),
  network: z.boolean(),
  findings: z.array(z.object({ verdict: z.string(), message: z.string() })),
});

/** Ledger, bundles and registries against each other; that `champion` serves in prod is part of it. */
export async function prove(
  stage: Stage,
  champion: string,
): Promise<{ step: StoryStep; verified: NonNullable<Story["verified"]> }> {
  const result = await runFactory(stage.author, "verifying", ["verify"], stage.project, verified);
  const { ledger, bundles, registry, network, findings } = result.data;
  const prod = registry?.find((each) => each.environment === "prod")?.champion ?? null;
  if (!result.ok || prod !== champion)
    throw new FactoryError("quickstart.story", EXIT.bug, `${result.command} did not find what was done`, {
      problems: [
        ...findings.map(({ verdict, message }) => ({ message: `${verdict}: ${message}` })),
        { message: `champion of prod: ${prod ?? "none"}, it should be ${champion}` },
      ],
      hint: "this must not happen: please report it",
    });
  const offline = network ? "" : "; no network for these";
  return {
    step: step(
      "verify",
      AUTHOR,
      `${ledger.entries} ledger entries, ${bundles.good} of ${bundles.named} bundles${offline}; ${registry?.length ?? 0} registries agree`,
      result,
    ),
    verified: { entries: ledger.entries, bundles: bundles.good, champion },
  };
}
