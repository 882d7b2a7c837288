import { type FactoryError, usageError } from "../../../lib/error.ts";
import type { WorkspaceAddress } from "../../../policy/policy.ts";
import { ATTRIBUTES } from "./attributes.ts";
import { type ConfigFile, configFilePath, lacksProfile, readConfigFile } from "./config-file.ts";
import { workspaceHost } from "./host.ts";
import { merge, type Settings, settingsOfProfile, settingsOfVariables } from "./settings.ts";

export interface Resolved {
  host: string;
  settings: Settings;
  /** The profile that is used, if any. */
  profile: string | undefined;
  file: ConfigFile;
  /** Variables that hold credentials of another host, or of none, and are therefore left aside. */
  ignored: readonly string[];
}

interface World {
  variables: Readonly<Record<string, string>>;
  home: string;
}

/**
 * Whose settings count for a workspace that a policy names. A policy is not trusted with a credential: it chooses among the profiles of
 * this user, and pins their host; it cannot name a host for a credential that this user has not named for it. Throws exit 2.
 */
export function settingsForAddress(address: WorkspaceAddress, world: World): Resolved {
  const file = readConfigFile(configFilePath(world.variables, world.home));
  const own = settingsOfProfile(file, address.profile);
  const resolved =
    own === undefined ? withoutProfile(address, file, world.variables) : ofProfile(address.profile, own, file, world);
  if (address.host === undefined) return resolved;
  const pinned = workspaceHost(address.host, "policy.yaml");
  if (pinned === resolved.host) return resolved;
  const whose = resolved.settings.get("host")?.from ?? `profile ${address.profile}`;
  throw usageError(
    "databricks.host",
    `the policy says ${pinned}, and ${whose} says ${resolved.host}`,
    `correct ${whose}, or have the policy changed by its owners`,
  );
}

/** A profile of this user. Variables complete or replace its values only where DATABRICKS_HOST is its host. */
function ofProfile(profile: string, own: Settings, file: ConfigFile, { variables }: World): Resolved {
  const around = settingsOfVariables(variables);
  const named = own.get("host") ?? around.get("host");
  if (named === undefined)
    throw usageError(
      "databricks.host",
      `profile ${profile} of ${file.path} has no host`,
      "add a line host = https://…",
    );
  const host = workspaceHost(named.value, named.from);
  const other = around.get("host");
  const sameHost = other !== undefined && workspaceHost(other.value, other.from) === host;
  const settings = sameHost ? merge(around, own) : merge(new Map([["host", named]]), own);
  return { host, settings, profile, file, ignored: sameHost ? [] : credentialsIn(around) };
}

/**
 * No profile of that name: what Databricks' own tools would use when none is named. A host that comes from a default profile must
 * be pinned by the policy, else another workspace would silently stand in for the one that is missing.
 */
function withoutProfile(
  address: WorkspaceAddress,
  file: ConfigFile,
  variables: Readonly<Record<string, string>>,
): Resolved {
  const { settings, profile, chosen } = settingsOfTools(file, variables);
  const named = settings.get("host");
  const lacks = lacksProfile(file, address.profile);
  const missing = (why: string, hint: string): FactoryError =>
    usageError("databricks.profile", `${lacks.message}${why}`, hint);
  const login = `databricks auth login --profile ${address.profile}, or write the profile by hand: docs/authentication.md`;
  if (named === undefined) {
    const lost = credentialsIn(settings);
    if (lost.length === 0) throw missing("", lacks.fix ?? login);
    throw missing(
      `, and ${lost.join(", ")} ${lost.length === 1 ? "is" : "are"} set without DATABRICKS_HOST`,
      `set DATABRICKS_HOST${address.host === undefined ? "" : `=${address.host}`}: a credential is sent only to the host that it is for`,
    );
  }
  const host = workspaceHost(named.value, named.from);
  if (!chosen && address.host === undefined)
    throw missing(
      `; ${named.from} is of ${host}, and nothing says that it is the one`,
      `${login}; or pin host: in the policy`,
    );
  return { host, settings, profile, file, ignored: [] };
}

/**
 * The rules of Databricks' own tools where no profile is given: variables first; a profile when DATABRICKS_CONFIG_PROFILE names one,
 * or when the variables say neither host nor credential: `default_profile` of `[__settings__]`, else DEFAULT.
 */
function settingsOfTools(
  file: ConfigFile,
  variables: Readonly<Record<string, string>>,
): { settings: Settings; profile: string | undefined; chosen: boolean } {
  const around = settingsOfVariables(variables);
  const named = variables.DATABRICKS_CONFIG_PROFILE || undefined;
  const alone = around.has("host") || credentialsIn(around).length > 0;
  if (named === undefined && alone) return { settings: around, profile: undefined, chosen: true };
  const profile = named ?? file.defaultProfile ?? "DEFAULT";
  const own = settingsOfProfile(file, profile);
  if (own === undefined) {
    if (named === undefined && file.defaultProfile === undefined)
      return { settings: around, profile: undefined, chosen: true };
    const by = named === undefined ? "default_profile" : "DATABRICKS_CONFIG_PROFILE";
    const { message, fix } = lacksProfile(file, profile);
    throw usageError("databricks.profile", `${message}, which ${by} names`, fix);
  }
  const mine = own.get("host");
  const theirs = around.get("host");
  if (mine !== undefined && theirs !== undefined) {
    const [one, two] = [workspaceHost(mine.value, mine.from), workspaceHost(theirs.value, theirs.from)];
    if (one !== two)
      throw usageError(
        "databricks.host",
        `${mine.from} is of ${one}, and ${theirs.from} says ${two}`,
        "unset one of them: a credential is sent only to the host that it is for",
      );
  }
  return { settings: merge(around, own), profile, chosen: named !== undefined };
}

/** Where credentials were found, of whatever family. */
function credentialsIn(settings: Settings): string[] {
  return ATTRIBUTES.flatMap(({ name, family }) => {
    const setting = settings.get(name);
    return family === undefined || setting === undefined ? [] : [setting.from];
  });
}
