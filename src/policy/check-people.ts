import { normaliseName } from "./address.ts";
import { OWNER_ROLE } from "./count-signatures.ts";
import type { Policy } from "./policy.ts";

export type Found = (path: (string | number)[], message: string) => void;

/** This role in a stage gate is the owner whom the policy lists for the project. */
export const PROJECT_OWNER = "project-owner";

/** What is wrong with people, keys and roles: each name in one form and once, each key once, each role held by whom it can be. */
export function checkPeople(policy: Policy, found: Found): void {
  checkNames(policy, found);
  checkKeys(policy, found);
  checkRoles(policy, found);
}

function checkNames({ people, projects, productLines }: Policy, found: Found): void {
  const owners = new Map<string, string>();
  for (const address of Object.keys(people)) {
    const problem = formProblem(address);
    if (problem === undefined) owners.set(address, address);
    else found(["people", address], problem);
  }
  for (const [address, { aliases = [] }] of Object.entries(people)) {
    for (const [i, alias] of aliases.entries()) {
      const path = ["people", address, "aliases", i];
      const normal = normaliseName(alias);
      const owner = normal === undefined ? undefined : owners.get(normal);
      if (normal === undefined) found(path, NO_NAME);
      else if (owner === undefined) owners.set(normal, address);
      else if (owner === address) found(path, `${alias} is listed for ${address} already`);
      else found(path, `${alias} belongs to ${owner} already: a name stands for one person`);
    }
  }
  for (const [list, entries] of [["projects", projects] as const, ["productLines", productLines] as const]) {
    for (const [name, { owner }] of Object.entries(entries)) {
      const problem = formProblem(owner);
      if (problem !== undefined) found([list, name, "owner"], problem);
    }
  }
}

const NO_NAME = "is neither a plain ASCII address nor a plain ASCII name";

/** Names are compared byte for byte everywhere, so that each is written in the one form. */
function formProblem(name: string): string | undefined {
  const normal = normaliseName(name);
  if (normal === undefined) return NO_NAME;
  return normal === name ? undefined : `write it as ${normal}`;
}

function checkKeys({ people }: Policy, found: Found): void {
  const holders = new Map<string, string>();
  for (const [address, { kind, keys = [] }] of Object.entries(people)) {
    if (kind === "bot" && keys.length > 0) found(["people", address, "keys"], "a bot has no keys: it can sign nothing");
    keys.forEach(({ key, from, until }, i) => {
      const holder = holders.get(key);
      if (holder !== undefined)
        found(
          ["people", address, "keys", i, "key"],
          `this key is listed for ${holder} already: a key is one person's, once`,
        );
      holders.set(key, address);
      if (until !== undefined && until < from)
        found(["people", address, "keys", i, "until"], `ends on ${until}, before it begins on ${from}`);
    });
  }
}

function checkRoles(policy: Policy, found: Found): void {
  const { people, roles, policyQuorum } = policy;
  const deciding = approvalRoles(policy);
  for (const [role, members] of Object.entries(roles)) {
    if (role === PROJECT_OWNER)
      found(["roles", role], "is the owner of each project and cannot be listed: name the owner under projects");
    members.forEach((member, i) => {
      const path = ["roles", role, i];
      const entry = Object.hasOwn(people, member) ? people[member] : undefined;
      if (members.indexOf(member) !== i) found(path, `${member} is listed twice`);
      else if (entry === undefined) found(path, formProblem(member) ?? `${member} is not listed under people`);
      else if (entry.kind !== undefined && entry.kind !== "person" && deciding.has(role))
        found(path, `${member} is a ${entry.kind}: only people decide in role ${role}`);
    });
  }
  const owners = Object.hasOwn(roles, OWNER_ROLE) ? (roles[OWNER_ROLE] ?? []) : [];
  if (owners.length > 0 && policyQuorum > owners.length)
    found(["policyQuorum"], `${policyQuorum} owners must sign, and only ${owners.length} are in role ${OWNER_ROLE}`);
  checkApprovals(policy, found);
}

function checkApprovals({ riskTiers, roles }: Policy, found: Found): void {
  for (const [tier, rules] of Object.entries(riskTiers)) {
    for (const [environment, stage] of Object.entries(rules)) {
      if (typeof stage !== "object") continue;
      const approvals = stage.approvals ?? [];
      approvals.forEach(({ role }, i) => {
        const path = ["riskTiers", tier, environment, "approvals", i, "role"];
        if (approvals.findIndex((each) => each.role === role) !== i) found(path, `role ${role} is asked for twice`);
        else if (role !== PROJECT_OWNER && !Object.hasOwn(roles, role))
          found(path, `no role is called ${role} (there are: ${[...Object.keys(roles), PROJECT_OWNER].join(", ")})`);
      });
    }
  }
}

/** Roles that sign the policy or approve something. */
function approvalRoles({ riskTiers }: Policy): Set<string> {
  const stages = Object.values(riskTiers).flatMap((rules) => Object.values(rules));
  const asked = stages.flatMap((stage) =>
    typeof stage === "object" ? (stage.approvals ?? []).map((each) => each.role) : [],
  );
  return new Set([OWNER_ROLE, ...asked]);
}
