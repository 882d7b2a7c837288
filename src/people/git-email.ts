import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findUpward } from "../lib/files.ts";

/**
 * The address that git would write into a commit here: of the environment, the repository, or the user. Files are read and
 * nothing is run; what git's `include` brings in is not seen. Undefined when none is found.
 */
export function gitEmail(folder: string, variables: Readonly<Record<string, string>>): string | undefined {
  const { GIT_AUTHOR_EMAIL, HOME = "", XDG_CONFIG_HOME } = variables;
  if (GIT_AUTHOR_EMAIL) return GIT_AUTHOR_EMAIL;
  const repository = findUpward(folder, ".git");
  const files = [
    ...(repository === undefined ? [] : [join(repository, ".git", "config")]),
    join(HOME, ".gitconfig"),
    join(XDG_CONFIG_HOME || join(HOME, ".config"), "git", "config"),
  ];
  for (const file of files) {
    const email = existsSync(file) ? emailIn(read(file)) : undefined;
    if (email !== undefined) return email;
  }
  return undefined;
}

/** `user.email` of a git configuration file; the last one counts. Pure. */
function emailIn(text: string): string | undefined {
  let section = "";
  let found: string | undefined;
  for (const line of text.split("\n")) {
    const head = /^\s*\[\s*([^\]]*?)\s*\]/.exec(line);
    if (head !== null) section = (head[1] ?? "").toLowerCase();
    const value = section === "user" ? /^\s*(?:\[[^\]]*\]\s*)?email\s*=\s*"?([^"#;\s]+)"?/i.exec(line)?.[1] : undefined;
    if (value !== undefined) found = value;
  }
  return found;
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8").slice(0, 1 << 20);
  } catch {
    return "";
  }
}
