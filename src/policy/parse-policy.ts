import { parseYaml } from "../lib/yaml-document.ts";
import { type Policy, policySchema } from "./policy.ts";

/** Texts that were found valid. A command meets the same text as a file, in the ledger and in every bundle. */
const known = new Map<string, Policy>();
const KEPT = 16;

/** The policy that this text is. The same text gives the same object: nobody changes it. Throws a usage error with every problem by line. */
export function parsePolicy(text: string, where: string): Policy {
  const before = known.get(text);
  if (before !== undefined) return before;
  const policy = parseYaml(text, where, policySchema);
  if (known.size < KEPT) known.set(text, policy);
  return policy;
}
