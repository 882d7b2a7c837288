import { usageError } from "../lib/error.ts";
import { nearest } from "../lib/nearest.ts";
import type { CommandEntry } from "./command.ts";

/** Finds the command whose words begin the arguments, longest name first. Flags before the command are allowed, with their value after `=`. */
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

/** The error for a slip in the second word of a command whose first is one too: `approve withdrw`. */
export function slipOfChild(table: readonly CommandEntry[], name: string, rest: readonly string[]): Error | undefined {
  const word = rest.find((each) => !each.startsWith("-"));
  const guess = word === undefined ? undefined : nearest(word, childrenOf(table, name));
  if (word === undefined || guess === undefined) return undefined;
  return usageError(
    "command.unknown",
    `${name} has no ${JSON.stringify(word)}`,
    `did you mean: factory ${name} ${guess}`,
  );
}

function childrenOf(table: readonly CommandEntry[], name: string): string[] {
  return table.filter((entry) => entry.name.startsWith(`${name} `)).map((entry) => entry.name.slice(name.length + 1));
}

/** The error for words that are no command: with the nearest name, or the subcommands of a group. */
export function unknownCommand(table: readonly CommandEntry[], argv: readonly string[]): Error {
  const words = argv.filter((each) => !each.startsWith("-"));
  const first = words[0] ?? "";
  const names = childrenOf(table, first);
  if (names.length > 0) {
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
    guess === undefined
      ? "factory --help lists the commands"
      : `did you mean: factory ${whole(table, guess, words[1])}`,
  );
}

/** A guess at the first word with what has to follow it: a group alone is no command. */
function whole(table: readonly CommandEntry[], guess: string, second: string | undefined): string {
  const names = childrenOf(table, guess);
  const child = second === undefined ? undefined : nearest(second, names);
  if (child !== undefined) return `${guess} ${child}`;
  const [first, ...others] = names;
  if (first === undefined || table.some((entry) => entry.name === guess)) return guess;
  return `${guess} ${first}${others.length === 0 ? "" : ` (or ${others.join(", ")})`}`;
}
