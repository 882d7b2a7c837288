import { usageError } from "../lib/error.ts";

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
  /** A text that is not shown while it is typed. */
  secret(question: { message: string; flag: string; validate?(value: string): string | undefined }): Promise<string>;
  choose(question: { message: string; flag: string; choices: readonly Choice[]; default?: string }): Promise<string>;
}

/** Questions that cannot be asked: nobody sits at a terminal. */
export const NO_PROMPTS: Prompts = { interactive: false, ask: refuse, secret: refuseSecret, choose: refuse };

async function refuse({ message, flag }: { message: string; flag: string }): Promise<never> {
  throw usageError(
    "prompt.no-terminal",
    `an answer is missing: ${message}`,
    `without a terminal, give ${flag} (or --yes for the default)`,
  );
}

/** A secret has no default, and no flag either: what stands on a command line is seen by others. */
async function refuseSecret({ message, flag }: { message: string; flag: string }): Promise<never> {
  throw usageError("prompt.no-terminal", `an answer is missing: ${message}`, `without a terminal, give ${flag}`);
}
