import { parse } from "yaml";
import * as z from "zod";

const mlmodel = z.object({ signature: z.object({ inputs: z.string().optional() }).nullish() });

/** `signature.inputs` of an MLmodel file, JSON text; undefined when it states none or is not readable. */
export function signatureInputs(text: string): string | undefined {
  try {
    return mlmodel.parse(parse(text, { maxAliasCount: 10 })).signature?.inputs;
  } catch {
    return undefined;
  }
}
