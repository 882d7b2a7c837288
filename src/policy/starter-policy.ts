import type { Policy } from "./policy.ts";

export interface StarterPolicy {
  organisation: string;
  /** Where all three environments keep their models: one MLflow server (http or https), or a catalog each, by a profile of the same name. */
  registries: { kind: "mlflow"; uri: string } | { kind: "unity-catalog" };
  /** Default: a file. */
  ledger?: { kind: "file" } | { kind: "git"; url: string; branch: string };
  /** Projects to list; a product line that the starter does not have is added. */
  projects?: Policy["projects"];
  /** Lines for `people`, as `factory keys new` prints them. */
  people?: readonly string[];
  /** Addresses by role; those of `policy-owner` sign the policy, those of `model-risk` approve. */
  roles?: { "policy-owner": readonly string[]; "model-risk": readonly string[] };
}

const ALL_GATES = "[lint, unit, data, model, baseline, docs, secrets]";
const LINES = ["claims", "revenue", "quality"];

/**
 * The text of a first policy.yaml: three environments and three risk tiers. Unless people are given, nobody
 * is in any role, so that nothing can be approved until they are named. It parses with `policySchema`.
 */
export function starterPolicy({
  organisation,
  registries,
  ledger = { kind: "file" },
  projects = {},
  people = [],
  roles,
}: StarterPolicy): string {
  const lines = [...new Set([...LINES, ...Object.values(projects).map((project) => project.productLine)])];
  return `# yaml-language-server: $schema=./.factory/schemas/policy.schema.json
# The organisation: environments, people, and what each risk tier asks for.
factory: 1
version: 1                              # raise it with each change; owners sign the new version
organisation: ${quote(organisation)}
timezone: UTC                           # for dates without a zone, such as freezes
${ledgerText(ledger)}

# In order: a model goes from each environment to the next, as the same bytes.
environments:
${environmentsText(registries)}

productLines:
${lines.map((line) => `  ${line}: { capacity: 4, owner: unassigned }`).join("\n")}

# A project that is not listed is a pilot: it goes no further than the first environment.
${projectsText(projects)}

${peopleText(people, roles)}

riskTiers:
  low:
    firstRelease: withdraw              # rolling back the first release leaves no model, and scoring refuses
    dev:  { gates: [unit, secrets] }
    test: { gates: ${ALL_GATES} }
    prod: { gates: ${ALL_GATES}, approvals: [{ role: project-owner, count: 1 }], approvalTtl: P14D, evidenceTtl: P30D, ticket: required }
  medium:
    firstRelease: withdraw
    dev:  { gates: [unit, secrets] }
    test: { gates: ${ALL_GATES} }
    prod: { gates: ${ALL_GATES}, approvals: [{ role: model-risk, count: 1 }], approvalTtl: P7D, evidenceTtl: P14D, ticket: required }
  high:
    firstRelease: withdraw
    dev:  { gates: [unit, data, secrets] }
    test: { gates: ${ALL_GATES}, approvals: [{ role: model-risk, count: 1 }], approvalTtl: P7D, evidenceTtl: P14D }
    prod: { gates: ${ALL_GATES}, approvals: [{ role: project-owner, count: 1 }, { role: model-risk, count: 2 }], approvalTtl: P3D, evidenceTtl: P7D, ticket: required, humanReview: required }

tickets: { system: file, path: tickets.yaml }
`;
}

function ledgerText(ledger: NonNullable<StarterPolicy["ledger"]>): string {
  return ledger.kind === "file"
    ? "ledger: { kind: file }                  # one machine; git for several people and CI, delta on Databricks"
    : `ledger: { kind: git, url: ${quote(ledger.url)}, branch: ${quote(ledger.branch)} }`;
}

function environmentsText(registries: StarterPolicy["registries"]): string {
  const environments = ["dev", "test", "prod"].map((name) => {
    const registry =
      registries.kind === "mlflow"
        ? `{ kind: mlflow, uri: ${quote(registries.uri)} }`
        : `{ kind: unity-catalog, profile: ${name} }`;
    const comma = `${name},`.padEnd(5);
    return `  - { name: ${comma} catalog: ${comma} registry: ${registry} }`;
  });
  const note =
    registries.kind === "mlflow"
      ? "  # on Databricks: registry: { kind: unity-catalog, profile: prod }"
      : "  # profile: of .databrickscfg; host: https://… beside it pins the workspace";
  return [...environments, note].join("\n");
}

function projectsText(projects: Policy["projects"]): string {
  const entries = Object.entries(projects);
  if (entries.length === 0)
    return "projects: {}                            # write them below, in place of {}\n#   claims-triage: { productLine: claims, riskTier: medium, owner: someone@example.com }";
  const lines = entries.map(
    ([name, at]) =>
      `  ${name}: { productLine: ${at.productLine}, riskTier: ${at.riskTier}, owner: ${quote(at.owner)} }`,
  );
  return `projects:\n${lines.join("\n")}`;
}

function peopleText(people: readonly string[], roles: StarterPolicy["roles"]): string {
  const members = (role: "policy-owner" | "model-risk") => `[${(roles?.[role] ?? []).map(quote).join(", ")}]`;
  const head =
    people.length === 0
      ? "# Nobody yet: no approval is possible until people are named here and under people. Owners then sign: factory policy sign"
      : "# Who may do what. Nobody approves what they changed themselves, whatever their roles.";
  return `${head}
roles:
  policy-owner: ${members("policy-owner").padEnd(23)} # sign this file
  model-risk: ${members("model-risk").padEnd(25)} # approve releases
policyQuorum: 1
people:${people.length === 0 ? " {}                              # factory keys new prints the line: write it below, in place of {}" : `\n${people.join("\n")}`}
#   someone@example.com: { keys: [{ key: "ed25519:…", from: 2026-01-01 }], aliases: [someone-on-git] }`;
}

/** A JSON string is a YAML string, whatever is in it. */
function quote(text: string): string {
  return JSON.stringify(text);
}
