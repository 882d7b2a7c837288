import { isCancel, select, text } from "@clack/prompts";
import { FactoryError, usageError } from "../lib/error.ts";

export interface Choice {
  value: string;
  label?: string;
  hint?: string;
}

/** Questions to a person. Without a terminal every question is a usage error that names the flag to use instead. */
export interface Prompts {
  readonly interactive: boolean;
  ask(question: {
    message: string;
    flag: string;
    default?: string;
    validate?(value: string): string | undefined;
  }): Promise<string>;
  choose(question: { message: string; flag: string; choices: readonly Choice[]; default?: string }): Promise<string>;
}

/** Prompts on stderr, so that stdout stays the answer. */
export function terminalPrompts(interactive: boolean, output: NodeJS.WriteStream): Prompts {
  const refuse = (message: string, flag: string): void => {
    if (!interactive)
      throw usageError(
        "prompt.no-terminal",
        `an answer is missing: ${message}`,
        `without a terminal, give ${flag} (or --yes for the default)`,
      );
  };
  const answered = (value: string | symbol): string => {
    if (isCancel(value)) throw new FactoryError("interrupted", 130, "interrupted");
    return String(value);
  };
  return {
    interactive,
    async ask({ message, flag, default: initial, validate }) {
      refuse(message, flag);
      return answered(
        await text({
          message,
          output,
          ...(initial !== undefined && { initialValue: initial }),
          ...(validate && { validate: (value: string | undefined) => validate(value ?? "") }),
        }),
      );
    },
    async choose({ message, flag, choices, default: initial }) {
      refuse(message, flag);
      const options = choices.map((choice) => ({
        value: choice.value,
        label: choice.label ?? choice.value,
        ...(choice.hint && { hint: choice.hint }),
      }));
      return answered(
        await select({ message, output, options, ...(initial !== undefined && { initialValue: initial }) }),
      );
    },
  };
}
