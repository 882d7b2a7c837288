import * as z from "zod";
import { EXIT, FactoryError, outsideError } from "../lib/error.ts";
import { type Report, withTask } from "../lib/progress.ts";
import { stripControls } from "../lib/redact.ts";
import { runProcess } from "../lib/run-process.ts";

/** The built program, as one person starts it. */
export interface Program {
  /** Node and the program's file. */
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
      problems: z
        .array(z.object({ message: z.string(), file: z.string().optional(), line: z.int().optional() }))
        .default([]),
    })
    .optional(),
});

export interface StepResult<T> {
  ok: boolean;
  data: T;
  /** As it would be typed, without --json. */
  command: string;
  durationMs: number;
}

/**
 * Runs one factory command as a user would, with --json, and returns what it answered: yes (exit 0) or no (exit 3). An error of
 * it is passed on as it is; an exit status that does not go with the answer is an error too.
 */
export async function runFactory<T>(
  program: Program,
  label: string,
  args: readonly string[],
  cwd: string,
  data: z.ZodType<T>,
): Promise<StepResult<T>> {
  return withTask(program.report, `quickstart: ${label}`, label, async (advance) => {
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
      const { code, exit, message, hint, problems } = answer.error;
      throw new FactoryError(code, exit, `${commandLine(args)}: ${message}`, {
        ...(hint !== undefined && { hint }),
        problems: problems.map(({ message, file, line }) => ({
          message,
          ...(file !== undefined && { file }),
          ...(line !== undefined && { line }),
        })),
      });
    }
    const command = commandLine(args);
    if (result.status !== (answer.ok ? EXIT.yes : EXIT.no))
      throw outsideError(
        "quickstart.status",
        `${command} answered ${answer.ok ? "yes" : "no"} with exit ${result.status}`,
      );
    return { ok: answer.ok, data: data.parse(answer.data), command, durationMs: result.durationMs };
  });
}

/** The words after `factory`, quoted where a shell needs it. */
function commandLine(args: readonly string[]): string {
  return ["factory", ...args.map((word) => (/^[\w.,/:@=+-]+$/.test(word) ? word : `"${word}"`))].join(" ");
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
