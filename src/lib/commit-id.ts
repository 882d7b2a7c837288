import * as z from "zod";

const COMMIT_ID = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/** SHA-1 or SHA-256, as the repository has it. */
export const commitId = z.string().regex(COMMIT_ID, "a commit id in lower-case hex");

/** Whether a text is a whole commit id. */
export function isCommitId(text: string): boolean {
  return COMMIT_ID.test(text);
}
