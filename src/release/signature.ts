import * as z from "zod";
import type { SignatureVerdict } from "./plan-release.ts";

/** The inputs of an MLflow model signature: `signature.inputs` of MLmodel is JSON text. */
const column = z.object({ name: z.string().optional(), type: z.unknown(), required: z.boolean().default(true) });

export type Inputs = readonly { name: string; type: string; required: boolean }[];

/** The inputs that a model states; undefined when it states none, or in a form that is not columns. Pure. */
export function inputsOf(signatureInputs: string | undefined): Inputs | undefined {
  if (signatureInputs === undefined) return undefined;
  try {
    const columns = z.array(column).min(1).parse(JSON.parse(signatureInputs));
    return columns.map(({ name, type, required }, i) => ({
      name: name ?? `#${i}`,
      type: JSON.stringify(type),
      required,
    }));
  } catch {
    return undefined;
  }
}

/**
 * Whether callers of the version that serves now could go back to the target: every input that the target requires is among
 * the inputs that are given now, with the same type. Pure.
 */
export function compareSignatures(now: Inputs | undefined, target: Inputs | undefined): SignatureVerdict {
  if (now === undefined || target === undefined) return "not stated";
  const broken = target
    .filter((each) => each.required)
    .some((each) => !now.some((given) => given.name === each.name && given.type === each.type));
  return broken ? "not compatible" : "compatible";
}
