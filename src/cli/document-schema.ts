import * as z from "zod";
import { schemaId } from "./output.ts";

/** The one document that `--json` prints. `ok` is true only for exit status 0. */
export function jsonSchemaOf(command: string, data: z.ZodType): z.ZodType {
  return z.union([
    z.strictObject({ schema: z.literal(schemaId(command)), ok: z.boolean(), data }),
    z.strictObject({ schema: z.literal(schemaId(command)), ok: z.literal(false), error: errorShape }),
  ]);
}

const problemShape = z.strictObject({
  message: z.string(),
  file: z.string().optional(),
  line: z.int().optional(),
  path: z.string().optional(),
  hint: z.string().optional(),
});

const errorShape = z.strictObject({
  code: z.string(),
  exit: z.union([z.literal(1), z.literal(2), z.literal(4), z.literal(5), z.literal(130)]),
  message: z.string(),
  hint: z.string().optional(),
  problems: z.array(problemShape).optional(),
});

/** What `factory --json` answers: the version and the commands there are. */
export const overviewSchema = z.strictObject({
  version: z.string(),
  commands: z.array(z.strictObject({ name: z.string(), group: z.string(), summary: z.string() })),
});
