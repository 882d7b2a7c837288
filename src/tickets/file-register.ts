import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import * as z from "zod";
import { usageError } from "../lib/error.ts";
import { readTextFile } from "../lib/files.ts";
import { parseYaml } from "../lib/yaml-document.ts";
import type { Policy } from "../policy/policy.ts";
import type { Ticket, TicketSystem } from "./ticket.ts";

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

/**
 * The register in a YAML file. It is read once, at the first question. A file that is missing or broken is a usage error
 * (exit 2): a ticket that cannot be looked up is not a ticket that does not exist.
 */
export function openTicketFile(path: string): TicketSystem {
  let tickets: Map<string, Ticket> | undefined;
  return {
    place: path,
    async ticket(id) {
      tickets ??= readTickets(path);
      return tickets.get(id);
    },
  };
}

/** The ticket system that a policy names, its path beside the policy's file; undefined when it names none. */
export function ticketsOf(policy: Pick<Policy, "tickets">, policyPath: string): TicketSystem | undefined {
  if (policy.tickets === undefined) return undefined;
  return openTicketFile(resolve(dirname(policyPath), policy.tickets.path));
}

function readTickets(path: string): Map<string, Ticket> {
  if (!existsSync(path))
    throw usageError(
      "tickets.missing",
      `the register of tickets is not there: ${path}`,
      "policy.yaml names it under tickets: write it, or name another one",
    );
  const { tickets } = parseYaml(readTextFile(path, "register of tickets", MAX_BYTES), path, ticketsSchema);
  return new Map(
    Object.entries(tickets).map(([id, { state, project, environment, summary, from, until }]) => [
      id,
      { id, state, project, environment, summary, from, until },
    ]),
  );
}
