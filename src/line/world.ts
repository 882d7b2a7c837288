import type { ObjectStore } from "../evidence/object-store.ts";
import type { Report } from "../lib/progress.ts";
import type { Signer } from "../lib/signing.ts";
import type { Environment } from "../policy/policy.ts";
import type { ModelRegistry } from "../registry/registry.ts";
import type { TicketSystem } from "../tickets/ticket.ts";

/** The outside systems that moving a model asks. */
export interface LineWorld {
  registry(environment: Environment): Promise<ModelRegistry>;
  objects(environment: Environment, model: string): Promise<ObjectStore>;
  tickets(): Promise<TicketSystem | undefined>;
  /** Where objects are kept between commands; verified at each use. */
  cacheFolder: string;
  /** A private folder of this command, for the bytes of a model. */
  workFolder: string;
  signer: Signer;
  factoryVersion: string;
  report: Report;
  signal: AbortSignal;
  now(): Date;
}
