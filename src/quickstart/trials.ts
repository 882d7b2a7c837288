import { join } from "node:path";
import { git } from "./code.ts";
import { preparePython, type Trained } from "./model.ts";
import { trainSecond } from "./second-version.ts";
import { PROJECT, type Stage } from "./stage.ts";
import { trainWorse, type Worse } from "./worse-model.ts";

/** A second clone, so that the project stays as it is while its first model is judged. */
const CLONE = `${PROJECT}-trial`;

export interface Trials {
  clone: string;
  second: Trained;
  worse: Worse;
}

/** Two more models, trained in a clone of the project: a better one on its main branch, a worse one on another. */
export async function trainTrials(stage: Stage): Promise<Trials> {
  const clone = join(stage.folder, CLONE);
  await git(stage.author, stage.folder, ["clone", "--quiet", PROJECT, CLONE]);
  await preparePython(stage, clone);
  // The trial starts from the same commit as the project, not from the second version.
  const second = await trainSecond(stage, clone);
  await git(stage.author, clone, ["switch", "--quiet", "--detach", "HEAD~1"]);
  const worse = await trainWorse(stage, clone);
  return { clone, second, worse };
}
