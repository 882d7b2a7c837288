import type * as z from "zod";
import { type ErrorExit, EXIT, FactoryError, messageOf, usageError } from "../lib/error.ts";
import type { Clients } from "./clients.ts";
import type { AnyCommand, CommandEntry } from "./command.ts";
import type { Context, Places, Variables } from "./context.ts";
import { findCommand, type GlobalFlags, parseFlags, unknownCommand } from "./flags.ts";
import { clean, dataDocument, errorDocument, errorText } from "./output.ts";
import { overview } from "./overview.ts";
import { drawProgress } from "./progress.ts";
import type { Prompts } from "./prompts.ts";
import { makeStyle } from "./style.ts";

/** All that a run needs of the world; `main.ts` gives the real one. */
export interface World {
  argv: readonly string[];
  cwd: string;
  variables: Variables;
  /** Values that must never be shown. */
  secrets: readonly string[];
  places: Places;
  version: string;
  clients: Clients;
  signal: AbortSignal;
  stdout: { write(text: string): void; terminal: boolean; columns: number };
  stderr: { write(text: string): void; terminal: boolean; columns: number };
  prompts(interactive: boolean): Promise<Prompts>;
  stdinTerminal: boolean;
  now(): Date;
  monotonicMs(): number;
}

/** Runs one command line and returns the exit status. Nothing is thrown; stdout gets the answer and nothing else. */
export async function runCli(table: readonly CommandEntry[], world: World): Promise<number> {
  const wantsJson = world.argv.includes("--json");
  const colour = (terminal: boolean) =>
    (terminal && !("NO_COLOR" in world.variables)) || "FORCE_COLOR" in world.variables;
  const errStyle = makeStyle(colour(world.stderr.terminal), world.stderr.columns);
  const out = (text: string) => world.stdout.write(clean(text.endsWith("\n") ? text : `${text}\n`, world.secrets));
  const err = (text: string) => world.stderr.write(clean(text, world.secrets));

  const found = findCommand(table, world.argv);
  let name = found?.entry.name ?? "factory";
  const debug = world.argv.includes("--debug");
  const failed = (thrown: unknown): ErrorExit => {
    const error = translate(thrown, world.signal);
    if (wantsJson) out(errorDocument(name, error));
    else err(`${errorText(error, errStyle, debug)}\n`);
    return error.exit;
  };

  try {
    if (found === undefined) {
      const words = world.argv.filter((each) => !each.startsWith("-"));
      const flags = world.argv.filter(
        (each) => each.startsWith("-") && !["--help", "-h", "--json", "--quiet", "--yes", "--debug"].includes(each),
      );
      if (words.length > 0) throw unknownCommand(table, world.argv);
      if (flags[0] !== undefined) throw usageError("flags.invalid", `unknown option '${flags[0]}'`, "factory --help");
      if (wantsJson)
        out(
          dataDocument(name, true, {
            version: world.version,
            commands: table.map(({ name, group, summary }) => ({ name, group, summary })),
          }),
        );
      else out(overview(table));
      return EXIT.yes;
    }
    const command = await found.entry.load();
    name = command.name;
    const parsed = parseFlags(command, found.rest);
    if (parsed.kind === "help") {
      out(parsed.text);
      return EXIT.yes;
    }
    return await execute(command, parsed.raw, parsed.flags, world, { out, err, colour });
  } catch (thrown) {
    return failed(thrown);
  }
}

interface Writers {
  out(text: string): void;
  err(text: string): void;
  colour(terminal: boolean): boolean;
}

async function execute(
  command: AnyCommand,
  raw: Record<string, unknown>,
  flags: GlobalFlags,
  world: World,
  writers: Writers,
): Promise<number> {
  const errStyle = makeStyle(writers.colour(world.stderr.terminal), world.stderr.columns);
  const progress = drawProgress(
    { write: writers.err, terminal: world.stderr.terminal, columns: () => world.stderr.columns },
    errStyle,
    world.monotonicMs,
  );
  const interactive = world.stdinTerminal && world.stderr.terminal && !flags.yes && !flags.json;
  const input = command.input.safeParse(raw);
  if (!input.success) throw inputError(command, input.error);
  const context: Context = {
    cwd: world.cwd,
    variables: world.variables,
    places: world.places,
    version: world.version,
    clients: world.clients,
    report: flags.quiet ? () => {} : progress.report,
    prompts: await world.prompts(interactive),
    signal: world.signal,
    yes: flags.yes,
    quiet: flags.quiet,
    json: flags.json,
    dryRun: flags.dryRun,
    now: world.now,
  };
  try {
    const answer = await command.run(raw, context);
    world.signal.throwIfAborted();
    progress.stop();
    const data = command.output.parse(answer.data);
    if (answer.failure !== undefined) {
      if (!flags.json) writers.err(`${command.render(data, errStyle)}\n`);
      throw answer.failure;
    }
    writers.out(
      flags.json
        ? dataDocument(command.name, answer.ok, data)
        : command.render(data, makeStyle(writers.colour(world.stdout.terminal), world.stdout.columns)),
    );
    return answer.ok ? EXIT.yes : EXIT.no;
  } finally {
    progress.stop();
  }
}

function inputError(command: AnyCommand, error: z.ZodError): FactoryError {
  const problems = error.issues.map((issue) => ({
    message: issue.message,
    path: `--${issue.path.join(".").replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
  }));
  return new FactoryError("flags.invalid", EXIT.usage, `wrong flags for factory ${command.name}`, {
    problems,
    hint: `factory ${command.name} --help`,
  });
}

/** Anything thrown as an error with an exit status; what nobody expected is a bug of ours (exit 1). */
function translate(thrown: unknown, signal: AbortSignal): FactoryError {
  if (signal.aborted)
    return new FactoryError("interrupted", EXIT.interrupted, "interrupted", {
      hint: "run the same command again: it carries on",
    });
  if (thrown instanceof FactoryError) return thrown;
  return new FactoryError("bug", EXIT.bug, `a bug in factory: ${messageOf(thrown)}`, {
    cause: thrown,
    hint: "please report it with the lines below",
  });
}
