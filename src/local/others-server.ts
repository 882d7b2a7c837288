import { realpathSync } from "node:fs";
import { outsideError } from "../lib/error.ts";
import { environmentsOf, type OpenProject } from "../project/read-project.ts";
import { loopbackPort } from "./decide.ts";
import { findHome } from "./home.ts";
import type { LocalHost } from "./server.ts";

export interface OthersServer {
  uri: string;
  /** The folder that it belongs to. */
  home: string;
  message: string;
  fix: string;
}

/**
 * The server of another folder where a project without a policy would take the one that answers for its own; undefined when none is
 * known to be. A policy names the address of its servers: whose they are is then for its owners to say.
 */
export async function othersServer(open: OpenProject, host: LocalHost): Promise<OthersServer | undefined> {
  const registry = open.policy === undefined ? environmentsOf(open)[0]?.registry : undefined;
  const port = registry?.kind === "mlflow" ? loopbackPort(registry.uri) : undefined;
  if (registry?.kind !== "mlflow" || port === undefined) return undefined;
  const home = await host.homeServed(port);
  if (home === undefined || home === realPath(findHome(open.folder, undefined, false).home)) return undefined;
  return {
    uri: registry.uri,
    home,
    message: `what answers at ${registry.uri} is the MLflow server of ${home}, not of this project`,
    fix: "factory local start --port N: the project then uses that one; or name a policy with the server's address: factory init --uri",
  };
}

/** For what writes there: runs and models of one project have no place among those of another. Throws exit 4. */
export async function refuseOthersServer(open: OpenProject, host: () => Promise<LocalHost>): Promise<void> {
  if (open.policy !== undefined) return;
  const others = await othersServer(open, await host());
  if (others !== undefined) throw outsideError("local.others", others.message, others.fix);
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
