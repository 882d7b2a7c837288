import * as z from "zod";
import type { Identity, Levelled, Rights, WorkspaceSight } from "../../doctor/workspace-sight.ts";
import { FactoryError } from "../../lib/error.ts";
import { toMakeModel, toMakeVersion } from "../unity-catalog/create-version.ts";
import { registeredModel } from "../unity-catalog/schemas.ts";
import { plainName, REGISTRY } from "../unity-catalog/versions.ts";
import { nameInWorkspace } from "../workspace-registry/names.ts";
import { FOLDERS, type Grant, missingGrants } from "./grants.ts";
import type { Workspace } from "./workspace.ts";

const me = z.object({
  userName: z.string(),
  displayName: z.string().optional(),
  groups: z.array(z.object({ display: z.string().optional(), value: z.string().optional() })).default([]),
});
const anything = z.object({});
const warehouse = z.object({ name: z.string().default(""), state: z.string().default("") });
const endpoint = z.object({
  permission_level: z.string().optional(),
  state: z.object({ ready: z.string().optional(), config_update: z.string().optional() }).default({}),
});
const legacy = z.object({ registered_model_databricks: z.object({ permission_level: z.string().optional() }) });
const acl = z.object({
  access_control_list: z
    .array(
      z.object({
        user_name: z.string().optional(),
        group_name: z.string().optional(),
        service_principal_name: z.string().optional(),
        all_permissions: z.array(z.object({ permission_level: z.string().optional() })).default([]),
      }),
    )
    .default([]),
});

const UC = "/api/2.1/unity-catalog";
/** Of a warehouse, weakest first. */
const WAREHOUSE_LEVELS = ["CAN_VIEW", "CAN_USE", "CAN_MONITOR", "CAN_MANAGE", "IS_OWNER"];
/** Of a job, weakest first. */
const JOB_LEVELS = ["CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER"];

/** What the doctor asks a workspace. */
export function workspaceSight(workspace: Workspace): WorkspaceSight {
  let asked: Promise<Identity> | undefined;
  const whoAmI = () => {
    asked ??= workspace
      .demand({ method: "GET", path: "/api/2.0/preview/scim/v2/Me" }, me)
      .then(({ userName, displayName, groups }) => ({
        name: userName,
        displayName,
        groups: groups.map(({ display, value }) => display ?? value ?? "").filter((name) => name !== ""),
      }));
    return asked;
  };
  const there = (on: Grant[1], name: string) =>
    look(workspace, `${UC}/${FOLDERS[on]}/${encodeURIComponent(name)}`, anything);
  const within = async (
    on: Grant[1],
    name: string,
    grants: readonly Grant[],
    instead?: readonly Grant[],
  ): Promise<Rights> => {
    const found = (await there(on, name)).there;
    const [catalog = "", schema = ""] = name.split(".");
    const containers: Grant[] = [
      ["USE CATALOG", "CATALOG", catalog],
      ["USE SCHEMA", "SCHEMA", `${catalog}.${schema}`],
    ];
    if (found === "no") {
      for (const [, kind, container] of containers) {
        if ((await there(kind, container)).there === "no")
          return { there: "no", without: `${kind.toLowerCase()} ${container}`, missing: [] };
      }
    }
    const wanted = found === "no" && instead !== undefined ? instead : grants;
    return { there: found, missing: await missingGrants(workspace, [...containers, ...wanted]) };
  };
  return {
    host: workspace.host,
    credential: workspace.credential,
    me: whoAmI,
    model: (name, part) =>
      part === "approver"
        ? within("FUNCTION", name, [["EXECUTE", "FUNCTION", name]], [])
        : within(
            "FUNCTION",
            name,
            [...toMakeVersion(name), ["EXECUTE", "FUNCTION", name], ["APPLY TAG", "FUNCTION", name]],
            toMakeModel(name),
          ),
    async deploymentJob(name) {
      const query = { name: plainName(name) };
      const found = await look(workspace, `${REGISTRY}/registered-models/get`, registeredModel, query);
      const id = found.value?.registered_model.deployment_job_id ?? "";
      if (id === "") return undefined;
      const [level, missing] = await Promise.all([
        levelOn(workspace, `jobs/${encodeURIComponent(id)}`, await whoAmI(), JOB_LEVELS),
        missingGrants(workspace, [["APPLY TAG", "FUNCTION", name]]),
      ]);
      return { id, there: level === undefined ? "hidden" : "yes", level, missing };
    },
    volume: (name, part) =>
      part === "approver"
        ? within("VOLUME", name, [["READ VOLUME", "VOLUME", name]], [])
        : within(
            "VOLUME",
            name,
            [
              ["READ VOLUME", "VOLUME", name],
              ["WRITE VOLUME", "VOLUME", name],
            ],
            [["CREATE VOLUME", "SCHEMA", name.split(".").slice(0, 2).join(".")]],
          ),
    table: (name) =>
      within(
        "TABLE",
        name,
        [
          ["SELECT", "TABLE", name],
          ["MODIFY", "TABLE", name],
        ],
        [["CREATE TABLE", "SCHEMA", name.split(".").slice(0, 2).join(".")]],
      ),
    async catalog(name) {
      const found = (await there("CATALOG", name)).there;
      const missing = found === "no" ? [] : await missingGrants(workspace, [["USE CATALOG", "CATALOG", name]]);
      return { there: found, missing };
    },
    async workspaceModel(fullName) {
      const name = nameInWorkspace(fullName);
      const path = "/api/2.0/mlflow/databricks/registered-models/get";
      const found = await look(workspace, path, legacy, { name });
      return { there: found.there, level: found.value?.registered_model_databricks.permission_level, name };
    },
    async warehouse(id) {
      const found = await look(workspace, `/api/2.0/sql/warehouses/${encodeURIComponent(id)}`, warehouse);
      const { name = "", state = "" } = found.value ?? {};
      const level =
        found.there === "yes"
          ? await levelOn(workspace, `warehouses/${encodeURIComponent(id)}`, await whoAmI(), WAREHOUSE_LEVELS)
          : undefined;
      return { there: found.there, level, name, state };
    },
    async endpoint(name) {
      const found = await look(workspace, `/api/2.0/serving-endpoints/${encodeURIComponent(name)}`, endpoint);
      const { ready = "", config_update: update = "" } = found.value?.state ?? {};
      return {
        there: found.there,
        level: found.value?.permission_level,
        state: update === "NOT_UPDATING" || update === "" ? ready : `${ready}, ${update}`,
      };
    },
  };
}

/** Whether there is such a thing; what may not be asked is hidden. */
async function look<T>(
  workspace: Workspace,
  path: string,
  schema: z.ZodType<T>,
  query?: Readonly<Record<string, string>>,
): Promise<{ there: Levelled["there"]; value?: T }> {
  try {
    const value = await workspace.find({ method: "GET", path, ...(query !== undefined && { query }) }, schema);
    return value === undefined ? { there: "no" } : { there: "yes", value };
  } catch (error) {
    if (error instanceof FactoryError && error.code === "http.403" && !/invalid access token/i.test(error.message))
      return { there: "hidden" };
    throw error;
  }
}

/** The strongest level that an identity has on something; undefined when the workspace does not tell. */
async function levelOn(
  workspace: Workspace,
  thing: string,
  identity: Identity,
  levels: readonly string[],
): Promise<string | undefined> {
  const { value } = await look(workspace, `/api/2.0/permissions/${thing}`, acl);
  if (value === undefined) return undefined;
  const names = new Set([identity.name, ...identity.groups, "users", "account users"]);
  const held = value.access_control_list
    .filter(({ user_name: user, group_name: group, service_principal_name: principal }) =>
      [user, group, principal].some((name) => name !== undefined && names.has(name)),
    )
    .flatMap((entry) => entry.all_permissions.map(({ permission_level: level }) => level ?? ""));
  return held.sort((a, b) => levels.indexOf(b) - levels.indexOf(a))[0];
}
