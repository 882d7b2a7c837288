import type { Clients } from "./cli/clients.ts";
import type { Places, Variables } from "./cli/context.ts";

/** The real outside systems; each module loads when a command first asks for it. */
export function realClients(_world: { variables: Variables; places: Places; signal: AbortSignal }): Clients {
  return {};
}
