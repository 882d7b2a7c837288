import { homedir } from "node:os";
import { join } from "node:path";
import { platform, versions } from "node:process";
import type { Clients } from "./cli/clients.ts";
import type { Places, Variables } from "./cli/context.ts";
import { shareWorkspaces } from "./clients/databricks/share-workspaces.ts";
import type { Mlflow } from "./clients/mlflow/open-mlflow.ts";
import { outsideError, usageError } from "./lib/error.ts";
import { setUpHttp, userAgent } from "./lib/http-settings.ts";
import type { Report } from "./lib/progress.ts";
import type { Environment, WorkspaceAddress } from "./policy/policy.ts";
import type { ModelRegistry } from "./registry/registry.ts";
import { trackingCredentials } from "./training/child-environment.ts";

export interface ClientWorld {
  variables: Variables;
  places: Places;
  signal: AbortSignal;
  version: string;
}

/** The real outside systems; each module loads when a command first asks for it. */
export function realClients({ variables, places, signal, version }: ClientWorld): Clients {
  setUpHttp({ variables, userAgent: userAgent(version, { node: versions.node, platform }, variables) });
  /** The only place that opens a Databricks workspace. */
  const workspace = shareWorkspaces({ variables, home: variables.HOME ?? homedir(), places, signal, version });
  /** By address: what one member learnt, the clock for one, the others know. */
  const servers = new Map<string, Mlflow>();
  const mlflow = async (environment: Environment) => {
    const { registry } = environment;
    if (registry.kind !== "mlflow") throw new TypeError(`${environment.name} is no MLflow server`);
    const { openMlflow } = await import("./clients/mlflow/open-mlflow.ts");
    const known = servers.get(registry.uri);
    if (known !== undefined) return known;
    const opened = openMlflow(registry.uri, { variables: trackingCredentials(variables, registry.uri), signal });
    servers.set(registry.uri, opened);
    return opened;
  };
  /** By environment: what is asked at the same time is asked once. */
  const models = new Map<string, ModelRegistry>();
  const pythonWorld = async ({ address }: { address: WorkspaceAddress }) => {
    const { data, cache } = places;
    return { workspace: await workspace(address), data, cache, variables, signal };
  };
  const ofWorkspace = async (environment: Environment) => {
    const { openWorkspaceRegistry } = await import("./clients/workspace-registry/open-workspace-registry.ts");
    return openWorkspaceRegistry(await workspace(addressOf(environment)), signal);
  };
  /** What outside systems tell of by themselves; nobody listens before a command runs. */
  let hear: Report = () => {};
  return {
    hearFrom: (report) => {
      hear = report;
    },
    machine: async () => (await import("./clients/machine.ts")).openMachine({ data: places.data, variables, signal }),
    workspaceSight: async (address) =>
      (await import("./clients/databricks/sight.ts")).workspaceSight(await workspace(address)),
    localHost: async () => (await import("./clients/local-server.ts")).openLocalHost({ data: places.data, variables }),
    sandboxHost: async () => {
      const { data, program, node } = places;
      return (await import("./clients/sandbox-server.ts")).openSandboxHost({ data, program, node, variables });
    },
    uv: async (report) => {
      const { ensureUv } = await import("./clients/uv.ts");
      const { findPython, indexSettings } = await import("./clients/python.ts");
      const program = await ensureUv({ data: places.data, variables, report, signal });
      if (program === undefined)
        throw outsideError("uv.missing", "uv could not be installed", "install uv and put it on PATH: factory doctor");
      const { found } = await findPython(variables, signal);
      return { program, settings: found === undefined ? {} : await indexSettings(variables, found.path, signal) };
    },
    tracking: async (environment) => {
      const { registry } = environment;
      if (registry.kind === "mlflow") return (await mlflow(environment)).tracking;
      const { openTracking } = await import("./clients/databricks/tracking.ts");
      return openTracking(await workspace({ profile: registry.profile, host: registry.host }), signal);
    },
    registry: async (environment) => {
      if (environment.registry.kind === "workspace") return (await ofWorkspace(environment)).registry;
      const place = unityPlace(environment);
      if (place === undefined) return (await mlflow(environment)).registry;
      const { openUnityRegistry } = await import("./clients/unity-catalog/open-unity.ts");
      const known = models.get(environment.name);
      if (known !== undefined) return known;
      const opened = openUnityRegistry(place, await pythonWorld(place));
      models.set(environment.name, opened);
      return opened;
    },
    objects: async (environment, model) => {
      if (environment.registry.kind === "workspace")
        return (await ofWorkspace(environment)).objects(environment.name, model);
      const place = unityPlace(environment);
      if (place === undefined) return (await mlflow(environment)).objects(environment.name, model);
      const { openUnityObjects } = await import("./clients/unity-catalog/open-unity.ts");
      return openUnityObjects(place, await workspace(place.address), model);
    },
    serving: async ({ name, registry }, endpoint, model) => {
      if (registry.kind === "mlflow")
        throw usageError(
          "serving.kind",
          `release.endpoint asks for a serving endpoint, and ${name} is no Databricks workspace`,
          "leave it out of factory.yaml: jobs read the alias champion",
        );
      const { profile, host } = registry;
      const { servingEndpoint } = await import("./clients/databricks/serving.ts");
      return servingEndpoint(await workspace({ profile, host }), endpoint, model);
    },
    bundleCli: async (environment) => {
      const { openBundleCli } = await import("./clients/databricks/bundle-cli.ts");
      return openBundleCli(await workspace(addressOf(environment)), { variables, signal });
    },
    trainingJobs: async (environment) => {
      const { trainingJobs } = await import("./clients/databricks/jobs.ts");
      return trainingJobs(await workspace(addressOf(environment)));
    },
    warehouse: async (environment, report) => {
      const { address, id } = warehousePlace(environment);
      const { openWarehouse } = await import("./clients/sql/warehouse.ts");
      // Nothing that a data check compiles depends on the zone of a session.
      return openWarehouse({ workspace: await workspace(address), id, report, signal, utc: false });
    },
    dataEngine: async (tempFolder) => (await import("./clients/duckdb.ts")).openDuckDb({ tempFolder }),
    ledger: async (place) => {
      if (place.kind === "file") return (await import("./clients/ledger-file.ts")).openLedgerFile(place.path, signal);
      if (place.kind === "delta") {
        const { profile, host, warehouse: id, table, project } = place;
        const { openWarehouse } = await import("./clients/sql/warehouse.ts");
        const { openLedgerDelta } = await import("./clients/ledger-delta.ts");
        const { walkChain: walk } = await import("./ledger/verify-chain.ts");
        const reached = await workspace({ profile, host });
        const cache = join(places.cache, "ledger-delta");
        const session = openWarehouse({ workspace: reached, id, report: (event) => hear(event), signal });
        return openLedgerDelta({ warehouse: session, table, project, host: reached.host, cache, walk, signal });
      }
      const { openLedgerGit } = await import("./clients/ledger-git.ts");
      const { url, branch, project } = place;
      return openLedgerGit({ url, branch, project, cache: join(places.cache, "ledger"), variables, signal });
    },
    history: async (folder) => (await import("./clients/git.ts")).openHistory(folder, variables, signal),
  };
}

/** Where an environment of kind unity-catalog keeps its models and its evidence; undefined for other kinds. */
function unityPlace({ catalog, registry }: Environment) {
  if (registry.kind !== "unity-catalog") return undefined;
  const { profile, host, volume } = registry;
  return { catalog, volume, address: { profile, host } };
}

/** The workspace of an environment. Throws exit 2 for one that has none. */
function addressOf({ name, registry }: Environment): WorkspaceAddress {
  if (registry.kind !== "mlflow") return { profile: registry.profile, host: registry.host };
  throw usageError(
    "environment.workspace",
    `${name} is no Databricks workspace: its registry is of kind mlflow`,
    "a bundle is deployed to environments of kind unity-catalog or workspace",
  );
}

/** The warehouse of an environment, and the workspace that has it: where the registry is MLflow, the profile named like the environment. */
function warehousePlace({ name, registry, warehouse }: Environment): { address: WorkspaceAddress; id: string } {
  if (warehouse === undefined)
    throw usageError(
      "environment.warehouse",
      `source: warehouse, and policy.yaml names no warehouse for ${name}`,
      `add warehouse: <id> to the environment ${name}`,
    );
  const address = registry.kind === "mlflow" ? { profile: name } : { profile: registry.profile, host: registry.host };
  return { address, id: warehouse };
}
