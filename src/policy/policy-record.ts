import * as z from "zod";
import { envelopeSchema } from "../lib/dsse.ts";

/** A policy with the signatures of its owners. The ledger keeps the text, so that who could sign what is known for ever. */
export const policyRecord = z.strictObject({
  /** SHA-256 of the text, hex. */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  version: z.int().min(1),
  text: z.string().max(1 << 20),
  signatures: z.array(envelopeSchema).min(1).max(20),
});
export type PolicyRecord = z.infer<typeof policyRecord>;
