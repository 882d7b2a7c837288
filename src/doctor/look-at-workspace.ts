import type { Environment, Policy, WorkspaceAddress } from "../policy/policy.ts";
import { registeredName } from "../registry/registry.ts";
import { type Check, examine } from "./doctor.ts";
import {
  judgeDeploymentJob,
  judgeEndpoint,
  judgeHost,
  judgeIdentity,
  judgeRights,
  judgeWarehouse,
  judgeWorkspaceModel,
} from "./judge-workspace.ts";
import { partOf } from "./part.ts";
import type { WorkspaceSight } from "./workspace-sight.ts";

export interface Wanted {
  /** Of the project here, by its name in factory.yaml. */
  model: string | undefined;
  endpoint: string | undefined;
  /** Its name; undefined outside of a project. */
  project: string | undefined;
  policy: Policy | undefined;
}

export type OpenSight = (address: WorkspaceAddress) => Promise<WorkspaceSight>;

/** One line on an environment in a workspace: where it is, and as whom it is reached. */
export async function lookInPassing(address: WorkspaceAddress, open: OpenSight): Promise<Omit<Check, "id">> {
  const sight = await open(address);
  const { name } = await sight.me();
  return { verdict: "ok", found: `${judgeHost(sight).found}; as ${name}` };
}

/**
 * Everything that the next commands need in the workspace of an environment, with what to ask for where it is missing. Reads only, and
 * starts nothing. When the workspace cannot be reached or does not know us, that is all that is said.
 */
export async function lookAtWorkspace(environment: Environment, wanted: Wanted, open: OpenSight): Promise<Check[]> {
  const { name: of, registry, catalog, warehouse } = environment;
  if (registry.kind === "mlflow") return [];
  let sight: WorkspaceSight | undefined;
  const host = await examine(`host.${of}`, async () => {
    sight = await open({ profile: registry.profile, host: registry.host });
    return judgeHost(sight);
  });
  if (sight === undefined) return [host];
  const found = sight;
  let who = "";
  let part = partOf(wanted.policy, undefined, wanted.project);
  const identity = await examine(`identity.${of}`, async () => {
    const me = await found.me();
    who = me.name;
    const people = peopleOf(wanted.policy);
    part = partOf(wanted.policy, people.get(who), wanted.project);
    return judgeIdentity(me, people, part);
  });
  if (who === "") return [host, identity];
  const { model, endpoint } = wanted;
  const looks: Promise<Check>[] = [
    examine(`registry.${of}`, async () => {
      if (registry.kind === "workspace")
        return model === undefined
          ? { verdict: "ok", found: "the workspace's own registry; inside a project the doctor tells more" }
          : judgeWorkspaceModel(await found.workspaceModel(registeredName(catalog, model)), who, part);
      if (model === undefined)
        return judgeRights(
          `catalog ${catalog}`,
          await found.catalog(catalog),
          "may be used; inside a project the doctor tells more",
          "an admin of the metastore makes it",
        );
      const full = registeredName(catalog, model);
      const rights = await found.model(full, part);
      return part === "approver"
        ? judgeRights(full, rights, "may be read", "the first promotion makes it")
        : judgeRights(full, rights, "may create versions and set aliases", "may be made");
    }),
  ];
  if (registry.kind === "unity-catalog" && (model !== undefined || registry.volume !== undefined)) {
    const volume = `${catalog}.${registry.volume ?? `${model?.split(".")[0] ?? ""}.factory_evidence`}`;
    looks.push(
      examine(`evidence.${of}`, async () => {
        const rights = await found.volume(volume, part);
        if (rights.there === "no" && rights.without === undefined && rights.missing.length === 0)
          return { verdict: "missing", found: `there is no volume ${volume}`, fix: `run: CREATE VOLUME ${volume}` };
        const may = part === "approver" ? "may be read" : "may be read and written";
        return judgeRights(volume, rights, may, "may be made");
      }),
    );
  }
  const job =
    registry.kind === "unity-catalog" && model !== undefined
      ? lookAtDeploymentJob(of, registeredName(catalog, model), found, who)
      : [];
  // An approver checks no data, and an endpoint follows the release.
  if (part === "approver") return [host, identity, ...(await Promise.all(looks)), ...(await job)];
  if (warehouse !== undefined)
    looks.push(
      examine(`warehouse.${of}`, async () => judgeWarehouse(warehouse, await found.warehouse(warehouse), who)),
    );
  if (endpoint !== undefined)
    looks.push(examine(`endpoint.${of}`, async () => judgeEndpoint(endpoint, await found.endpoint(endpoint), who)));
  return [host, identity, ...(await Promise.all(looks)), ...(await job)];
}

/** Nothing where the model is connected to no deployment job. */
async function lookAtDeploymentJob(of: string, model: string, sight: WorkspaceSight, who: string): Promise<Check[]> {
  const check = await examine(`deployment.${of}`, async () => {
    const seen = await sight.deploymentJob(model);
    return seen === undefined ? { verdict: "ok", found: "" } : judgeDeploymentJob(seen, who);
  });
  return check.found === "" ? [] : [check];
}

/** The ledger's own workspace, which may be another than that of the environment, and be reached as somebody else. */
export async function lookAtLedger(policy: Policy, open: OpenSight): Promise<Check[]> {
  const { ledger } = policy;
  if (ledger.kind !== "delta") return [];
  let who = "";
  const table = await examine("ledger", async () => {
    const sight = await open({ profile: ledger.profile, host: ledger.host });
    who = (await sight.me()).name;
    return judgeRights(
      ledger.table,
      await sight.table(ledger.table),
      `may be read and appended to, as ${who}`,
      "may be made by the first command that writes",
    );
  });
  if (who === "") return [table];
  const warehouse = await examine("ledger.warehouse", async () => {
    const sight = await open({ profile: ledger.profile, host: ledger.host });
    return judgeWarehouse(ledger.warehouse, await sight.warehouse(ledger.warehouse), who);
  });
  return [table, warehouse];
}

/** People of the policy by every name that a workspace may know them by. */
function peopleOf(policy: Policy | undefined): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(policy?.people ?? {}).flatMap(([name, { aliases = [] }]) =>
      [name, ...aliases].map((each) => [each, name]),
    ),
  );
}
