import { readFileSync } from "node:fs";
import { join } from "node:path";
import { errnoOf, usageError } from "../../../lib/error.ts";

/** Profiles by name, each with its settings by lower-cased key. */
export interface ConfigFile {
  path: string;
  /** False: there is no such file. */
  exists: boolean;
  profiles: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** What `databricks auth switch` chose. */
  defaultProfile: string | undefined;
}

/** A section of the tools' own settings: never a profile. */
const SETTINGS = "__settings__";
const MAX_BYTES = 1 << 20;

/** Where the profiles are: DATABRICKS_CONFIG_FILE, else `.databrickscfg` in the home folder. */
export function configFilePath(variables: Readonly<Record<string, string>>, home: string): string {
  const named = variables.DATABRICKS_CONFIG_FILE ?? "";
  if (named === "") return join(home, ".databrickscfg");
  return /^~(?:\/|$)/.test(named) ? join(home, named.slice(1)) : named;
}

/** The profiles of this machine; none when the file does not exist. */
export function readConfigFile(path: string): ConfigFile {
  let text = "";
  let exists = true;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (errnoOf(error) !== "ENOENT")
      throw usageError("databricks.config", `${path} cannot be read (${errnoOf(error) ?? "error"})`);
    exists = false;
  }
  if (text.length > MAX_BYTES) throw usageError("databricks.config", `${path} is larger than ${MAX_BYTES} bytes`);
  const sections = parse(text, path);
  const defaultProfile = sections.get(SETTINGS)?.get("default_profile") || undefined;
  sections.delete(SETTINGS);
  return { path, exists, profiles: sections, defaultProfile };
}

/** Where `factory sandbox start` writes its profiles, in whatever data folder. */
const OF_SANDBOX = /[\\/]factory[\\/]sandbox[\\/]databrickscfg$/;

/** What to say of a profile that the file has not, and what helps where a login would not. */
export function lacksProfile({ path, exists }: ConfigFile, profile: string): { message: string; fix?: string } {
  if (exists) return { message: `${path} has no profile ${profile}` };
  const message = `there is no file ${path}, and so no profile ${profile}`;
  if (!OF_SANDBOX.test(path)) return { message };
  return {
    message: `${message}: it is the sandbox's, which is stopped`,
    fix: "factory sandbox start; or unset DATABRICKS_CONFIG_FILE, to go by your own profiles",
  };
}

/** INI as the tools of Databricks read it: a comment is a line of its own, or follows a space. Lines are never quoted in errors. */
function parse(text: string, path: string): Map<string, Map<string, string>> {
  const sections = new Map<string, Map<string, string>>();
  let section: Map<string, string> | undefined;
  for (const [index, raw] of text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#") || line.startsWith(";")) continue;
    const name = /^\[([^\]]+)\]\s*(?:[#;].*)?$/.exec(line)?.[1]?.trim();
    if (name !== undefined) {
      section = sections.get(name) ?? new Map<string, string>();
      sections.set(name, section);
      continue;
    }
    const equals = line.search(/[=:]/);
    if (equals < 1 || section === undefined)
      throw usageError("databricks.config", `${path} is not a file of profiles`, "see docs/authentication.md", [
        { message: "neither a [profile] nor a line of the form key = value", file: path, line: index + 1 },
      ]);
    const value = line
      .slice(equals + 1)
      .replace(/(?:^|\s)[#;].*$/, "")
      .trim();
    section.set(line.slice(0, equals).trim().toLowerCase(), unquoted(value));
  }
  return sections;
}

function unquoted(value: string): string {
  const quoted = /^(["'])(.*)\1$/.exec(value)?.[2];
  return quoted ?? value;
}
