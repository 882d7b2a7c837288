import type * as z from "zod";
import type { FactoryError } from "../lib/error.ts";
import type { Context } from "./context.ts";
import type { Style } from "./style.ts";

export interface Argument {
  name: string;
  description: string;
  required?: boolean;
  variadic?: boolean;
}

export interface Option {
  /** As commander spells it: `--run <id>`, `--watch`, `--set <key=value...>`. */
  flags: string;
  description: string;
}

/** What a command found: `ok: false` is the answer "no" (exit 3), not an error. */
export interface Answer<O> {
  ok: boolean;
  data: O;
  /** Set when the question could not be answered after all: the data is shown all the same, this error follows on stderr and decides the exit status. */
  failure?: FactoryError;
}

/** How a command is called: all that its help and the check of its flags need. Plain data, so that a build can keep it. */
export interface Usage {
  name: string;
  summary: string;
  /** More words for `--help`, if the summary is not enough. */
  description?: string;
  arguments?: readonly Argument[];
  options?: readonly Option[];
  /** Whole command lines; each `--help` has at least one. */
  examples: readonly string[];
  /** True when it has `--dry-run`. */
  writes?: boolean;
}

/** One verb: its usage, a schema of its input and of its output, a run that reads top to bottom, and a render. */
export interface Command<I = unknown, O = unknown> extends Usage {
  /** Parses `{ ...arguments, ...options }`; keys are camel-cased. */
  input: z.ZodType<I>;
  output: z.ZodType<O>;
  run(input: I, context: Context): Promise<Answer<O>>;
  /** The text form of the data; what stdout shows without `--json`. */
  render(data: O, style: Style): string;
}

/** Keeps the types of one command together; the table of commands forgets them. */
export function defineCommand<I, O>(command: Command<I, O>): AnyCommand {
  return {
    ...command,
    async run(raw, context) {
      return command.run(command.input.parse(raw), context);
    },
    render: (data, style) => command.render(command.output.parse(data), style),
  };
}

export type AnyCommand = Command<unknown, unknown>;

export type Group = "Start" | "Build" | "Ship" | "Prove" | "Run" | "Value";

/** A line of the table of commands; the module loads only when its command runs or its help is asked for. */
export interface CommandEntry {
  name: string;
  group: Group;
  summary: string;
  load(): Promise<AnyCommand>;
}
