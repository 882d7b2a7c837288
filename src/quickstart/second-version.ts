import * as z from "zod";
import { EXIT, FactoryError } from "../lib/error.ts";
import { decided, demandSame, demandYes } from "./answers.ts";
import { changeCode } from "./code.ts";
import { approve, promote, type Registered, registerModel, release, step } from "./first-release.ts";
import { checkModel, type Trained, trainModel } from "./model.ts";
import { AUTHOR } from "./people.ts";
import { type Stage, TICKETS } from "./stage.ts";
import { runFactory } from "./step.ts";
import type { Story, StoryStep } from "./story.ts";

/** More and smaller trees, in the code and in the model card. */
const EDITS = [
  { path: "src/claims_triage/config.py", before: '"max_iter": 80', after: '"max_iter": 100' },
  { path: "src/claims_triage/config.py", before: '"learning_rate": 0.06', after: '"learning_rate": 0.05' },
  { path: "docs/model-card.md", before: "80 trees", after: "100 trees" },
];

export interface Second {
  trained: Trained;
  commands: string[];
  durationMs: number;
}

/** A good second version: changed, committed, trained, and through all gates. */
export async function buildSecond(stage: Stage): Promise<Second> {
  const { author, project } = stage;
  await changeCode(author, project, EDITS, "More and smaller trees");
  const trained = await trainModel(stage, project, "training a second version");
  const checked = await checkModel(stage, project, "checking the second version: seven gates");
  if (!checked.ok)
    throw new FactoryError("quickstart.second", EXIT.outside, "the second version did not pass its gates", {
      problems: checked.data.gates
        .filter((gate) => gate.verdict !== "pass")
        .map(({ gate, summary }) => ({ message: `${gate}: ${summary}` })),
      hint: "on a busy machine, try again",
    });
  return {
    trained,
    commands: [trained.command, checked.command],
    durationMs: trained.durationMs + checked.durationMs,
  };
}

/** Registered, promoted twice, approved and released, like the first one. */
export async function releaseSecond(
  stage: Stage,
  second: Second,
): Promise<{ step: StoryStep; registered: Registered }> {
  const { author, approver } = stage;
  const [, ticket] = TICKETS;
  const registered = await registerModel(stage);
  const { number } = registered;
  const inTest = await promote(author, stage, number, "test");
  demandYes(inTest);
  const signed = await approve(approver, stage, number, ticket);
  demandYes(signed);
  const inProd = await promote(author, stage, number, "prod", "--ticket", ticket);
  const live = await release(author, stage, number);
  const { version, before, digest } = demandYes(live);
  demandSame("the digests in dev, test and prod", [
    registered.digest,
    inTest.data.digest,
    demandYes(inProd).digest,
    digest,
  ]);
  const { auc } = second.trained;
  const ran = [second, registered, inTest, signed, inProd, live];
  return {
    registered,
    step: {
      ...step(
        `a better model, v${number}`,
        AUTHOR,
        `${auc === null ? "" : `AUC ${auc.toFixed(3)}, `}all gates, approved; champion v${before ?? "?"} → v${version}`,
      ),
      commands: [...second.commands, ...ran.flatMap((each) => ("command" in each ? [each.command] : []))],
      durationMs: ran.reduce((sum, each) => sum + each.durationMs, 0),
    },
  };
}

const rolledBack = decided.extend({
  from: z.object({ version: z.string() }).optional(),
  to: z.object({ version: z.string() }).optional(),
  detectedToRestoredMs: z.number().optional(),
});

/** Back to the version before, by hand; detected at the moment at which it is asked for. */
export async function rollBack(stage: Stage): Promise<{ step: StoryStep; rollback: NonNullable<Story["rollback"]> }> {
  const result = await runFactory(
    stage.author,
    "rolling back",
    ["rollback", "--env", "prod", "--reason", "to see the way back", "--detected-at", new Date().toISOString()],
    stage.project,
    rolledBack,
  );
  const { from, to, detectedToRestoredMs } = demandYes(result);
  if (from === undefined || to === undefined || detectedToRestoredMs === undefined)
    throw new FactoryError("quickstart.story", EXIT.bug, `${result.command} does not say what it did`);
  const took = `${(detectedToRestoredMs / 1000).toFixed(1)} s`;
  return {
    step: step(
      "rollback",
      AUTHOR,
      `by hand: champion v${from.version} → v${to.version}, detected → restored in ${took}`,
      result,
    ),
    rollback: { from: from.version, to: to.version, detectedToRestoredMs },
  };
}
