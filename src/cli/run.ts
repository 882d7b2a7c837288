import { type ErrorExit, EXIT, FactoryError, messageOf, usageError } from "../lib/error.ts";
import { fileErrorByItself } from "../lib/file-error.ts";
import { setUpHttp } from "../lib/http-settings.ts";
import type { CommandEntry } from "./command.ts";
import { findCommand, slipOfChild, unknownCommand } from "./find-command.ts";
import { clean, dataDocument, errorDocument, errorText, plain } from "./output.ts";
import { groupOverview, overview } from "./overview.ts";
import { makeStyle } from "./style.ts";
import { USAGES } from "./usages.ts";
import type { World, Writers } from "./world.ts";

/** Runs one command line and returns the exit status. Nothing is thrown; stdout gets the answer and nothing else. */
export async function runCli(table: readonly CommandEntry[], world: World): Promise<number> {
  const wantsJson = world.argv.includes("--json");
  const debug = world.argv.includes("--debug");
  const colour = (terminal: boolean) =>
    (terminal && !("NO_COLOR" in world.variables)) || "FORCE_COLOR" in world.variables;
  const argv = world.argv[0] === "help" ? [...world.argv.slice(1), "--help"] : world.argv;
  const found = findCommand(table, argv);
  const flags = found === undefined ? undefined : import("./flags.ts");
  const paint =
    colour(world.stdout.terminal) || colour(world.stderr.terminal)
      ? new (await import("chalk")).Chalk({ level: 1 })
      : false;
  const writers: Writers = {
    out: (text) => world.stdout.write(clean(text.endsWith("\n") ? text : `${text}\n`, world.secrets)),
    document: (text) => world.stdout.write(text),
    err: (text) => world.stderr.write(clean(text, world.secrets)),
    style: ({ terminal, columns }) => makeStyle(colour(terminal) && paint, columns),
  };
  const name = found?.entry.name ?? "factory";
  try {
    if (found === undefined || flags === undefined)
      return answerWithoutCommand(table, { ...world, argv }, writers, wantsJson);
    const slip = slipOfChild(table, name, found.rest);
    if (slip !== undefined) throw slip;
    const usage = USAGES[name] ?? (await found.entry.load());
    const parsed = (await flags).parseFlags(usage, found.rest);
    if (parsed.kind === "help") {
      writers.out(parsed.text);
      return EXIT.yes;
    }
    // Before the command, which makes schemas; and not for a slip of the fingers, which needs none.
    const { execute } = await import("./execute.ts");
    const [command, clients] = await Promise.all([found.entry.load(), world.clients()]);
    if (parsed.flags.debug) setUpHttp({ trace: (line) => writers.err(`${plain(line)}\n`) });
    return await execute(command, clients, parsed.raw, parsed.flags, world, writers);
  } catch (thrown) {
    const error = translate(thrown, world.signal);
    if (wantsJson) writers.document(errorDocument(name, error, world.secrets));
    else writers.err(`${errorText(error, writers.style(world.stderr), debug)}\n`);
    return error.exit;
  }
}

const GLOBAL_FLAGS = ["--help", "-h", "--version", "-V", "-v", "--json", "--quiet", "--yes", "--debug"];

/** `factory` by itself, with or without the flags that every command takes. */
function answerWithoutCommand(
  table: readonly CommandEntry[],
  world: World,
  writers: Writers,
  wantsJson: boolean,
): ErrorExit | typeof EXIT.yes {
  const { argv, version } = world;
  const unknown = argv.find((each) => each.startsWith("-") && !GLOBAL_FLAGS.includes(each));
  const words = argv.filter((each) => !each.startsWith("-"));
  const asksHelp = argv.includes("--help") || argv.includes("-h");
  const group = asksHelp && unknown === undefined && !wantsJson ? groupOverview(table, words) : undefined;
  if (group !== undefined) {
    writers.out(group);
    return EXIT.yes;
  }
  if (words.length > 0) throw unknownCommand(table, argv);
  if (unknown !== undefined) throw usageError("flags.invalid", `unknown option '${unknown}'`, "factory --help");
  const commands = table.map(({ name, group, summary }) => ({ name, group, summary }));
  if (wantsJson) writers.document(dataDocument("factory", true, { version, commands }, world.secrets));
  else if (["--version", "-V", "-v"].some((each) => argv.includes(each))) writers.out(version);
  else writers.out(overview(table));
  return EXIT.yes;
}

/** Anything thrown as an error with an exit status; what nobody expected is a bug of ours (exit 1). */
function translate(thrown: unknown, signal: AbortSignal): FactoryError {
  if (signal.aborted)
    return new FactoryError("interrupted", EXIT.interrupted, "interrupted", {
      hint: "run the same command again: what reached a registry is found, and not done twice",
    });
  if (thrown instanceof FactoryError) return thrown;
  const known = fileErrorByItself(thrown);
  if (known !== undefined) return known;
  return new FactoryError("bug", EXIT.bug, `a bug in factory: ${messageOf(thrown)}`, {
    cause: thrown,
    hint: "please report it with the lines below",
  });
}
