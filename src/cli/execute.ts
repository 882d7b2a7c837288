// Before any schema is made: it counts from then on.
import "./zod-settings.ts";
import type * as z from "zod";
import { choiceProblem } from "../lib/choice.ts";
import { EXIT, FactoryError } from "../lib/error.ts";
import type { Clients } from "./clients.ts";
import type { AnyCommand } from "./command.ts";
import type { Context } from "./context.ts";
import type { GlobalFlags } from "./flags.ts";
import { dataDocument, shown } from "./output.ts";
import { drawProgress } from "./progress.ts";
import { NO_PROMPTS } from "./prompts.ts";
import type { World, Writers } from "./world.ts";

/** Reads a command's input, runs it and writes its answer; returns the exit status. Throws what it throws, and usage errors. */
export async function execute(
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
    if (!flags.json) writers.out(command.render(shown(data), writers.style(world.stdout)));
    if (answer.failure !== undefined) throw flags.json ? answer.failure : withoutProblems(answer.failure);
    if (flags.json) writers.document(dataDocument(command.name, answer.ok, data, world.secrets));
    return answer.ok ? EXIT.yes : EXIT.no;
  } finally {
    progress.end();
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
