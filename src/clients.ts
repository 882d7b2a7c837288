import { homedir } from "node:os";
import { join } from "node:path";
import { platform, versions } from "node:process";
import type { Clients } from "./cli/clients.ts";
import type { Places, Variables } from "./cli/context.ts";
import { shareWorkspaces } from "./clients/databricks/share-workspaces.ts";
import type { Mlflow } from "./clients/mlflow/open-mlflow.ts";
import type { ObjectStore } from "./evidence/object-store.ts";
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
  const mlflow = async (uri: string) => {
    const { openMlflow } = await import("./clients/mlflow/open-mlflow.ts");
    const known = servers.get(uri) ?? openMlflow(uri, { variables: trackingCredentials(variables, uri), signal });
    servers.set(uri, known);
    return known;
  };
  const openStore = async ({ name, catalog, registry }: Environment): Promise<ModelStore> => {
    if (registry.kind === "mlflow") {
      const server = await mlflow(registry.uri);
      return { registry: server.registry, objects: (model) => server.objects(name, model) };
    }
    const reached = await workspace({ profile: registry.profile, host: registry.host });
    if (registry.kind === "workspace") {
      const { openWorkspaceRegistry } = await import("./clients/workspace-registry/open-workspace-registry.ts");
      const opened = openWorkspaceRegistry(reached, signal);
      return { registry: opened.registry, objects: (model) => opened.objects(name, model) };
    }
    const { openUnityObjects, openUnityRegistry } = await import("./clients/unity-catalog/open-unity.ts");
    const place = { catalog, volume: registry.volume };
    const { data, cache } = places;
    return {
      registry: openUnityRegistry(place, { workspace: reached, data, cache, variables, signal }),
      objects: (model) => openUnityObjects(place, reached, model),
    };
  };
  /** By environment, as policy has it: what one member learnt is known to the others, and what is asked at the same time is asked once. */
  const stores = new Map<string, Promise<ModelStore>>();
  const modelStore = (environment: Environment): Promise<ModelStore> => {
    const key = JSON.stringify([environment.name, environment.catalog, environment.registry]);
    const known = stores.get(key) ?? openStore(environment);
    stores.set(key, known);
    return known;
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
      const settings = async () => {
        const { found } = await findPython(variables, signal);
        return found === undefined ? {} : indexSettings(variables, found.path, signal);
      };
      const [program, told] = await Promise.all([
        ensureUv({ data: places.data, variables, report, signal }),
        settings(),
      ]);
      if (program === undefined)
        throw outsideError("uv.missing", "uv could not be installed", "install uv and put it on PATH: factory doctor");
      return { program, settings: told };
    },
    tracking: async (environment) => {
      const { registry } = environment;
      if (registry.kind === "mlflow") return (await mlflow(registry.uri)).tracking;
      const { openTracking } = await import("./clients/databricks/tracking.ts");
      return openTracking(await workspace(addressOf(environment)), signal);
    },
    registry: async (environment) => (await modelStore(environment)).registry,
    objects: async (environment, model) => (await modelStore(environment)).objects(model),
    serving: async (environment, endpoint, model) => {
      if (environment.registry.kind === "mlflow")
        throw usageError(
          "serving.kind",
          `release.endpoint asks for a serving endpoint, and ${environment.name} is no Databricks workspace`,
          "leave it out of factory.yaml: jobs read the alias champion",
        );
      const { servingEndpoint } = await import("./clients/databricks/serving.ts");
      const { nameInWorkspace } = await import("./clients/workspace-registry/names.ts");
      const served = environment.registry.kind === "workspace" ? nameInWorkspace(model) : model;
      return servingEndpoint(await workspace(addressOf(environment)), endpoint, served);
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

/** Where one environment keeps its models, and the evidence and bundles of each by its name in factory.yaml. */
interface ModelStore {
  registry: ModelRegistry;
  objects(model: string): ObjectStore;
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
