import type { ObjectStore } from "../../evidence/object-store.ts";
import { usageError } from "../../lib/error.ts";
import type { ModelRegistry } from "../../registry/registry.ts";
import type { ClientAccess, Tracking } from "../../training/tracking.ts";
import type { MlflowApi } from "./mlflow-api.ts";
import { mlflowObjects } from "./object-store.ts";
import { proxyArtifacts } from "./proxy-artifacts.ts";
import { mlflowRegistry } from "./registry.ts";
import { exchangeWith, type Server } from "./server.ts";
import { mlflowTracking, searchModels } from "./tracking.ts";

export interface Mlflow {
  tracking: Tracking;
  registry: ModelRegistry;
  /** Where an environment (by name) keeps evidence and bundles of a model, by its name in factory.yaml. */
  objects(environment: string, modelName: string): ObjectStore;
}

/**
 * An MLflow server: tracking and model registry. Credentials are those in `variables`, by MLflow's own variables: MLFLOW_TRACKING_TOKEN, or
 * MLFLOW_TRACKING_USERNAME with MLFLOW_TRACKING_PASSWORD; never part of the address. Asks the server nothing yet.
 */
export function openMlflow(
  uri: string,
  options: { variables: Readonly<Record<string, string>>; signal?: AbortSignal },
): Mlflow {
  if (!URL.canParse(uri) || !/^https?:$/.test(new URL(uri).protocol))
    throw usageError("mlflow.uri", `${JSON.stringify(uri)} is not the http(s) address of an MLflow server`);
  const url = new URL(uri);
  if (url.username !== "" || url.password !== "") {
    throw usageError(
      "mlflow.uri",
      `the address of the MLflow server at ${url.host} must not carry credentials`,
      "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
    );
  }
  const api = serverApi({
    uri: `${url.origin}${url.pathname}`.replace(/\/+$/, ""),
    headers: authorization(options.variables),
    signal: options.signal,
  });
  return {
    tracking: mlflowTracking(api, {
      clientAccess: async () => clientAccess(api.uri, options.variables),
      modelsOf: searchModels,
    }),
    registry: mlflowRegistry(api),
    objects: (environment, modelName) => mlflowObjects(api, environment, modelName),
  };
}

function serverApi(server: Server): MlflowApi {
  const { uri, signal } = server;
  return {
    uri,
    label: `the MLflow server at ${uri}`,
    signal,
    exchange: (call) => exchangeWith(server, call),
    clock: () => server.clock,
    artifacts: proxyArtifacts(server),
    experiments: {
      training: (project) => project,
      own: (environment, modelName) => `factory/${environment}/${modelName}`,
      prepare: async () => {},
    },
    ownExperiments: new Map(),
  };
}

/** A user's name is no secret, and may be a word that logs are full of. */
const CREDENTIALS = { MLFLOW_TRACKING_USERNAME: false, MLFLOW_TRACKING_PASSWORD: true, MLFLOW_TRACKING_TOKEN: true };

function clientAccess(uri: string, variables: Readonly<Record<string, string>>): ClientAccess {
  const given = Object.keys(CREDENTIALS).flatMap((name): [string, string][] => {
    const value = variables[name];
    return value === undefined ? [] : [[name, value]];
  });
  return {
    variables: { ...Object.fromEntries(given), MLFLOW_TRACKING_URI: uri },
    secrets: given.filter(([name]) => Reflect.get(CREDENTIALS, name) === true).map(([, value]) => value),
  };
}

function authorization(variables: Readonly<Record<string, string>>): Record<string, string> {
  const {
    MLFLOW_TRACKING_USERNAME: user,
    MLFLOW_TRACKING_PASSWORD: password,
    MLFLOW_TRACKING_TOKEN: token,
  } = variables;
  if (user !== undefined && password !== undefined)
    return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` };
  return token === undefined || token === "" ? {} : { authorization: `Bearer ${token}` };
}
