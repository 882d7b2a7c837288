import { isCancel, password, select, text } from "@clack/prompts";
import { FactoryError } from "../lib/error.ts";
import { stripControls } from "../lib/redact.ts";
import type { Prompts } from "./prompts.ts";

/** Prompts on stderr, so that stdout stays the answer. Ctrl-C is an interruption (exit 130). */
export function terminalPrompts(output: NodeJS.WriteStream): Prompts {
  return {
    interactive: true,
    async ask({ message, default: initial, validate }) {
      return answered(
        await text({
          message: stripControls(message),
          output,
          // A default stands there until something is typed; it is not text to delete first.
          ...(initial !== undefined && { placeholder: initial, defaultValue: initial }),
          ...(validate && { validate: (value: string | undefined) => validate(value || (initial ?? "")) }),
        }),
      );
    },
    async secret({ message, validate }) {
      return answered(
        await password({
          message: stripControls(message),
          output,
          ...(validate && { validate: (value: string | undefined) => validate(value ?? "") }),
        }),
      );
    },
    async choose({ message, choices, default: initial }) {
      const options = choices.map((choice) => ({
        value: choice.value,
        label: stripControls(choice.label ?? choice.value),
        ...(choice.hint && { hint: stripControls(choice.hint) }),
      }));
      return answered(
        await select({
          message: stripControls(message),
          output,
          options,
          ...(initial !== undefined && { initialValue: initial }),
        }),
      );
    },
  };
}

function answered(value: string | symbol): string {
  if (isCancel(value)) throw new FactoryError("interrupted", 130, "interrupted");
  return String(value);
}
