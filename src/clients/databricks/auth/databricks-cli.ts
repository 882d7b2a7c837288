import * as z from "zod";
import { outsideError } from "../../../lib/error.ts";
import { learnSecret } from "../../../lib/redact.ts";
import { type Programs, runForJson } from "./programs.ts";
import type { Token, TokenSource } from "./token.ts";

const answer = z.object({ access_token: z.string().min(1), expiry: z.string().optional() });

/** The login of `databricks auth login`, as the program itself hands it out. Its token is kept by that program, never by us. */
export function databricksCli(
  program: string,
  of: { profile: string | undefined; host: string; configFile: string },
  programs: Programs,
  now: () => number,
): TokenSource {
  const which = of.profile === undefined ? ["--host", of.host] : ["--profile", of.profile];
  const ask = async (more: readonly string[]): Promise<Token> => {
    const printed = await runForJson([program, "auth", "token", ...which, ...more], programs, {
      DATABRICKS_CONFIG_FILE: of.configFile,
    });
    const parsed = answer.safeParse(printed);
    if (!parsed.success)
      throw outsideError(
        "databricks.program",
        `${program} auth token did not print an access token`,
        "is it the Databricks CLI, version 0.207.1 or later?",
      );
    const expiresMs = expiryOf(parsed.data.expiry);
    return { value: learnSecret(parsed.data.access_token), expiresMs, fromMs: now() };
  };
  return {
    async fetch(refused) {
      if (!refused) return ask([]);
      // Versions before 0.296.0 do not know the flag.
      return ask(["--force-refresh"]).catch(() => ask([]));
    },
  };
}

/** RFC 3339, with or without fraction and offset; without an offset it is UTC. */
export function expiryOf(text: string | undefined): number | undefined {
  const parts = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(\.\d{1,3})?\d*(Z|[+-]\d{2}:?\d{2})?$/i.exec(
    (text ?? "").trim(),
  );
  if (parts === null) return undefined;
  const [, day, time, fraction = "", zone = "Z"] = parts;
  const ms = Date.parse(`${day}T${time}${fraction}${zone}`);
  return Number.isNaN(ms) ? undefined : ms;
}
