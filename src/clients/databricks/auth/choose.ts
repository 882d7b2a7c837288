import { FactoryError, usageError } from "../../../lib/error.ts";
import type { Resolved } from "./for-address.ts";
import { type At, METHODS, type Method, OTHERS } from "./methods.ts";
import { type AuthWorld, isRefusal } from "./oauth.ts";
import type { Programs } from "./programs.ts";
import { checkFamilies } from "./settings.ts";
import type { Token, TokenSource } from "./token.ts";

export interface Chosen {
  authType: string;
  /** Where its values were found. */
  from: string;
  source: TokenSource;
  /** The token that trying it brought. */
  first?: Token;
}

/**
 * The credential for a workspace: the one that auth_type pins, else the first that is at hand. Throws exit 2 when there is none,
 * or when two kinds are configured.
 */
export async function chooseCredential(
  resolved: Resolved,
  world: AuthWorld,
  programs: Programs,
  variables: Readonly<Record<string, string>>,
): Promise<Chosen> {
  checkFamilies(resolved.settings);
  const { settings } = resolved;
  const at: At = {
    resolved,
    world,
    programs,
    variables,
    get: (name) => settings.get(name)?.value,
    whence: (...names) =>
      names.map((name) => settings.get(name)?.from).find((from) => from !== undefined) ?? "defaults",
  };
  const pinned = settings.get("auth_type");
  if (pinned !== undefined) return usePinned(pinned.value, pinned.from, at);
  const tried: string[] = [];
  for (const method of METHODS) {
    const offer = await method.offer(at);
    if ("lacking" in offer) {
      tried.push(`${method.name}: ${offer.lacking}`);
      continue;
    }
    if (method.outright) return { authType: method.name, ...offer };
    try {
      return { authType: method.name, ...offer, first: await offer.source.fetch(false) };
    } catch (error) {
      if (!isPassable(error)) throw error;
      tried.push(`${method.name}: ${error.message}`);
    }
  }
  throw nothing(resolved, tried);
}

/** Its own error is told: nothing else may stand in for it. */
async function usePinned(name: string, from: string, at: At): Promise<Chosen> {
  const method: Method | undefined = METHODS.find((each) => each.name === name);
  if (method === undefined) {
    const why = OTHERS.includes(name) ? "is not supported by factory" : "is not known";
    throw usageError(
      "databricks.auth-type",
      `auth type ${JSON.stringify(name)}, from ${from}, ${why}`,
      `one of: ${METHODS.map((each) => each.name).join(", ")}`,
    );
  }
  const offer = await method.offer(at);
  if ("lacking" in offer)
    throw usageError("databricks.auth-type", `auth type ${name}, from ${from}, cannot be used: ${offer.lacking}`, HELP);
  return { authType: name, ...offer };
}

/** Whether a credential that lay around is not ours to use; a server that failed or a broken network is another matter. */
function isPassable(error: unknown): error is FactoryError {
  return (
    isRefusal(error) ||
    (error instanceof FactoryError &&
      ["databricks.program", "databricks.github", "databricks.oidc"].includes(error.code))
  );
}

function nothing(resolved: Resolved, tried: readonly string[]): FactoryError {
  const { profile, host, ignored, file } = resolved;
  const hint =
    ignored.length > 0
      ? `${ignored.join(", ")} ${ignored.length === 1 ? "counts" : "count"} only with DATABRICKS_HOST=${host}`
      : `databricks auth login --host ${host}${profile === undefined ? "" : ` --profile ${profile}`}; other ways: docs/authentication.md`;
  return usageError(
    "databricks.credential",
    `no credential for ${host}${profile === undefined ? "" : ` (profile ${profile} of ${file.path})`}`,
    hint,
    tried.map((message) => ({ message })),
  );
}

const HELP = "docs/authentication.md says what each needs";
