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

/** What factory asks of a ticket system, whatever it is. */
export interface TicketSystem {
  /** For messages: a file's path, an address. */
  readonly place: string;
  /** Undefined when there is no such ticket. Throws exit 2 for a broken register, exit 4 when it cannot be reached. */
  ticket(id: string): Promise<Ticket | undefined>;
}
