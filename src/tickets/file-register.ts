import { isUtf8 } from "node:buffer";
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import * as z from "zod";
import { usageError } from "../lib/error.ts";
import { readTextFile } from "../lib/files.ts";
import { sha256 } from "../lib/hash.ts";
import { parseYaml } from "../lib/yaml-document.ts";
import type { Policy } from "../policy/policy.ts";
import { POLICY_FILE } from "../policy/read-policy.ts";
import type { Ticket, TicketRegister, TicketSystem } from "./ticket.ts";

/** A register of changes may be long; this is more than ten thousand tickets. */
const MAX_BYTES = 4 << 20;

export const ticketId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/#-]{0,99}$/, "letters, digits and . _ / # -, such as CHG-2041");

const moment = z.iso.datetime({ offset: true, error: "a date and a time with its zone, such as 2026-11-21T14:00:00Z" });
const word = z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/, "the name of a project or an environment");

/** `tickets.yaml`: a register of change tickets for those who have no system for them. Unknown keys are errors. */
export const ticketsSchema = z.strictObject({
  factory: z.literal(1, { error: "this factory reads format 1; a later one needs a newer factory" }),
  tickets: z.record(
    ticketId,
    z
      .strictObject({
        state: z.enum(["open", "approved", "rejected", "closed"]),
        project: word.optional().describe("when set, it is for this project only"),
        environment: word.optional().describe("when set, it is for this environment only"),
        summary: z
          .string()
          .max(500)
          // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses
          .regex(/^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$/, "one line without control characters")
          .optional(),
        from: moment.optional().describe("first moment at which the change may be made"),
        until: moment.optional().describe("last moment at which the change may be made"),
      })
      .refine((each) => !(new Date(each.from ?? 0) > new Date(each.until ?? 8.64e15)), {
        path: ["until"],
        error: "ends before it begins",
      }),
  ),
});

/** One line of YAML that is a whole register. */
const EXAMPLE = "{factory: 1, tickets: {CHG-1001: {state: approved, project: claims-triage, environment: prod}}}";

/**
 * The register in a YAML file. It is read once, at the first question. A file that is missing or broken is a usage error
 * (exit 2): a ticket that cannot be looked up is not a ticket that does not exist. `demand` is asked before it is read.
 */
export function openTicketFile(path: string, demand: () => void = () => {}): TicketSystem {
  let content: Content | undefined;
  const read = (): Content => {
    if (content === undefined) demand();
    content ??= readTickets(path);
    return content;
  };
  return {
    place: path,
    ticket: async (id) => read().tickets.get(id),
    register: async () => read().register,
  };
}

/** The ticket system that a policy names, its path beside the policy's file; undefined when it names none. */
export function ticketsOf(policy: Pick<Policy, "tickets">, policyPath: string): TicketSystem | undefined {
  if (policy.tickets === undefined) return undefined;
  const path = resolve(dirname(policyPath), policy.tickets.path);
  return openTicketFile(path, () => demandNoOriginalAbove(resolve(policyPath), path));
}

/**
 * A copy of the policy below the policy is the policy too, by its bytes; but it would bring another register, out of a tree that others
 * may write, such as the project's own.
 */
function demandNoOriginalAbove(policyPath: string, tickets: string): void {
  const text = textOf(policyPath);
  if (text === undefined) return;
  for (let folder = dirname(policyPath); folder !== dirname(folder); ) {
    folder = dirname(folder);
    const above = join(folder, POLICY_FILE);
    if (above !== policyPath && textOf(above) === text)
      throw usageError(
        "tickets.copy",
        `${policyPath} is a copy of ${above}: the register of tickets beside the copy (${tickets}) does not count`,
        `name the policy itself: --policy ${above}, or policy: in factory.yaml; or remove one of the two`,
      );
  }
}

/** A file above that cannot be read is no original that anybody could use. */
function textOf(path: string): string | undefined {
  try {
    return readTextFile(path, "policy");
  } catch {
    return undefined;
  }
}

interface Content {
  tickets: Map<string, Ticket>;
  register: TicketRegister;
}

function readTickets(path: string): Content {
  if (!existsSync(path))
    throw usageError(
      "tickets.missing",
      `the register of tickets is not there: ${path}`,
      `policy.yaml names it under tickets: write it, such as  ${EXAMPLE}  or name another one`,
    );
  const text = readTextFile(path, "register of tickets", MAX_BYTES);
  // Bytes that are no text would be replaced by a reader, and the digest would not be that of the file.
  if (text.includes("\ufffd") && !isUtf8(readFileSync(path)))
    throw usageError("tickets.utf8", `${path} is not UTF-8`, "save it as UTF-8");
  const { tickets } = parseYaml(text, path, ticketsSchema);
  return {
    tickets: new Map(
      Object.entries(tickets).map(([id, { state, project, environment, summary, from, until }]) => [
        id,
        { id, state, project, environment, summary, from, until },
      ]),
    ),
    register: { name: basename(path), digest: sha256(text) },
  };
}
