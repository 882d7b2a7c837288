import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type OpenOptions, openWorkspace } from "../../../src/clients/databricks/open-workspace.ts";
import type { Workspace } from "../../../src/clients/databricks/workspace.ts";

/** A user's home with profiles and, on a PATH of its own, programs that we write. */
export interface TestHome {
  folder: string;
  /** Folder of the fake programs, the first of PATH. */
  bin: string;
  config: string;
  profiles(text: string): string;
  /**
   * A program on PATH that answers with what `says` holds for its arguments (a part of them), else fails with the text of `else`.
   * As large as a real one: Databricks' own tools take a small `databricks` for the retired tool.
   */
  program(name: string, says: Readonly<Record<string, string>>, otherwise?: string): string;
  /** What a program was called with, a line a call. */
  calls(name: string): string[];
  /** Names of the variables that it was given at its last call. */
  given(name: string): string[];
  /** The variables of a shell in this home. */
  variables(more?: Record<string, string>): Record<string, string>;
  open(
    profile: string,
    more?: { host?: string; variables?: Record<string, string>; now?: () => number },
  ): Promise<Workspace>;
  remove(): void;
}

export function testHome(): TestHome {
  const folder = mkdtempSync(join(tmpdir(), "factory-databricks-"));
  const bin = join(folder, "bin");
  const config = join(folder, "config");
  mkdirSync(bin);
  const home: TestHome = {
    folder,
    bin,
    config,
    profiles(text) {
      const path = join(folder, ".databrickscfg");
      writeFileSync(path, text);
      return path;
    },
    program(name, says, otherwise = "Error: nobody is logged in") {
      const path = join(bin, name);
      const cases = Object.entries(says).map(([part, text], index) => {
        writeFileSync(join(bin, `${name}.${index}`), text);
        return `  *"${part}"*) cat "$here/${name}.${index}"; exit 0;;`;
      });
      const lines = [
        "#!/bin/sh",
        'here=$(dirname "$0")',
        `printf '%s\\n' "$*" >> "$here/${name}.calls"`,
        `env | sed 's/=.*//' | sort > "$here/${name}.variables"`,
        'case "$*" in',
        ...cases,
        "esac",
        `echo '${otherwise}' >&2`,
        "exit 1",
        `# ${"-".repeat(1 << 20)}`,
      ];
      writeFileSync(path, lines.join("\n"));
      chmodSync(path, 0o755);
      return path;
    },
    calls: (name) => readLines(join(bin, `${name}.calls`)),
    given: (name) => readLines(join(bin, `${name}.variables`)),
    variables: (more = {}) => ({ HOME: folder, PATH: [bin, "/usr/bin", "/bin"].join(delimiter), ...more }),
    open(profile, { host, variables = {}, now } = {}) {
      const options: OpenOptions = {
        variables: home.variables(variables),
        home: folder,
        places: { config, cache: join(folder, "cache") },
        version: "1.2.3",
        ...(now !== undefined && { now }),
      };
      return openWorkspace({ profile, host }, options);
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
  return home;
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, "utf8").trim().split("\n");
  } catch {
    return [];
  }
}
