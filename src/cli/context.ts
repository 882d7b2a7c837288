import type { Report } from "../lib/progress.ts";
import type { Signer } from "../lib/signing.ts";
import type { IsListed } from "../people/load-signer.ts";
import type { Clients } from "./clients.ts";
import type { Prompts } from "./prompts.ts";

/** The program's environment variables after secrets of its own were taken out. */
export type Variables = Readonly<Record<string, string>>;

/** Where factory keeps things outside projects (XDG on Linux, ~/Library on macOS). */
export interface Places {
  /** Keys and tokens, 0600. */
  config: string;
  /** Managed Python environments. */
  data: string;
  cache: string;
  /** The built program itself. */
  program: string;
  /** The Node that runs it. */
  node: string;
  /** Built-in templates inside the package. */
  templates: string;
  /** Published JSON schemas inside the package. */
  schemas: string;
}

export interface Context {
  cwd: string;
  variables: Variables;
  /** Names of factory's own secrets that this process was started with. */
  keysGiven: readonly string[];
  places: Places;
  version: string;
  clients: Clients;
  /**
   * The key to sign with: given by FACTORY_SIGNING_KEY or FACTORY_SIGNING_KEY_FILE; else the user's key with this name; else the
   * only one, or of several the only one that is listed. Asks for its passphrase where a person can answer. Throws exit 2 when there is none, several, or a broken one.
   */
  signer(options?: { name?: string | undefined; listed?: () => Promise<IsListed> }): Promise<Signer>;
  /** FACTORY_KEY_PASSPHRASE, for a new key. */
  keyPassphrase(): string | undefined;
  report: Report;
  prompts: Prompts;
  signal: AbortSignal;
  /** --yes: no question is asked. Every default is taken, and what is to be confirmed is. */
  yes: boolean;
  quiet: boolean;
  json: boolean;
  dryRun: boolean;
  now(): Date;
}
