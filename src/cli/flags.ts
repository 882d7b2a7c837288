import { Command as Commander, CommanderError } from "commander";
import { usageError } from "../lib/error.ts";
import type { Usage } from "./command.ts";

export interface GlobalFlags {
  json: boolean;
  quiet: boolean;
  yes: boolean;
  dryRun: boolean;
  debug: boolean;
}

export type Parsed = { kind: "help"; text: string } | { kind: "run"; raw: Record<string, unknown>; flags: GlobalFlags };

/** Parses the flags of one command. Throws a usage error; never prints and never exits. */
export function parseFlags(command: Usage, rest: readonly string[]): Parsed {
  let help = "";
  const parser = new Commander(`factory ${command.name}`)
    .description(command.description ?? command.summary)
    .exitOverride()
    .configureOutput({ writeOut: (text) => (help += text), writeErr: () => {} })
    .allowExcessArguments(false)
    .helpOption("-h, --help", "say more about this command");
  for (const argument of command.arguments ?? []) {
    const dots = argument.variadic ? "..." : "";
    parser.argument(
      argument.required ? `<${argument.name}${dots}>` : `[${argument.name}${dots}]`,
      argument.description,
    );
  }
  for (const option of command.options ?? []) parser.option(option.flags, option.description);
  if (command.writes) parser.option("--dry-run", "show what would be done, write nothing");
  parser
    .option("--json", "print one JSON document and nothing else on stdout")
    .option("--quiet", "no progress, notes or warnings on stderr")
    .option("--yes", "ask nothing: take every default, and sign what approve asks about")
    .option("--debug", "show each request on stderr, and on a failure the stack and its causes");
  parser.addHelpText("after", `\nExamples:\n${command.examples.map((line) => `  $ ${line}`).join("\n")}`);
  try {
    parser.parse([...rest], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { kind: "help", text: help };
    const message = error.message.replace(/^error: /, "");
    throw flagError(command, message, error.code === "commander.unknownOption" ? flagsOf(command) : undefined);
  }
  const { json, quiet, yes, dryRun, debug, ...options } = parser.opts<Record<string, unknown>>();
  refuseSwallowedFlag(command, options);
  const named = Object.fromEntries(
    (command.arguments ?? []).map((argument, i) => [camelCase(argument.name), parser.processedArgs[i]]),
  );
  const flags = {
    json: json === true,
    quiet: quiet === true,
    yes: yes === true,
    dryRun: dryRun === true,
    debug: debug === true,
  };
  return { kind: "run", raw: { ...withoutUndefined(named), ...options }, flags };
}

/** `--template --json` forgot the value: a flag is never taken for one. */
function refuseSwallowedFlag(command: Usage, options: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(options)) {
    const swallowed = [value].flat().find((each) => typeof each === "string" && each.startsWith("--"));
    if (swallowed === undefined) continue;
    const flag = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw flagError(command, `--${flag} needs a value, not ${String(swallowed)}`);
  }
}

/** What a command takes, where no flag of it is near enough to the one that was given. */
function flagsOf({ name, options = [], writes }: Usage): string {
  const own = [...options.map(({ flags }) => flags.replace(/\s.*$/, "")), ...(writes ? ["--dry-run"] : [])];
  const what = own.length === 0 ? "no flag of its own" : own.join(", ");
  return `${name} takes ${what}, and those of every command: factory ${name} --help`;
}

function flagError(command: Usage, message: string, help = `factory ${command.name} --help`): Error {
  const [what, suggestion] = message.split("\n");
  return usageError("flags.invalid", what ?? message, suggestion?.replace(/^\(|\)$/g, "") ?? help);
}

function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function withoutUndefined(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
