import { EXIT, FactoryError } from "../lib/error.ts";
import { changeCode, git } from "./code.ts";
import { checkModel, type Trained, trainModel } from "./model.ts";
import { AUTHOR } from "./people.ts";
import type { Stage } from "./stage.ts";
import type { Story, StoryStep } from "./story.ts";

const ROWS = 300;

export interface Worse {
  /** The clone, with the worse code checked out. */
  folder: string;
  trained: Trained;
  durationMs: number;
}

/** A model of the first few rows: a line that was left from trying something out. Committed on a branch of the clone. */
export async function trainWorse(stage: Stage, clone: string): Promise<Worse> {
  const began = performance.now();
  const edit = {
    path: "src/claims_triage/train.py",
    before: "model = fit(training, seed, **overrides)",
    after: `model = fit(training.head(${ROWS}), seed, **overrides)`,
  };
  await git(stage.author, clone, ["switch", "--quiet", "--create", "trial"]);
  await changeCode(stage.author, clone, [edit], "Train on fewer rows");
  const trained = await trainModel(stage, clone, `training a worse model, on ${ROWS} rows`);
  return { folder: clone, trained, durationMs: performance.now() - began };
}

/** The gates over the worse model, which have to say no: below the floor, and below the champion. */
export async function refuseWorse(
  stage: Stage,
  worse: Worse,
): Promise<{ step: StoryStep; worse: NonNullable<Story["worse"]> }> {
  const { trained } = worse;
  const checked = await checkModel(stage, worse.folder, "checking the worse model", "--only", "model,baseline");
  const found = (gate: string) => {
    const result = checked.data.gates.find((each) => each.gate === gate);
    return result?.verdict === "fail" ? result.findings.map((each) => each.message) : [];
  };
  const floor = firstMatch(found("model"), /^roc_auc ([\d.]+ < [\d.]+)$/);
  const drop = firstMatch(found("baseline"), /^roc_auc fell by ([\d.]+)$/);
  const { evidence, model } = checked.data;
  if (checked.ok || floor === undefined || drop === undefined || evidence === undefined || model === undefined)
    throw new FactoryError("quickstart.story", EXIT.bug, "the worse model was not refused by floor and champion", {
      problems: checked.data.gates.map(({ gate, verdict, summary }) => ({
        message: `${gate}: ${verdict}, ${summary}`,
      })),
      hint: "this must not happen: please report it",
    });
  return {
    step: {
      name: "a worse model",
      outcome: "refused",
      what: `AUC ${floor[1]}, and ${drop[1]} below the champion`,
      by: AUTHOR.address,
      commands: [trained.command, checked.command],
      durationMs: worse.durationMs + checked.durationMs,
    },
    worse: {
      run: trained.run,
      digest: model.digest,
      evidence: evidence.digest,
      auc: trained.auc,
      findings: [floor[0], drop[0]],
    },
  };
}

function firstMatch(texts: readonly string[], pattern: RegExp): RegExpExecArray | undefined {
  return texts.map((text) => pattern.exec(text)).find((match) => match !== null) ?? undefined;
}
