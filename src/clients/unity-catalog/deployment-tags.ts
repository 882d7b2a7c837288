export const APPROVED = "Approved";

/** Whether a task of a deployment job asks for an approval: by its name, as the vendor has it. Pure. */
export function isApprovalTask(key: string): boolean {
  return /^approval/i.test(key);
}

/** Names of the approval tasks that the tags of a version let pass. Pure. */
export function approvalTags(tags: Readonly<Record<string, string>>): string[] {
  return Object.entries(tags)
    .filter(([key, value]) => isApprovalTask(key) && value.trim().toLowerCase() === APPROVED.toLowerCase())
    .map(([key]) => key);
}
