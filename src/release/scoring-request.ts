import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { signatureInputs } from "./mlmodel.ts";
import { type DataType, type Inputs, inputsOf, nameOf } from "./signature.ts";

/** What MLflow's `log_model` writes beside an input example: the body of a request, ready to be sent. */
const EXAMPLE = "serving_input_example.json";
const MAX_BYTES = 1 << 20;
/** Of a tensor that is made up; a picture has fewer. */
const MAX_NUMBERS = 1 << 20;

/**
 * One request that the model of a folder should be able to answer: the example that was logged with it, else one row of plain
 * values for the inputs of its signature. Undefined when it has neither, or its inputs are too large to be made up.
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

/** The body of a request with one row of plain values; undefined for tensors that are too large to be made up. Pure. */
export function rowOf(inputs: Inputs): unknown {
  if (inputs.some((each) => each["tensor-spec"] !== undefined)) return tensorsOf(inputs);
  const given = inputs.flatMap((each, i) => (each.required ? [{ name: nameOf(each, i), value: sampleOf(each) }] : []));
  return {
    dataframe_split: { columns: given.map((each) => each.name), data: [given.map((each) => each.value)] },
  };
}

/** A value of an MLflow data type. */
function sampleOf({ type, items, properties = {}, values }: DataType): unknown {
  switch (type) {
    case "array":
      return items === undefined ? [] : [sampleOf(items)];
    case "object":
      return Object.fromEntries(
        Object.entries(properties).flatMap(([name, each]) => (each.required ? [[name, sampleOf(each)]] : [])),
      );
    case "map":
      return values === undefined ? {} : { key: sampleOf(values) };
    case "string":
    case "binary":
      return "";
    case "datetime":
      return "2000-01-01T00:00:00";
    default:
      return numberOrFlag(type);
  }
}

/** Tensors have a key of their own in a request. Where there is one without a name, it is all of it. */
function tensorsOf(inputs: Inputs): unknown {
  const tensors = inputs.map((each) => ({ name: each.name, numbers: tensorOf(each["tensor-spec"]) }));
  const [first] = tensors;
  if (first === undefined || tensors.some((each) => each.numbers === undefined)) return undefined;
  if (first.name === undefined) return { inputs: first.numbers };
  return { inputs: Object.fromEntries(tensors.map(({ name, numbers }) => [name, numbers])) };
}

/** One of each dimension that is open (-1). */
function tensorOf(spec: DataType["tensor-spec"]): unknown {
  const shape = spec?.shape.map((length) => Math.max(length, 1)) ?? [];
  if (spec === undefined || shape.reduce((size, length) => size * length, 1) > MAX_NUMBERS) return undefined;
  const one: unknown = /str|object/.test(spec.dtype) ? "" : numberOrFlag(spec.dtype);
  return shape.reduceRight((inner, length) => Array.from({ length }, () => inner), one);
}

function numberOrFlag(type: string): number | boolean {
  if (/bool/.test(type)) return false;
  return /double|float/.test(type) ? 0.5 : 1;
}
