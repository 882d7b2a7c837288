/** Exit statuses of the program; scripts rely on them (docs/exit-statuses.md). */
export const EXIT = { yes: 0, bug: 1, usage: 2, no: 3, outside: 4, changed: 5, interrupted: 130 } as const;
export type ErrorExit = 1 | 2 | 4 | 5 | 130;

export interface Problem {
  /** What is wrong, in one sentence. */
  message: string;
  file?: string;
  line?: number;
  /** Dotted path inside the document, `gates.model.metrics[0].min`. */
  path?: string;
  hint?: string;
}

/** A question that could not be answered. A "no" is not an error: commands return it. */
export class FactoryError extends Error {
  readonly code: string;
  readonly exit: ErrorExit;
  readonly hint: string | undefined;
  readonly problems: readonly Problem[];

  constructor(
    code: string,
    exit: ErrorExit,
    message: string,
    more: { hint?: string; problems?: readonly Problem[]; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = "FactoryError";
    this.code = code;
    this.exit = exit;
    this.hint = more.hint;
    this.problems = more.problems ?? [];
  }
}

/** Wrong flags or configuration: exit 2. */
export function usageError(code: string, message: string, hint?: string, problems?: readonly Problem[]): FactoryError {
  return new FactoryError(code, EXIT.usage, message, { ...(hint && { hint }), ...(problems && { problems }) });
}

/** An outside system failed or refused us: exit 4. */
export function outsideError(code: string, message: string, hint?: string, cause?: unknown): FactoryError {
  return new FactoryError(code, EXIT.outside, message, { ...(hint && { hint }), cause });
}

/** The world changed under a plan: exit 5. */
export function changedError(code: string, message: string, hint?: string, cause?: unknown): FactoryError {
  return new FactoryError(code, EXIT.changed, message, { ...(hint && { hint }), cause });
}

/** The message of anything thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The Node error code (`ENOENT`, …) of anything thrown, if it has one. */
export function errnoOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : undefined;
}
