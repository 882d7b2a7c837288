import { usageError } from "../../../lib/error.ts";
import { learnSecret } from "../../../lib/redact.ts";
import { ATTRIBUTES, type AttributeName } from "./attributes.ts";
import type { ConfigFile } from "./config-file.ts";

/** A value and where it was found: `DATABRICKS_TOKEN`, or `profile prod of …/.databrickscfg`. */
export interface Setting {
  value: string;
  from: string;
}
export type Settings = ReadonlyMap<AttributeName, Setting>;
type Variables = Readonly<Record<string, string>>;

/** What the process's variables say; an empty one says nothing. */
export function settingsOfVariables(variables: Variables): Settings {
  const settings = new Map<AttributeName, Setting>();
  for (const { name, env, secret } of ATTRIBUTES) {
    const value = env === undefined ? "" : (variables[env] ?? "").trim();
    if (env !== undefined && value !== "")
      settings.set(name, { value: secret ? learnSecret(value) : value, from: env });
  }
  return settings;
}

/** What a profile says; undefined when the file has none of that name. */
export function settingsOfProfile(file: ConfigFile, profile: string): Settings | undefined {
  const keys = file.profiles.get(profile);
  if (keys === undefined || keys.size === 0) return undefined;
  const settings = new Map<AttributeName, Setting>();
  for (const { name, alias, secret } of ATTRIBUTES) {
    const value = keys.get(name) ?? keys.get(alias ?? "") ?? "";
    const from = `profile ${profile} of ${file.path}`;
    if (value !== "") settings.set(name, { value: secret ? learnSecret(value) : value, from });
  }
  return settings;
}

/** Value by value, the first wins. */
export function merge(first: Settings, then: Settings): Settings {
  return new Map([...then, ...first]);
}

/** The names of the families of which at least one setting is given, in their order. */
function familiesOf(settings: Settings): string[] {
  const found = ATTRIBUTES.flatMap(({ name, family }) => (family !== undefined && settings.has(name) ? [family] : []));
  return [...new Set(found)].sort();
}

/** Two kinds of credentials at once are an error, as they are to Databricks' own tools, unless auth_type picks one. Exit 2. */
export function checkFamilies(settings: Settings): void {
  const families = familiesOf(settings);
  if (families.length < 2 || settings.has("auth_type")) return;
  const problems = ATTRIBUTES.flatMap(({ name, family }) => {
    const setting = settings.get(name);
    return family === undefined || setting === undefined
      ? []
      : [{ message: `${family}: ${name}, from ${setting.from}` }];
  });
  throw usageError(
    "databricks.families",
    `more than one authorization method configured: ${families.join(" and ")}`,
    "take one away, or choose with auth_type (DATABRICKS_AUTH_TYPE)",
    problems,
  );
}
