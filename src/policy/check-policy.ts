import { checkPeople, type Found } from "./check-people.ts";
import { branchProblem, gitUrlProblem } from "./git-url.ts";
import { isDate, UTC } from "./local-time.ts";
import type { Policy } from "./policy.ts";

/** What is wrong with a policy beyond the form of its parts; each problem with the path at which it stands. Pure. */
export function checkPolicy(policy: Policy, found: Found): void {
  checkEnvironments(policy, found);
  checkTiers(policy, found);
  checkProjects(policy, found);
  checkPeople(policy, found);
  checkLedger(policy, found);
  if (!isTimeZone(policy.timezone)) found(["timezone"], `${policy.timezone} is not an IANA time zone`);
}

function checkEnvironments({ environments, people }: Policy, found: Found): void {
  environments.forEach(({ name, catalog, registry, freeze = [], evidence }, i) => {
    if (environments.findIndex((each) => each.name === name) !== i)
      found(["environments", i, "name"], `environment ${name} is listed twice`);
    const place = placeOf(registry, catalog);
    const twin = environments.findIndex((each) => placeOf(each.registry, each.catalog) === place);
    if (twin !== i)
      found(
        ["environments", i, "catalog"],
        `${name} has the catalog and the registry of ${environments[twin]?.name}: each environment needs models of its own`,
      );
    freeze.forEach((range, j) => {
      const problem = freezeProblem(range);
      if (problem !== undefined) found(["environments", i, "freeze", j], problem);
    });
    (evidence?.signedBy ?? []).forEach((signer, j) => {
      const path = ["environments", i, "evidence", "signedBy", j];
      const entry = Object.hasOwn(people, signer) ? people[signer] : undefined;
      if (entry === undefined) found(path, `${signer} is not listed under people`);
      else if (entry.kind === "bot") found(path, `${signer} is a bot: it can sign nothing`);
    });
  });
}

function placeOf(registry: Policy["environments"][number]["registry"], catalog: string): string {
  const where = registry.kind === "mlflow" ? registry.uri.replace(/\/+$/, "").toLowerCase() : registry.profile;
  return JSON.stringify([registry.kind, where, catalog]);
}

function freezeProblem(range: string): string | undefined {
  const [from = "", until = ""] = range.split("/");
  const wrong = [from, until].find((date) => !isDate(date));
  if (wrong !== undefined) return `there is no day ${wrong}`;
  return until < from ? `ends on ${until}, before it begins on ${from}` : undefined;
}

function checkTiers({ riskTiers, environments }: Policy, found: Found): void {
  const names = environments.map((each) => each.name);
  for (const [tier, rules] of Object.entries(riskTiers)) {
    for (const [key, stage] of Object.entries(rules)) {
      if (key === "firstRelease") continue;
      if (!names.includes(key))
        found(["riskTiers", tier, key], `no environment is called ${key} (there are: ${names.join(", ")})`);
      if (typeof stage !== "object") continue;
      const strategies = [stage.strategy ?? []].flat();
      if (new Set(strategies).size < strategies.length)
        found(["riskTiers", tier, key, "strategy"], "names a strategy twice");
    }
  }
}

function checkProjects({ projects, productLines, riskTiers }: Policy, found: Found): void {
  for (const [project, { productLine, riskTier }] of Object.entries(projects)) {
    if (!Object.hasOwn(productLines, productLine))
      found(["projects", project, "productLine"], `no product line is called ${productLine}${listed(productLines)}`);
    if (!Object.hasOwn(riskTiers, riskTier))
      found(["projects", project, "riskTier"], `no risk tier is called ${riskTier}${listed(riskTiers)}`);
  }
}

function checkLedger({ ledger }: Policy, found: Found): void {
  if (ledger.kind !== "git") return;
  const url = gitUrlProblem(ledger.url);
  if (url !== undefined) found(["ledger", "url"], url);
  const branch = branchProblem(ledger.branch);
  if (branch !== undefined) found(["ledger", "branch"], branch);
}

function listed(names: object): string {
  const all = Object.keys(names);
  return all.length === 0 ? ", and none is listed" : ` (there are: ${all.join(", ")})`;
}

function isTimeZone(zone: string): boolean {
  if (zone === UTC) return true;
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}
