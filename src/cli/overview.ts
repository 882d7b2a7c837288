import type { CommandEntry, Group } from "./command.ts";

const GROUPS: readonly Group[] = ["Start", "Build", "Ship", "Prove", "Run", "Value"];

/** What `factory` and `factory --help` print: only commands that exist, by group. */
export function overview(table: readonly CommandEntry[]): string {
  const width = Math.max(...table.map((entry) => entry.name.length));
  const groups = GROUPS.flatMap((group) => {
    const entries = table.filter((entry) => entry.group === group);
    if (entries.length === 0) return [];
    return [`  ${group}`, ...entries.map((entry) => `    ${entry.name.padEnd(width)}  ${entry.summary}`), ""];
  });
  return [
    "factory — from AI pilot to governed production on Databricks",
    "",
    ...groups,
    "  factory COMMAND --help says more, with examples. Every command takes --json.",
    "  Exit status: 0 yes · 2 wrong call · 3 the answer is no · 4 an outside system failed · 5 the plan is stale",
    "",
  ].join("\n");
}
