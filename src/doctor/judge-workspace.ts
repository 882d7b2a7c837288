import type { Check } from "./doctor.ts";
import type { Part } from "./part.ts";
import type { Identity, Levelled, Rights, WorkspaceSight } from "./workspace-sight.ts";

type Verdict = Omit<Check, "id">;

/** How the ways to a credential are called in their owners' pages. */
const AUTH_TYPES: Readonly<Record<string, string>> = {
  pat: "personal access token",
  "oauth-m2m": "OAuth machine-to-machine",
  "databricks-cli": "login of the Databricks CLI",
  "github-oidc": "ID token of GitHub",
  "env-oidc": "ID token in a variable",
  "file-oidc": "ID token in a file",
  "azure-client-secret": "service principal of Azure",
  "azure-cli": "login of the Azure CLI",
};

export function judgeHost({ host, credential }: Pick<WorkspaceSight, "host" | "credential">): Verdict {
  const { authType, from } = credential;
  return { verdict: "ok", found: `${host}, ${AUTH_TYPES[authType] ?? authType}: ${from}` };
}

/** Who it is, and as whom the policy knows it. `people` are the policy's, by their aliases and names. */
export function judgeIdentity(identity: Identity, people: ReadonlyMap<string, string>, part: Part): Verdict {
  const { name, displayName, groups } = identity;
  const kind = name.includes("@") ? "" : " (service principal)";
  const shown = displayName === undefined || displayName === name ? name : `${displayName}, ${name}`;
  const of =
    groups.length === 0 ? "in no group" : `in ${groups.slice(0, 6).join(", ")}${groups.length > 6 ? ", …" : ""}`;
  const person = people.get(name);
  const found = `${shown}${kind}, ${of}`;
  const does = part === "approver" ? ", who approves: asked for is what that takes" : "";
  if (person !== undefined) return { verdict: "ok", found: `${found}; ${person} in the policy${does}` };
  if (people.size === 0) return { verdict: "ok", found };
  return {
    verdict: "warn",
    found: `${found}; nobody in the policy`,
    fix: `name ${name} under people: aliases of who it is`,
  };
}

const STATE = { yes: "", no: ", which does not exist yet", hidden: ", which does not show itself" } as const;

/** Rights on something of Unity Catalog; `may` says what they allow, `make` who may make it where it is missing. */
export function judgeRights(what: string, rights: Rights, may: string, make: string): Verdict {
  if (rights.without !== undefined)
    return {
      verdict: "missing",
      found: `${what}: there is no ${rights.without}`,
      fix: `have its owner run: CREATE ${rights.without.replace(/^\w+/, (kind) => kind.toUpperCase())}`,
    };
  const { missing } = rights;
  if (missing.length > 0) {
    const count = missing.length === 1 ? "1 grant is" : `${missing.length} grants are`;
    return {
      verdict: "missing",
      found: `${what}${STATE[rights.there]}: ${count} missing`,
      fix: `have the owner run: ${missing.join("; ")}${rights.there === "hidden" ? "; then run doctor again, for what lies inside" : ""}`,
    };
  }
  if (rights.there === "hidden")
    return {
      verdict: "warn",
      found: `${what} does not show itself to this identity`,
      fix: "ask its owner whether it exists",
    };
  return { verdict: "ok", found: rights.there === "yes" ? `${what}: ${may}` : `${what} does not exist yet: ${make}` };
}

const STARTS = "the first statement starts it, if this identity may use it";

export function judgeWarehouse(id: string, seen: Levelled & { state: string; name: string }, who: string): Verdict {
  const fix = `have its owner give ${who} CAN USE on the SQL warehouse ${id}`;
  if (seen.there === "no")
    return { verdict: "missing", found: `there is no SQL warehouse ${id}`, fix: "correct warehouse: in the policy" };
  if (seen.there === "hidden") return { verdict: "missing", found: `${id} is not ours to see`, fix };
  const state = seen.state === "RUNNING" ? "runs" : `is ${seen.state.toLowerCase() || "in an unknown state"}`;
  const found = `${seen.name === "" ? id : `${seen.name} (${id})`} ${state}`;
  if (seen.level === "CAN_VIEW") return { verdict: "missing", found: `${found}, and may not be used`, fix };
  if (seen.level === undefined)
    return {
      verdict: "warn",
      found: `${found}; whether it may be used is not told`,
      fix: `if a gate is refused, ${fix}`,
    };
  return { verdict: "ok", found: seen.state === "RUNNING" ? `${found}, and may be used` : `${found}: ${STARTS}` };
}

export function judgeEndpoint(name: string, seen: Levelled & { state: string }, who: string): Verdict {
  if (seen.there === "no")
    return { verdict: "ok", found: `${name} does not exist yet: the first release or the bundle makes it` };
  const fix = `have its owner give ${who} CAN MANAGE on the serving endpoint ${name}`;
  if (seen.there === "hidden") return { verdict: "missing", found: `${name} is not ours to see`, fix };
  const state = seen.state.toLowerCase().replaceAll("_", " ") || "in an unknown state";
  if (seen.level === undefined)
    return {
      verdict: "warn",
      found: `${name} is ${state}; what may be done with it is not told`,
      fix: `if a release is refused, ${fix}`,
    };
  return seen.level === "CAN_MANAGE"
    ? { verdict: "ok", found: `${name} is ${state}: may be changed and queried` }
    : { verdict: "missing", found: `${name} is ${state}; ${seen.level.replaceAll("_", " ")} is not enough`, fix };
}

/** Whether the deployment job of a model goes on at our word: by a tag on the version, and by its run. */
export function judgeDeploymentJob(seen: Levelled & { id: string; missing: readonly string[] }, who: string): Verdict {
  const { id, level, missing } = seen;
  const fix = `have its owner give ${who} CAN MANAGE RUN on job ${id}`;
  if (missing.length > 0)
    return {
      verdict: "missing",
      found: `job ${id} waits for a tag on the version, which may not be set`,
      fix: `have the owner run: ${missing.join("; ")}`,
    };
  if (level === undefined)
    return {
      verdict: "warn",
      found: `job ${id} waits for a tag, which may be set; whether its run may be let go on is not told`,
      fix: `if that is refused, ${fix}`,
    };
  return level === "CAN_VIEW"
    ? { verdict: "missing", found: `job ${id} may be seen; its run may not be let go on`, fix }
    : { verdict: "ok", found: `job ${id}: its tag may be set, and its run let go on` };
}

export function judgeWorkspaceModel(seen: Levelled & { name: string }, who: string, part: Part): Verdict {
  const { name } = seen;
  if (part === "approver") return judgeReading(seen, who);
  if (seen.there === "no")
    return { verdict: "ok", found: `${name} does not exist yet: whoever registers it first owns it` };
  const fix = `have its owner give ${who} CAN MANAGE PRODUCTION VERSIONS on the registered model ${name}`;
  if (seen.there === "hidden") return { verdict: "missing", found: `${name} is not ours to see`, fix };
  if (seen.level === undefined)
    return {
      verdict: "warn",
      found: `${name}; what may be done with it is not told`,
      fix: `if a promotion is refused, ${fix}`,
    };
  const enough = ["CAN_MANAGE", "CAN_MANAGE_PRODUCTION_VERSIONS"].includes(seen.level);
  return enough
    ? { verdict: "ok", found: `${name}: may create versions and move them to Production` }
    : { verdict: "missing", found: `${name}: ${seen.level.replaceAll("_", " ")} is not enough`, fix };
}

/** An approver looks at a model, and changes nothing of it. */
function judgeReading({ name, there }: Levelled & { name: string }, who: string): Verdict {
  if (there === "yes") return { verdict: "ok", found: `${name}: may be read` };
  if (there === "no") return { verdict: "ok", found: `${name} does not exist yet: the first promotion makes it` };
  return {
    verdict: "missing",
    found: `${name} is not ours to see`,
    fix: `have its owner give ${who} CAN READ on the registered model ${name}`,
  };
}
