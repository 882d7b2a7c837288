import * as z from "zod";
import { FactoryError, outsideError } from "../lib/error.ts";
import { type Report, withTask } from "../lib/progress.ts";
import { stripControls } from "../lib/redact.ts";
import { runProcess } from "../lib/run-process.ts";

export interface Program {
  /** Node and the built program. */
  argv: readonly string[];
  env: Readonly<Record<string, string>>;
  report: Report;
  signal: AbortSignal;
}

const document = z.object({
  ok: z.boolean(),
  data: z.unknown().optional(),
  error: z
    .object({
      code: z.string(),
      exit: z.union([z.literal(1), z.literal(2), z.literal(4), z.literal(5), z.literal(130)]),
      message: z.string(),
      hint: z.string().optional(),
    })
    .optional(),
});

export interface StepResult<T> {
  ok: boolean;
  data: T;
  durationMs: number;
}

/** Runs one factory command as a user would, with --json, and returns what it answered; an error of it is passed on as it is. */
export async function runFactory<T>(
  program: Program,
  label: string,
  args: readonly string[],
  cwd: string,
  data: z.ZodType<T>,
): Promise<StepResult<T>> {
  return withTask(program.report, `quickstart.${args[0]}`, label, async (advance) => {
    const result = await runProcess({
      argv: [...program.argv, ...args, "--json"],
      cwd,
      env: program.env,
      signal: program.signal,
      // What the command reports goes to its stderr; the last line says what it is at.
      onLine: (line) => {
        const text = stripControls(line).trim();
        if (text.startsWith("…"))
          advance(
            0,
            text
              .slice(1)
              .trim()
              .replace(/\s+(?:\d+ min )?[\d.]+ s$/, ""),
          );
      },
      maxOutputBytes: 8 << 20,
    });
    const answer = parse(result.stdout, args, result.stderr);
    if (answer.error !== undefined) {
      throw new FactoryError(
        answer.error.code,
        answer.error.exit,
        `factory ${args.join(" ")}: ${answer.error.message}`,
        answer.error.hint === undefined ? {} : { hint: answer.error.hint },
      );
    }
    return { ok: answer.ok, data: data.parse(answer.data), durationMs: result.durationMs };
  });
}

function parse(stdout: string, args: readonly string[], stderr: string): z.infer<typeof document> {
  try {
    return document.parse(JSON.parse(stdout));
  } catch (cause) {
    throw outsideError(
      "quickstart.step",
      `factory ${args.join(" ")} gave no answer: ${stderr.trim().split("\n").slice(-3).join(" ")}`,
      undefined,
      cause,
    );
  }
}
