import type { CommandEntry, Group } from "./command.ts";

const GROUPS: readonly Group[] = ["Start", "Build", "Ship", "Prove", "Run", "Value"];

/** What `factory GROUP --help` prints; undefined when these words name no group of commands. */
export function groupOverview(table: readonly CommandEntry[], words: readonly string[]): string | undefined {
  const prefix = `${words.join(" ")} `;
  const entries = words.length === 0 ? [] : table.filter((entry) => entry.name.startsWith(prefix));
  if (entries.length === 0) return undefined;
  const width = Math.max(...entries.map((entry) => entry.name.length));
  return [
    ...entries.map((entry) => `  factory ${entry.name.padEnd(width)}  ${entry.summary}`),
    "",
    `  factory ${prefix}COMMAND --help says more, with examples.`,
    "",
  ].join("\n");
}

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
