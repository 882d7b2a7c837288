import { join } from "node:path";
import * as z from "zod";
import type { Signer } from "../lib/signing.ts";
import { makeWorkFolder } from "../lib/work-folder.ts";
import type { ReleaseWorld } from "../release/world.ts";
import type { TicketSystem } from "../tickets/ticket.ts";
import type { Option } from "./command.ts";
import type { Context } from "./context.ts";
import { shellWord } from "./shell-word.ts";

/** Options of every command that moves a model. */
export const LINE_OPTIONS: readonly Option[] = [
  { flags: "--policy <file>", description: "policy.yaml; default: the project's, else the nearest upward" },
  {
    flags: "--project <name>",
    description: "the project; default: the one here, else the one whose ledger knows the model",
  },
];
export const KEY_OPTION: Option = {
  flags: "--key <name>",
  description: "which of your keys signs; default: the only one, or the only one that the policy lists",
};

/** The flags by which a line was named, for a command that is printed to be typed next in the same folder. */
export const namedShape = z
  .string()
  .optional()
  .describe("flags that named policy and project; the next command takes them too");

export function namedData(input: { policy?: string | undefined; project?: string | undefined }): { named?: string } {
  const flags = (["policy", "project"] as const).flatMap((flag) => {
    const value = input[flag];
    return value === undefined ? [] : [`--${flag} ${shellWord(value)}`];
  });
  return flags.length === 0 ? {} : { named: flags.join(" ") };
}

/** A command, and the flags that named the line. */
export function alsoNamed(command: string, named: string | undefined): string {
  return named === undefined ? command : `${command} ${named}`;
}

/** Runs work with the outside systems of a line and a private folder, which is removed whatever happens. */
export async function withLineWorld<T>(
  context: Context,
  parts: { signer: Signer; tickets: TicketSystem | undefined },
  work: (world: ReleaseWorld) => Promise<T>,
): Promise<T> {
  const workFolder = makeWorkFolder(join(context.places.cache, "work"));
  try {
    return await work({
      registry: context.clients.registry,
      objects: context.clients.objects,
      serving: context.clients.serving,
      tickets: async () => parts.tickets,
      cacheFolder: context.places.cache,
      workFolder: workFolder.path,
      signer: parts.signer,
      factoryVersion: context.version,
      report: context.report,
      signal: context.signal,
      now: context.now,
    });
  } finally {
    workFolder.remove();
  }
}
