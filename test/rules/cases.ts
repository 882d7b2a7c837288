import type { Case } from "./case-parts.ts";
import { APPROVAL_CASES } from "./cases-approvals.ts";
import { CANDIDATE_CASES } from "./cases-candidate.ts";
import { CODE_CASES } from "./cases-code.ts";
import { WORLD_CASES } from "./cases-world.ts";

/** For every rule of the table: what passes, what is refused, and what cannot be told. */
export const CASES: Readonly<Record<string, readonly Case[]>> = {
  ...CANDIDATE_CASES,
  ...CODE_CASES,
  ...APPROVAL_CASES,
  ...WORLD_CASES,
};
