import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as z from "zod";

/** How the stand-in differs from a program that works. */
export interface Behaviour {
  version?: string;
  /** Said instead of the version. */
  says?: string;
  /** By command: what it fails with, after it has logged in. */
  fail?: Partial<Record<"validate" | "deploy", { message: string; path?: string; place?: string }>>;
  /** Never ends this command. */
  hang?: "validate" | "deploy";
}

const call = z.object({
  argv: z.array(z.string()),
  env: z.record(z.string(), z.string()),
  cwd: z.string(),
  files: z.array(z.string()),
});

export interface StandIn {
  /** Absolute path, for DATABRICKS_CLI_PATH; its folder can be put on PATH. */
  path: string;
  folder: string;
  /** Every call so far, with the environment that the program was given. */
  calls(): z.infer<typeof call>[];
}

const PROGRAM = pathToFileURL(join(fileURLToPath(new URL(".", import.meta.url)), "program.mjs")).href;

/** Writes a program called `databricks` into a folder: the stand-in, behaving as asked. */
export function standIn(folder: string, behaviour: Behaviour = {}): StandIn {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, "databricks");
  const record = join(folder, "calls.jsonl");
  const told = JSON.stringify({ ...behaviour, record });
  writeFileSync(
    path,
    // As a program in Go, it trusts whom SSL_CERT_FILE names.
    `#!${process.execPath} --use-openssl-ca\nimport(${JSON.stringify(PROGRAM)}).then(({ main }) => main(process.argv.slice(2), process.env, process.cwd(), ${told})).then((status) => { process.exitCode = status; });\n`,
    { mode: 0o755 },
  );
  return {
    path,
    folder,
    calls: () =>
      existsSync(record)
        ? readFileSync(record, "utf8")
            .trim()
            .split("\n")
            .map((line) => call.parse(JSON.parse(line)))
        : [],
  };
}
