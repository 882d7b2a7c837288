import { nearest } from "../lib/nearest.ts";
import type { BundleFinding, Path } from "./finding.ts";
import { type BundleDocument, locate } from "./load.ts";
import { at, entriesOf, isMap, itemsOf, textOf } from "./node.ts";
import { TASK_KIND_FIELDS } from "./shapes-of-resources.ts";

/** What shapes cannot say: names inside a job that must fit each other, traffic that must be whole, permissions that name one. Pure. */
export function checkResourceRules(documents: readonly BundleDocument[]): BundleFinding[] {
  return documents.flatMap((document) => [
    ...entriesOf(at(document.value, "resources", "jobs")).flatMap(([key, job]) =>
      checkJob(document, ["resources", "jobs", key], job),
    ),
    ...entriesOf(at(document.value, "resources", "model_serving_endpoints")).flatMap(([key, endpoint]) =>
      checkEndpoint(document, ["resources", "model_serving_endpoints", key], endpoint),
    ),
    ...entriesOf(document.value.resources).flatMap(([kind, items]) =>
      entriesOf(items).flatMap(([key, item]) =>
        checkPermissions(document, ["resources", kind, key, "permissions"], at(item, "permissions")),
      ),
    ),
    ...checkPermissions(document, ["permissions"], document.value.permissions),
    ...entriesOf(document.value.targets).flatMap(([name, target]) =>
      checkPermissions(document, ["targets", name, "permissions"], at(target, "permissions")),
    ),
  ]);
}

const PRINCIPALS = ["user_name", "group_name", "service_principal_name"];

function checkPermissions(document: BundleDocument, path: Path, permissions: unknown): BundleFinding[] {
  const items = itemsOf(permissions);
  const findings: BundleFinding[] = [];
  for (const [i, item] of items.entries()) {
    if (!isMap(item)) continue;
    const named = PRINCIPALS.filter((principal) => item[principal] !== undefined);
    if (named.length !== 1)
      findings.push(
        locate(
          document,
          [...path, i],
          "error",
          named.length === 0 ? "this permission is nobody's" : `this permission names ${named.join(" and ")}`,
          `one of ${PRINCIPALS.join(", ")}`,
        ),
      );
    if (item.level === "IS_OWNER" && item.group_name !== undefined)
      findings.push(
        locate(document, [...path, i], "error", "a group cannot be owner", "a user or a service principal"),
      );
  }
  const owners = items.filter((item) => at(item, "level") === "IS_OWNER");
  if (owners.length > 1)
    findings.push(locate(document, path, "error", `there are ${owners.length} owners`, "one IS_OWNER"));
  return findings;
}

function checkJob(document: BundleDocument, path: Path, job: unknown): BundleFinding[] {
  const tasks = itemsOf(at(job, "tasks"));
  const keys = tasks.map((task) => textOf(at(task, "task_key")));
  const namesOf = (list: string, key: string) => itemsOf(at(job, list)).flatMap((item) => textOf(at(item, key)) ?? []);
  const groups = [
    { field: "job_cluster_key", list: "job_clusters", names: namesOf("job_clusters", "job_cluster_key") },
    { field: "environment_key", list: "environments", names: namesOf("environments", "environment_key") },
  ];
  const findings: BundleFinding[] = [];
  if (tasks.length === 0) findings.push(locate(document, path, "error", "this job has no task"));
  for (const [i, task] of tasks.entries()) {
    const here: Path = [...path, "tasks", i];
    const key = keys[i];
    if (key !== undefined && keys.indexOf(key) < i)
      findings.push(locate(document, [...here, "task_key"], "error", `two tasks are called ${key}`));
    const kinds = TASK_KIND_FIELDS.filter((field) => at(task, field) !== undefined);
    if (isMap(task) && kinds.length !== 1)
      findings.push(
        locate(
          document,
          here,
          "error",
          kinds.length === 0
            ? `task ${key ?? i} does nothing: it has no …_task`
            : `task ${key ?? i} is two at once: ${kinds.join(", ")}`,
        ),
      );
    for (const [j, needed] of itemsOf(at(task, "depends_on")).entries()) {
      const other = textOf(at(needed, "task_key"));
      if (other === undefined || (keys.includes(other) && other !== key)) continue;
      const guess = nearest(
        other,
        keys.flatMap((each) => each ?? []),
      );
      findings.push(
        locate(
          document,
          [...here, "depends_on", j],
          "error",
          `task ${key ?? i} depends on ${other}, which is no other task of this job`,
          guess && guess !== key ? `did you mean ${guess}?` : undefined,
        ),
      );
    }
    for (const { field, list, names } of groups) {
      const used = textOf(at(task, field)) ?? textOf(at(task, "for_each_task", "task", field));
      if (used === undefined || used.includes("${") || names.includes(used)) continue;
      const guess = nearest(used, names);
      findings.push(
        locate(
          document,
          at(task, field) === undefined ? here : [...here, field],
          "error",
          `${field} ${used} is not among the ${list} of this job`,
          guess && `did you mean ${guess}?`,
        ),
      );
    }
    if (
      at(task, "python_wheel_task", "parameters") !== undefined &&
      at(task, "python_wheel_task", "named_parameters") !== undefined
    )
      findings.push(
        locate(
          document,
          [...here, "python_wheel_task"],
          "error",
          `task ${key ?? i} has parameters and named_parameters`,
          "keep one of them",
        ),
      );
  }
  const starts = ["schedule", "trigger", "triggers", "continuous"].filter((field) => at(job, field) !== undefined);
  if (starts.length > 1)
    findings.push(
      locate(
        document,
        [...path, starts[1] ?? ""],
        "error",
        `this job is started by ${starts.join(" and ")}`,
        "keep one of them",
      ),
    );
  const refs = ["git_branch", "git_tag", "git_commit"].filter((field) => at(job, "git_source", field) !== undefined);
  if (refs.length > 1)
    findings.push(
      locate(document, [...path, "git_source"], "error", `git_source names ${refs.join(" and ")}`, "keep one of them"),
    );
  const runAs = at(job, "run_as");
  if (isMap(runAs) && PRINCIPALS.filter((name) => runAs[name] !== undefined).length !== 1)
    findings.push(locate(document, [...path, "run_as"], "error", "run_as of this job must name exactly one principal"));
  return findings;
}

function checkEndpoint(document: BundleDocument, path: Path, endpoint: unknown): BundleFinding[] {
  const findings: BundleFinding[] = [];
  const entities = itemsOf(at(endpoint, "config", "served_entities"));
  const routes = itemsOf(at(endpoint, "config", "traffic_config", "routes"));
  const routesPath: Path = [...path, "config", "traffic_config", "routes"];
  const shares = routes.map((route) => Number(at(route, "traffic_percentage")));
  const sum = shares.reduce((total, share) => total + share, 0);
  if (routes.length > 0 && Number.isFinite(sum) && sum !== 100)
    findings.push(
      locate(document, routesPath, "error", `the routes take ${sum} % of the traffic`, "they must add up to 100"),
    );
  if (entities.length > 1 && routes.length === 0)
    findings.push(
      locate(
        document,
        [...path, "config"],
        "error",
        `${entities.length} served entities and no traffic_config`,
        "say how much each of them gets",
      ),
    );
  const names = entities.map((entity) => {
    const given = textOf(at(entity, "name"));
    return (
      given ?? `${textOf(at(entity, "entity_name"))?.replaceAll(".", "_")}-${textOf(at(entity, "entity_version"))}`
    );
  });
  for (const [i, route] of routes.entries()) {
    const to = textOf(at(route, "served_entity_name")) ?? textOf(at(route, "served_model_name"));
    if (
      to === undefined ||
      to.includes("${") ||
      entities.length === 0 ||
      names.some((name) => name === to || name.includes("${"))
    )
      continue;
    const guess = nearest(to, names);
    findings.push(
      locate(
        document,
        [...routesPath, i],
        "error",
        `a route goes to ${to}, which is no served entity`,
        guess && `did you mean ${guess}?`,
      ),
    );
  }
  for (const [i, entity] of entities.entries()) {
    const version = textOf(at(entity, "entity_version"));
    if (version !== undefined && !version.includes("${") && !/^\d+$/.test(version))
      findings.push(
        locate(
          document,
          [...path, "config", "served_entities", i, "entity_version"],
          "error",
          `entity_version ${version} is not a number: an endpoint takes no alias`,
        ),
      );
  }
  return findings;
}
