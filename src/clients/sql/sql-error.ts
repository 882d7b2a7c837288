import * as z from "zod";
import { EXIT, FactoryError, messageOf } from "../../lib/error.ts";
import { redact, stripControls } from "../../lib/redact.ts";

const MAX_MESSAGE = 600;

/** What went wrong with a statement, in the terms of SQL. */
export class SqlError extends FactoryError {
  /** Five letters and digits; undefined when the server gave none. */
  readonly sqlState: string | undefined;
  /** Such as `TABLE_OR_VIEW_NOT_FOUND`. */
  readonly errorClass: string | undefined;
  /** The server said no: the statement had no effect. False: no answer came, and nobody knows. */
  readonly answered: boolean;

  constructor(
    code: string,
    message: string,
    more: {
      hint?: string | undefined;
      cause?: unknown;
      sqlState?: string | undefined;
      errorClass?: string | undefined;
      answered: boolean;
    },
  ) {
    super(code, EXIT.outside, message, { ...(more.hint !== undefined && { hint: more.hint }), cause: more.cause });
    this.sqlState = more.sqlState;
    this.errorClass = more.errorClass;
    this.answered = more.answered;
  }
}

/** The driver's classes are not exported, and some of what it throws is no Error: only the shape tells. */
const shape = z
  .object({
    name: z.string().catch(""),
    message: z.string().catch(""),
    errorCode: z.string().optional().catch(undefined),
    statusCode: z.number().optional().catch(undefined),
    code: z.union([z.string(), z.number()]).optional().catch(undefined),
    sqlState: z.string().nullish().catch(undefined),
    errorMessage: z.string().nullish().catch(undefined),
    response: z
      .object({
        sqlState: z.string().nullish().catch(undefined),
        errorMessage: z.string().nullish().catch(undefined),
        displayMessage: z.string().nullish().catch(undefined),
      })
      .optional()
      .catch(undefined),
  })
  .partial();

/** Whatever the driver threw, as an error that says what the warehouse said: without the stack of its Java, and without secrets. */
export function sqlError(thrown: unknown, label: string): FactoryError {
  if (thrown instanceof FactoryError) return thrown;
  const parsed = shape.safeParse(thrown);
  const { statusCode, code, errorCode, response, message = "", ...more } = parsed.success ? parsed.data : {};
  if (statusCode === 401 || statusCode === 403)
    return new SqlError("sql.denied", `${label} did not let us in (HTTP ${statusCode})`, {
      hint: "it takes CAN_USE on the warehouse: factory doctor --env NAME says who is asking",
      answered: true,
    });
  const sqlState = response?.sqlState ?? more.sqlState ?? undefined;
  const said = response?.errorMessage ?? response?.displayMessage ?? more.errorMessage ?? undefined;
  if (errorCode === "ERROR" || sqlState !== undefined) {
    const text = said ?? message;
    const errorClass = /\[([A-Z][A-Z0-9_.]+)\]/.exec(text)?.[1];
    const state = sqlState === undefined ? "" : ` (SQLSTATE ${sqlState})`;
    return new SqlError("data.query", `${label} refused a statement: ${short(text)}${state}`, {
      sqlState,
      errorClass,
      answered: true,
    });
  }
  const why = typeof code === "string" && code !== "" ? code : short(said ?? (message || messageOf(thrown)));
  const what =
    errorCode === "CANCELED" || errorCode === "CLOSED" || errorCode === "TIMEOUT"
      ? `ended a statement (${errorCode.toLowerCase()})`
      : statusCode === undefined
        ? `did not answer: ${why}`
        : `answered with HTTP ${statusCode}`;
  return new SqlError("sql.unreachable", `${label} ${what}`, {
    hint: HINTS[why] ?? "run it again when it can be reached",
    cause: thrown,
    answered: false,
  });
}

const AUTHORITY = "its certificate is of an authority that Node does not know: name that one in NODE_EXTRA_CA_CERTS";
const HINTS: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: AUTHORITY,
  DEPTH_ZERO_SELF_SIGNED_CERT: AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: AUTHORITY,
};

/** Without the stack, the statement that is quoted, and the names of Java classes before the message. */
function short(text: string): string {
  const plain = stripControls(text.split(/\n\s*at |\n+== SQL/)[0] ?? "");
  const from = plain.search(/\[[A-Z][A-Z0-9_.]+\]/);
  const line = redact(from > 0 ? plain.slice(from) : plain)
    .replace(/\]\s+(?:[a-z]\w*\.)+[A-Z]\w*(?:Exception|Error): ?\s*(?:\[[A-Z0-9_.]+\])?/, "]")
    .replace(/\s+/g, " ")
    .trim();
  return line.length > MAX_MESSAGE ? `${line.slice(0, MAX_MESSAGE)}…` : line;
}
