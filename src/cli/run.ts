// Before any schema is made: it counts from then on.
import "./zod-settings.ts";
import type * as z from "zod";
import { choiceProblem } from "../lib/choice.ts";
import { type ErrorExit, EXIT, FactoryError, messageOf, usageError } from "../lib/error.ts";
import { setUpHttp } from "../lib/http-settings.ts";
import type { Signer } from "../lib/signing.ts";
import type { IsListed } from "../people/load-signer.ts";
import type { Clients } from "./clients.ts";
import type { AnyCommand, CommandEntry } from "./command.ts";
import type { Context, Places, Variables } from "./context.ts";
import { findCommand, slipOfChild, unknownCommand } from "./find-command.ts";
import type { GlobalFlags } from "./flags.ts";
import { clean, dataDocument, errorDocument, errorText, plain } from "./output.ts";
import { groupOverview, overview } from "./overview.ts";
import { drawProgress } from "./progress.ts";
import { NO_PROMPTS, type Prompts } from "./prompts.ts";
import { makeStyle, type Style } from "./style.ts";
import { USAGES } from "./usages.ts";

/** All that a run needs of the world; `main.ts` gives the real one. */
export interface World {
  argv: readonly string[];
  cwd: string;
  variables: Variables;
  /** Values that must never be shown. */
  secrets: readonly string[];
  keysGiven: readonly string[];
  places: Places;
  version: string;
  clients(): Promise<Clients>;
  /** The key to sign with; a question about it goes to the prompts. */
  signer(name: string | undefined, prompts: Prompts, listed: (() => Promise<IsListed>) | undefined): Promise<Signer>;
  keyPassphrase(): string | undefined;
  signal: AbortSignal;
  stdout: { write(text: string): void; terminal: boolean; columns: number };
  stderr: { write(text: string): void; terminal: boolean; columns: number };
  /** Questions on the terminal; asked for only when there is one. */
  prompts(): Promise<Prompts>;
  stdinTerminal: boolean;
  now(): Date;
  monotonicMs(): number;
}

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

interface Writers {
  out(text: string): void;
  /** A JSON document, masked already. */
  document(text: string): void;
  err(text: string): void;
  style(stream: World["stdout"]): Style;
}

async function execute(
  command: AnyCommand,
  clients: Clients,
  raw: Record<string, unknown>,
  flags: GlobalFlags,
  world: World,
  writers: Writers,
): Promise<number> {
  const errStyle = writers.style(world.stderr);
  const progress = drawProgress(
    { write: writers.err, terminal: world.stderr.terminal, columns: () => world.stderr.columns },
    errStyle,
    world.monotonicMs,
  );
  const interactive = world.stdinTerminal && world.stderr.terminal && !flags.yes && !flags.json;
  const input = command.input.safeParse(raw, { reportInput: true });
  if (!input.success) throw inputError(command, input.error);
  const prompts = interactive ? await world.prompts() : NO_PROMPTS;
  const context: Context = {
    cwd: world.cwd,
    variables: world.variables,
    keysGiven: world.keysGiven,
    places: world.places,
    version: world.version,
    clients,
    signer: ({ name, listed } = {}) => world.signer(name, prompts, listed),
    keyPassphrase: world.keyPassphrase,
    report: flags.quiet ? () => {} : progress.report,
    prompts,
    signal: world.signal,
    yes: flags.yes,
    quiet: flags.quiet,
    json: flags.json,
    dryRun: flags.dryRun,
    now: world.now,
  };
  clients.hearFrom(context.report);
  try {
    const answer = await command.run(raw, context);
    world.signal.throwIfAborted();
    progress.stop();
    const data = command.output.parse(answer.data);
    if (!flags.json) writers.out(command.render(data, writers.style(world.stdout)));
    if (answer.failure !== undefined) throw flags.json ? answer.failure : withoutProblems(answer.failure);
    if (flags.json) writers.document(dataDocument(command.name, answer.ok, data, world.secrets));
    return answer.ok ? EXIT.yes : EXIT.no;
  } finally {
    progress.stop();
  }
}

/** On a screen the answer has told each of them already; the document of an error holds nothing else. */
function withoutProblems({ code, exit, message, hint, cause }: FactoryError): FactoryError {
  return new FactoryError(code, exit, message, { ...(hint !== undefined && { hint }), cause });
}

function inputError(command: AnyCommand, error: z.ZodError): FactoryError {
  const problems = error.issues.map((issue) => ({
    // Of a list that was one word the place in it says nothing.
    ...(choiceProblem(issue, issue.input) ?? { message: issue.message }),
    path: `--${issue.path
      .filter((each) => typeof each === "string")
      .join(".")
      .replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
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
