import { canonicalJson } from "../lib/canonical-json.ts";
import { sha256 } from "../lib/hash.ts";

/** A change ticket, as its system tells it. */
export interface Ticket {
  id: string;
  state: "open" | "approved" | "rejected" | "closed";
  /** When set, it is for this project only. */
  project: string | undefined;
  /** When set, it is for this environment only. */
  environment: string | undefined;
  summary: string | undefined;
  /** First and last moment at which the change may be made, if the ticket says so; ISO 8601. */
  from: string | undefined;
  until: string | undefined;
}

/** Which register was read: whoever compares it with the reviewed one sees whether it was that one. */
export interface TicketRegister {
  name: string;
  /** SHA-256 of its bytes, hex. */
  digest: string;
}

/** What was read of a ticket, and in which register. */
export interface TicketSeen {
  /** Digest of its record, hex. */
  record: string;
  register: TicketRegister;
}

/** What factory asks of a ticket system, whatever it is. */
export interface TicketSystem {
  /** For messages: a file's path, an address. */
  readonly place: string;
  /** Undefined when there is no such ticket. Throws exit 2 for a broken register, exit 4 when it cannot be reached. */
  ticket(id: string): Promise<Ticket | undefined>;
  /** What it answers from. Throws as `ticket` does. */
  register(): Promise<TicketRegister>;
}

/**
 * Digest of all that a ticket says but its state, hex: the state changes while a change goes its way, and is judged anew each time;
 * what the change is, where and when it may be made, is what people approve. Pure.
 */
export function recordDigest({ state: _, ...record }: Ticket): string {
  return sha256(canonicalJson(record));
}

/** A register, as verdicts and approvers see it. Pure. */
export function registerText({ name, digest }: TicketRegister): string {
  return `${name} (sha256:${digest})`;
}
