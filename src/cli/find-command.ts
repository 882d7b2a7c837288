import { usageError } from "../lib/error.ts";
import { nearest } from "../lib/nearest.ts";
import type { CommandEntry } from "./command.ts";

/** Finds the command whose words begin the arguments, longest name first. Flags before the command are allowed. */
export function findCommand(
  table: readonly CommandEntry[],
  argv: readonly string[],
): { entry: CommandEntry; rest: string[] } | undefined {
  const words = argv.filter((each) => !each.startsWith("-"));
  const matches = table.filter((entry) => entry.name.split(" ").every((word, i) => words[i] === word));
  const entry = matches.sort((a, b) => b.name.length - a.name.length)[0];
  if (entry === undefined) return undefined;
  const rest = [...argv];
  for (const word of entry.name.split(" ")) rest.splice(rest.indexOf(word), 1);
  return { entry, rest };
}

/** The error for words that are no command: with the nearest name, or the subcommands of a group. */
export function unknownCommand(table: readonly CommandEntry[], argv: readonly string[]): Error {
  const words = argv.filter((each) => !each.startsWith("-"));
  const first = words[0] ?? "";
  const children = table.filter((entry) => entry.name.startsWith(`${first} `));
  if (children.length > 0) {
    const names = children.map((entry) => entry.name.slice(first.length + 1));
    const second = words[1];
    const guess = second === undefined ? undefined : nearest(second, names);
    return usageError(
      "command.unknown",
      second === undefined
        ? `${first} needs one of: ${names.join(", ")}`
        : `${first} has no ${JSON.stringify(second)}; it has: ${names.join(", ")}`,
      guess === undefined ? `factory ${first} ${names[0]} --help` : `did you mean: factory ${first} ${guess}`,
    );
  }
  const guess = nearest(first, [...new Set(table.flatMap((entry) => [entry.name, entry.name.split(" ")[0] ?? ""]))]);
  return usageError(
    "command.unknown",
    `there is no command ${JSON.stringify(first)}`,
    guess === undefined ? "factory --help lists the commands" : `did you mean: factory ${guess}`,
  );
}
