import * as z from "zod";
import { EXIT, FactoryError } from "../lib/error.ts";
import { decided, demandSame, demandYes } from "./answers.ts";
import { changeCode, git } from "./code.ts";
import { approve, promote, type Registered, registerModel, release, step } from "./first-release.ts";
import { checkModel, type Trained, trainModel } from "./model.ts";
import { AUTHOR } from "./people.ts";
import { type Stage, TICKETS } from "./stage.ts";
import { runFactory } from "./step.ts";
import type { Story, StoryStep } from "./story.ts";

/** Findings of a gate that are told. */
const SAID = 3;

/** More and smaller trees, in the code and in the model card. */
const EDITS = [
  { path: "src/claims_triage/config.py", before: '"max_iter": 80', after: '"max_iter": 100' },
  { path: "src/claims_triage/config.py", before: '"learning_rate": 0.06', after: '"learning_rate": 0.05' },
  { path: "docs/model-card.md", before: "80 trees", after: "100 trees" },
];

/** Changed, committed and trained in a clone, while the first one is judged. Nothing of it is in the project yet. */
export async function trainSecond(stage: Stage, clone: string): Promise<Trained> {
  await changeCode(stage.author, clone, EDITS, "More and smaller trees");
  return trainModel(stage, clone, "training a second version");
}

/** Takes the clone's branch over; the project must stand at the commit that it was cloned from. */
export async function pullSecond({ author, project }: Stage, clone: string): Promise<void> {
  await git(author, project, ["pull", "--quiet", "--ff-only", clone, "main"]);
}

export interface Second {
  trained: Trained;
  commands: string[];
  durationMs: number;
}

/** All gates over the second version, in the project; they have to pass. */
export async function checkSecond(stage: Stage, trained: Trained): Promise<Second> {
  const label = "checking the second version: seven gates";
  const checked = await checkModel(stage, stage.project, label, "--run", trained.run);
  if (!checked.ok)
    throw new FactoryError("quickstart.second", EXIT.outside, "the second version did not pass its gates", {
      problems: checked.data.gates
        .filter((gate) => gate.verdict !== "pass")
        .flatMap(({ gate, summary, findings }) => [
          { message: `${gate}: ${summary}` },
          ...findings.slice(0, SAID).map(({ message, detail }) => ({
            message: detail === undefined ? message : `${message}: ${detail}`,
          })),
        ]),
      hint: "too slow is no fault of the model on a busy machine: try again; what there is so far can be looked at: factory status",
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
