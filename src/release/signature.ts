import { isDeepStrictEqual } from "node:util";
import * as z from "zod";
import type { SignatureVerdict } from "./plan-release.ts";

/** An input of an MLflow signature, or a type inside of one: what it is made of stands beside its `type`. */
export interface DataType {
  type: string;
  /** Of inputs, and of properties of an object. */
  required: boolean;
  name?: string | undefined;
  items?: DataType | undefined;
  properties?: Record<string, DataType> | undefined;
  values?: DataType | undefined;
  "tensor-spec"?: { dtype: string; shape: number[] } | undefined;
}

const dataType: z.ZodType<DataType> = z.object({
  type: z.string(),
  required: z.boolean().default(true),
  name: z.string().optional(),
  items: z.lazy(() => dataType).optional(),
  properties: z
    .record(
      z.string(),
      z.lazy(() => dataType),
    )
    .optional(),
  values: z.lazy(() => dataType).optional(),
  "tensor-spec": z.object({ dtype: z.string(), shape: z.array(z.int()) }).optional(),
});

export type Inputs = readonly DataType[];

/** The inputs that a model states (`signature.inputs` of MLmodel, JSON text), columns or tensors; undefined when it states none. Pure. */
export function inputsOf(signatureInputs: string | undefined): Inputs | undefined {
  if (signatureInputs === undefined) return undefined;
  try {
    return z.array(dataType).min(1).parse(JSON.parse(signatureInputs));
  } catch {
    return undefined;
  }
}

/**
 * Whether callers of the version that serves now could go back to the target: every input that the target requires is among
 * the inputs that are given now, with the same type, all the way down. Pure.
 */
export function compareSignatures(now: Inputs | undefined, target: Inputs | undefined): SignatureVerdict {
  if (now === undefined || target === undefined) return "not stated";
  const given = new Map(now.map((each, i) => [nameOf(each, i), each]));
  const broken = target.some((each, i) => each.required && !isOfOneType(given.get(nameOf(each, i)), each));
  return broken ? "not compatible" : "compatible";
}

/** The name of an input; its place where the signature names none. */
export function nameOf({ name }: DataType, place: number): string {
  return name ?? `#${place}`;
}

function isOfOneType(a: DataType | undefined, b: DataType): boolean {
  // Whether callers have to give it is no part of what they give.
  return a !== undefined && isDeepStrictEqual({ ...a, required: true }, { ...b, required: true });
}
