import * as z from "zod";
import { canonicalJson } from "../lib/canonical-json.ts";
import { usageError } from "../lib/error.ts";

/** What the statements that factory signs have in common. */

export const digestSchema = z.string().regex(/^[0-9a-f]{64}$/, "a SHA-256 in lower-case hex");
export const nameSchema = z.string().min(1).max(300);
export const timeSchema = z.iso.datetime();
/** `seq:hash` of a ledger entry. */
export const headSchema = z.string().regex(/^(?:0|[1-9]\d{0,15}):[0-9a-f]{64}$/);
export const subjectOf = <T extends z.ZodType<string>>(name: T) =>
  z.strictObject({ name, digest: z.strictObject({ sha256: digestSchema }) });

/**
 * Parses the payload of an envelope: UTF-8, canonical JSON (so no key stands twice), and nothing that the schema does not
 * know. Throws exit 2.
 */
export function parseStatement<T>(payload: Uint8Array, schema: z.ZodType<T>, what: string): { text: string; value: T } {
  const text = Buffer.from(payload).toString("utf8");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw usageError("statement.json", `${what} is not JSON`);
  }
  if (!Buffer.from(canonicalText(json)).equals(payload))
    throw usageError(
      "statement.canonical",
      `${what} is not in canonical form (a key twice, another order, or white space)`,
    );
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const issues = parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw usageError("statement.form", `${what} is not in its form: ${issues.join("; ")}`);
  }
  return { text, value: parsed.data };
}

/** Text that is not well-formed has no canonical form. */
function canonicalText(value: unknown): string {
  try {
    return canonicalJson(value);
  } catch {
    return "";
  }
}
