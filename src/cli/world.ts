import type { Signer } from "../lib/signing.ts";
import type { IsListed } from "../people/load-signer.ts";
import type { Clients } from "./clients.ts";
import type { Places, Variables } from "./context.ts";
import type { Prompts } from "./prompts.ts";
import type { Style } from "./style.ts";

/** All that a run needs of the world; `main.ts` gives the real one. */
export interface World {
  argv: readonly string[];
  cwd: string;
  variables: Variables;
  /** Values that must never be shown. */
  secrets: readonly string[];
  keysGiven: readonly string[];
  places: Places;
  version: string;
  clients(): Promise<Clients>;
  /** The key to sign with; a question about it goes to the prompts. */
  signer(name: string | undefined, prompts: Prompts, listed: (() => Promise<IsListed>) | undefined): Promise<Signer>;
  keyPassphrase(): string | undefined;
  signal: AbortSignal;
  stdout: { write(text: string): void; terminal: boolean; columns: number };
  stderr: { write(text: string): void; terminal: boolean; columns: number };
  /** Questions on the terminal; asked for only when there is one. */
  prompts(): Promise<Prompts>;
  stdinTerminal: boolean;
  now(): Date;
  monotonicMs(): number;
}

/** Where a run says things: all of it masked. */
export interface Writers {
  out(text: string): void;
  /** A JSON document, masked already. */
  document(text: string): void;
  err(text: string): void;
  style(stream: World["stdout"]): Style;
}
