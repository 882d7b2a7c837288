#!/usr/bin/env node
import { setMaxListeners } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { isatty } from "node:tty";
import { fileURLToPath } from "node:url";
import type { Places } from "./cli/context.ts";
import { COMMANDS } from "./commands.ts";

const packageFolder = dirname(dirname(fileURLToPath(import.meta.url)));

async function main(): Promise<number> {
  const argv = process.argv.slice(2);
  for (const stream of [process.stdout, process.stderr]) {
    // A reader that has seen enough (`| head -1`) is no failure.
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
  const version = packageVersion();
  if (argv.length === 1 && ["--version", "-V", "-v"].includes(argv[0] ?? "")) {
    process.stdout.write(`${version}\n`);
    return 0;
  }
  if (argv.length === 0 || (argv.length === 1 && (argv[0] === "--help" || argv[0] === "-h" || argv[0] === "help"))) {
    const { overview } = await import("./cli/overview.ts");
    process.stdout.write(overview(COMMANDS));
    return 0;
  }
  // At once and not one after the other: each wait costs a millisecond or two that a person sees.
  const [{ takeVariables }, { runCli }] = await Promise.all([import("./cli/variables.ts"), import("./cli/run.ts")]);
  const { variables, secrets, keysGiven, given } = takeVariables(process.env);
  const abort = new AbortController();
  // Each request that is under way listens for it: Node would warn of a leak from the eleventh on.
  setMaxListeners(0, abort.signal);
  const interrupt = () => abort.abort(new Error("interrupted"));
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  process.on("SIGHUP", interrupt);
  const sink = (stream: NodeJS.WriteStream) => ({
    write: (text: string) => void stream.write(text),
    terminal: stream.isTTY === true && process.env.TERM !== "dumb",
    columns: stream.columns ?? 100,
  });
  return runCli(COMMANDS, {
    argv,
    cwd: process.cwd(),
    variables,
    secrets,
    keysGiven,
    places: placesOf(variables),
    version,
    clients: async () =>
      (await import("./clients.ts")).realClients({
        variables,
        places: placesOf(variables),
        signal: abort.signal,
        version,
      }),
    signer: async (named, prompts, listed) => {
      const { loadSigner } = await import("./people/load-signer.ts");
      const askPassphrase = (path: string) =>
        prompts.secret({ message: `Passphrase of ${path}`, flag: "FACTORY_KEY_PASSPHRASE" });
      return loadSigner({
        config: placesOf(variables).config,
        cwd: process.cwd(),
        given,
        named,
        listed,
        askPassphrase,
      });
    },
    keyPassphrase: () => given.passphrase,
    signal: abort.signal,
    stdout: sink(process.stdout),
    stderr: sink(process.stderr),
    prompts: async () => (await import("./cli/terminal-prompts.ts")).terminalPrompts(process.stderr),
    // `process.stdin` would be opened for it, streams and all.
    stdinTerminal: isatty(0),
    now: () => new Date(),
    monotonicMs: () => performance.now(),
  });
}

/** Set by the build; a run from the sources reads package.json. */
declare const FACTORY_VERSION: string | undefined;

function packageVersion(): string {
  if (typeof FACTORY_VERSION === "string") return FACTORY_VERSION;
  const parsed: unknown = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8"));
  return typeof parsed === "object" && parsed !== null && "version" in parsed ? String(parsed.version) : "unknown";
}

/** XDG folders where they are set or on Linux, ~/Library on macOS. */
function placesOf(variables: Readonly<Record<string, string>>): Places {
  const home = variables.HOME ?? homedir();
  const mac = process.platform === "darwin";
  const place = (variable: string, linux: string, library: string) =>
    join(variables[variable] || join(home, ...(mac ? ["Library", library] : linux.split("/"))), "factory");
  const schemas = join(packageFolder, "schemas");
  return {
    config: place("XDG_CONFIG_HOME", ".config", "Application Support"),
    data: place("XDG_DATA_HOME", ".local/share", "Application Support"),
    program: join(packageFolder, "dist", "main.js"),
    node: process.execPath,
    cache: place("XDG_CACHE_HOME", ".cache", "Caches"),
    templates: join(packageFolder, "templates"),
    schemas: existsSync(schemas) ? schemas : join(packageFolder, "dist", "schemas"),
  };
}

// A command may wait for what never comes, such as an answer when the terminal's input was closed: that is an interruption.
process.exitCode = 130;
const unfinished = (): void => {
  process.stderr.write("✖ factory ended before its command did: was the input closed?\n");
};
process.once("beforeExit", unfinished);
// Not awaited: the built program is CommonJS.
main().then((status) => {
  process.off("beforeExit", unfinished);
  process.exitCode = status;
});
