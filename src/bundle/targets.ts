import type { BundleFinding, Path } from "./finding.ts";
import { type BundleDocument, locate } from "./load.ts";
import { at, entriesOf, isMap, itemsOf, textOf, textsBelow } from "./node.ts";
import { type ResolvedBundle, resolveBundle } from "./resolve.ts";
import { targetsOf } from "./variables.ts";

/** Kinds that the CLI refuses to deploy for another identity than the one that deploys. */
const OWN_IDENTITY_ONLY = ["model_serving_endpoints", "quality_monitors", "apps"];

/** Modes, identities, permissions and paths of every target. Pure. */
export function checkTargets(
  documents: readonly BundleDocument[],
  given: Readonly<Record<string, string>>,
): BundleFinding[] {
  const [root] = documents;
  if (root === undefined) return [];
  const targets = targetsOf(documents);
  if (targets.length === 0)
    return [
      locate(root, [], "error", "the bundle has no targets", "one target for each environment, by the same name"),
    ];
  const defaults = targets.filter(({ target }) => at(target, "default") === true);
  const [, second] = defaults;
  return [
    ...(second === undefined
      ? []
      : [
          locate(
            second.document,
            ["targets", second.name, "default"],
            "error",
            `${defaults.map((each) => each.name).join(" and ")} are both the default target`,
            "keep one default: true",
          ),
        ]),
    ...targets.flatMap((target) => {
      const resolved = resolveBundle(documents, target.name, given);
      return resolved === undefined ? [] : checkTarget(target, resolved, documents);
    }),
  ];
}

interface Target {
  name: string;
  document: BundleDocument;
  target: unknown;
}

function checkTarget(target: Target, resolved: ResolvedBundle, documents: readonly BundleDocument[]): BundleFinding[] {
  const here = (path: Path, severity: BundleFinding["severity"], message: string, hint?: string) =>
    locate(target.document, ["targets", target.name, ...path], severity, message, hint);
  const shared = [...checkRunAs(resolved, documents, target, here)];
  if (resolved.mode === "production") return [...production(resolved, here), ...shared];
  if (resolved.mode === "development") return [...development(resolved, here), ...shared];
  const stated = at(target.target, "mode");
  // A misspelt one is a finding of its own, by shape.
  if (stated !== undefined) return shared;
  return [
    here(
      [],
      "warning",
      `target ${target.name} has no mode: neither the rules of production nor those of development hold`,
      "mode: development, or mode: production",
    ),
    ...shared,
  ];
}

type Here = (path: Path, severity: BundleFinding["severity"], message: string, hint?: string) => BundleFinding;

function production({ config, target }: ResolvedBundle, here: Here): BundleFinding[] {
  const findings: BundleFinding[] = [];
  const rootPath = textOf(at(config, "workspace", "root_path"));
  if (rootPath === undefined)
    findings.push(
      here(
        [],
        "error",
        `production target ${target} has no workspace.root_path: each person who deploys would make a deployment of their own`,
        `a path that is the same for everybody: /Workspace/Shared/.bundle/…/${target}`,
      ),
    );
  else if (/^~|current_user/.test(rootPath))
    findings.push(
      here(
        ["workspace", "root_path"],
        "error",
        `production target ${target} is deployed below the folder of whoever deploys`,
        "a path that is the same for everybody: /Workspace/Shared/.bundle/…",
      ),
    );
  for (const [name, pipeline] of entriesOf(at(config, "resources", "pipelines")))
    if (at(pipeline, "development") === true)
      findings.push(here([], "error", `pipeline ${name} has development: true in production target ${target}`));
  const open = (place: Path, permission: unknown, what: string): BundleFinding[] =>
    letsEverybodyChange(permission)
      ? [
          here(
            place,
            "error",
            `everybody (group ${String(at(permission, "group_name"))}) may change or start ${what}: ${String(at(permission, "level"))}`,
            "the right to look alone, or a smaller group",
          ),
        ]
      : [];
  const shared = itemsOf(at(config, "permissions"));
  findings.push(...shared.flatMap((each, i) => open(["permissions", i], each, `target ${target}`)));
  for (const [kind, resources] of entriesOf(at(config, "resources")))
    for (const [name, resource] of entriesOf(resources)) {
      const what = `${kind}.${name} in target ${target}`;
      for (const permission of itemsOf(at(resource, "permissions"))) findings.push(...open([], permission, what));
      for (const grant of itemsOf(at(resource, "grants"))) {
        const more = itemsOf(at(grant, "privileges")).filter((each) => !READING.includes(each));
        if (isEverybody(at(grant, "principal")) && more.length > 0)
          findings.push(
            here(
              [],
              "error",
              `everybody (group ${String(at(grant, "principal"))}) may change ${what}: ${more.join(", ")}`,
              "privileges to read alone, or a smaller group",
            ),
          );
      }
      if (kind === "registered_models" && at(resource, "aliases") !== undefined)
        findings.push(
          here(
            [],
            "error",
            `${what} sets aliases: a deployment would move them`,
            "leave aliases out: factory release moves champion",
          ),
        );
    }
  return findings;
}

/** Groups that everybody of a workspace, or of the account, is in without being asked; the workspace does not heed capitals. */
const EVERYBODY: readonly string[] = ["users", "account users"];
const isEverybody = (group: unknown): boolean => typeof group === "string" && EVERYBODY.includes(group.toLowerCase());
/** Privileges in Unity Catalog by which nothing is changed. */
const READING: readonly unknown[] = ["BROWSE", "EXECUTE", "READ_VOLUME", "SELECT", "USE_CATALOG", "USE_SCHEMA"];
/** To look at something, and to ask it; not to start a job, which takes other parameters from who starts it. */
const HARMLESS: readonly unknown[] = ["CAN_VIEW", "CAN_READ", "CAN_QUERY", "CAN_USE"];

function letsEverybodyChange(permission: unknown): boolean {
  return isEverybody(at(permission, "group_name")) && !HARMLESS.includes(at(permission, "level"));
}

function development({ config, target }: ResolvedBundle, here: Here): BundleFinding[] {
  const findings: BundleFinding[] = [];
  if (at(config, "presets", "trigger_pause_status") === "UNPAUSED")
    findings.push(
      here(
        ["presets", "trigger_pause_status"],
        "error",
        `development target ${target} may not start triggers: mode development pauses them`,
      ),
    );
  for (const name of ["root_path", "file_path", "state_path", "artifact_path"]) {
    const path = textOf(at(config, "workspace", name));
    if (path !== undefined && !/^~|current_user|\/Users\//.test(path))
      findings.push(
        here(
          ["workspace", name],
          "error",
          `development target ${target} is deployed to ${path}, which is not the folder of whoever deploys`,
          "leave it out, or begin with ~/",
        ),
      );
  }
  return findings;
}

/** Who runs what is deployed: in production never a person, and never nobody in particular. */
function checkRunAs(
  { config, target, mode }: ResolvedBundle,
  documents: readonly BundleDocument[],
  stated: Target,
  here: Here,
): BundleFinding[] {
  const findings: BundleFinding[] = [];
  const runAs = at(config, "run_as");
  const place: Path = at(stated.target, "run_as") === undefined ? [] : ["run_as"];
  // What stands at the root is found there, not in the target that takes it over.
  const root = documents.find((document) => document.value.run_as !== undefined);
  const runAsFinding = (severity: BundleFinding["severity"], message: string, hint?: string) =>
    place.length === 0 && root !== undefined
      ? locate(root, ["run_as"], severity, message, hint)
      : here(place, severity, message, hint);
  const jobs = entriesOf(at(config, "resources", "jobs"));
  const isProduction = mode === "production";
  const user = textOf(at(runAs, "user_name"));
  const principal = textOf(at(runAs, "service_principal_name"));
  if (isMap(runAs) && user !== undefined && principal !== undefined)
    findings.push(runAsFinding("error", "run_as names a user and a service principal", "keep one"));
  else if (isMap(runAs) && (user ?? principal ?? "").trim() === "")
    findings.push(
      runAsFinding(
        "error",
        `run_as of target ${target} names nobody: its value is empty`,
        "the application id of a service principal",
      ),
    );
  else if (isProduction && user !== undefined)
    findings.push(
      runAsFinding(
        "error",
        `production target ${target} runs as a person, ${user.includes("${") ? "whoever deploys" : "whose rights end when they leave"}`,
        "run_as: { service_principal_name: … }",
      ),
    );
  if (isProduction && runAs === undefined) {
    const personal = jobs.filter(([, job]) => at(job, "run_as", "service_principal_name") === undefined);
    if (personal.length > 0)
      findings.push(
        here(
          [],
          "error",
          `production target ${target} has no run_as: ${personal.map(([name]) => name).join(", ")} would run as the person who deploys`,
          "run_as: { service_principal_name: … }",
        ),
      );
  }
  if (runAs !== undefined) {
    const own = OWN_IDENTITY_ONLY.filter((kind) => entriesOf(at(config, "resources", kind)).length > 0);
    const embedded = entriesOf(at(config, "resources", "dashboards")).some(
      ([, each]) => at(each, "embed_credentials") === true,
    );
    const kinds = [...own, ...(embedded ? ["dashboards with embed_credentials"] : [])];
    if (kinds.length > 0)
      findings.push(
        runAsFinding(
          "warning",
          `target ${target} has run_as beside ${kinds.join(", ")}: it is refused unless the same identity deploys`,
          "deploy as that service principal, or keep them in a bundle without run_as",
        ),
      );
  }
  if (isProduction)
    for (const [name, job] of jobs) {
      const person = textOf(at(job, "run_as", "user_name"));
      if (person !== undefined)
        findings.push(
          ...whereJob(documents, name, "run_as").map((where) =>
            locate(
              where,
              ["resources", "jobs", name, "run_as"],
              "error",
              `job ${name} runs as a person in production target ${target}`,
              "run_as: { service_principal_name: … }",
            ),
          ),
        );
    }
  return findings;
}

function whereJob(documents: readonly BundleDocument[], name: string, field: string): BundleDocument[] {
  return documents.filter(({ value }) => at(value, "resources", "jobs", name, field) !== undefined).slice(0, 1);
}

/** Settings that log in: the CLI reads them before it knows any variable. Pure. */
export function checkAuthentication(documents: readonly BundleDocument[]): BundleFinding[] {
  const fields = ["host", "profile", "auth_type", "account_id", "workspace_id", "client_id"];
  return documents.flatMap((document) =>
    [...textsBelow(document.value)]
      .filter(
        ({ path, text }) => path.at(-2) === "workspace" && fields.includes(String(path.at(-1))) && text.includes("${"),
      )
      .map(({ path, text }) =>
        locate(
          document,
          path,
          "error",
          `${String(path.at(-1))} is ${text}: how to log in is read before any variable is known`,
          "write it out, or leave it to the profile",
        ),
      ),
  );
}
