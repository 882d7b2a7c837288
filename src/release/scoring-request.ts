import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { signatureInputs } from "./mlmodel.ts";
import { type Inputs, inputsOf } from "./signature.ts";

/** What MLflow's `log_model` writes beside an input example: the body of a request, ready to be sent. */
const EXAMPLE = "serving_input_example.json";
const MAX_BYTES = 1 << 20;

/**
 * One request that the model of a folder should be able to answer: the example that was logged with it, else one row of plain
 * values for the inputs of its signature. Undefined when it has neither.
 */
export async function scoringRequest(folder: string): Promise<unknown> {
  const example = await logged(join(folder, EXAMPLE));
  if (example !== undefined) return example;
  const inputs = inputsOf(signatureInputs(await readFile(join(folder, "MLmodel"), "utf8")));
  return inputs && rowOf(inputs);
}

async function logged(path: string): Promise<unknown> {
  try {
    if ((await stat(path)).size > MAX_BYTES) return undefined;
    const parsed: unknown = JSON.parse(await readFile(path, "utf8"));
    return typeof parsed === "object" && parsed !== null ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** A row in the form `dataframe_split`. Pure. */
export function rowOf(inputs: Inputs): unknown {
  const given = inputs.filter((each) => each.required);
  return {
    dataframe_split: { columns: given.map((each) => each.name), data: [given.map((each) => sampleOf(each.type))] },
  };
}

/** A value of an MLflow data type, by its name in JSON. */
function sampleOf(type: string): string | number | boolean {
  if (/string|binary/.test(type)) return "";
  if (/boolean/.test(type)) return false;
  if (/datetime/.test(type)) return "2000-01-01T00:00:00";
  return /double|float/.test(type) ? 0.5 : 1;
}
