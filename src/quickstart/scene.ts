import { existsSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { FactoryError, outsideError, usageError } from "../lib/error.ts";
import type { LocalHost } from "../local/server.ts";
import type { StarterPolicy } from "../policy/starter-policy.ts";
import { git } from "./code.ts";
import type { Stage } from "./stage.ts";
import { type Program, runFactory, type StepResult } from "./step.ts";

/** What stands behind the story: where models and ledger are, and how it is started and ended. */
export interface Scene {
  /** What the policy says about it. */
  policy: Pick<StarterPolicy, "registries" | "ledger">;
  /** What the people's commands need to reach it. */
  variables: Readonly<Record<string, string>>;
  /** Name and text of the step that starts it. */
  name: string;
  note: string;
  start(stage: Stage): Promise<StepResult<{ uri: string }>>;
  /** Also after a failure or Ctrl-C: nothing of quickstart's may be left running. */
  stop(program: Program): Promise<void>;
}

const PREFERRED_PORT = 5210;

/** A real MLflow server in the folder; the ledger is a file of the project. */
export async function localScene({ folder }: Stage, host: LocalHost): Promise<Scene> {
  const port = await freePort(host.isPortFree);
  return {
    policy: { registries: { kind: "mlflow", uri: `http://127.0.0.1:${port}` }, ledger: { kind: "file" } },
    variables: {},
    name: "MLflow server",
    note: "  (SQLite)",
    async start({ author }) {
      const args = ["local", "start", "--dir", folder, "--port", String(port)];
      try {
        return await runFactory(author, "starting the MLflow server", args, folder, z.object({ uri: z.string() }));
      } catch (error) {
        // The first install takes minutes, in which somebody else may take the port. The policy names it already.
        if (!(error instanceof FactoryError) || error.code !== "local.port-taken") throw error;
        throw outsideError(error.code, error.message, "run quickstart again: it takes the next free port", error);
      }
    },
    stop: (program) => stopLocal(program, folder),
  };
}

/** The server that an earlier or this run has left in the folder. */
export async function stopLocal(program: Program, folder: string): Promise<void> {
  if (!existsSync(join(folder, ".factory/local"))) return;
  await runFactory(program, "stopping the MLflow server", ["local", "stop", "--dir", folder], folder, z.unknown());
}

const sandbox = z.object({ url: z.string(), profiles: z.string(), started: z.boolean() });

/**
 * The rehearsal workspace: three catalogs with three identities, evidence on volumes. The registry is not on this machine as far
 * as factory can tell, so the ledger is one that others could reach: a branch of a bare git repository in the folder.
 */
export async function sandboxScene({ folder, author }: Stage): Promise<Scene> {
  const started = await runFactory(author, "starting the sandbox", ["sandbox", "start"], folder, sandbox);
  if (!started.data.started)
    throw usageError(
      "quickstart.sandbox",
      `a sandbox runs already at ${started.data.url}, with models of its own`,
      "stop it, or work with that one: factory sandbox stop",
    );
  const ledger = join(folder, "ledger.git");
  await git(author, folder, ["init", "--quiet", "--bare", ledger]);
  return {
    policy: { registries: { kind: "unity-catalog" }, ledger: { kind: "git", url: ledger, branch: "ledger" } },
    variables: { DATABRICKS_CONFIG_FILE: started.data.profiles },
    name: "sandbox",
    note: "  a rehearsal: nothing of it is Databricks",
    start: async () => ({ ...started, data: { uri: started.data.url } }),
    async stop(program) {
      await runFactory(program, "stopping the sandbox", ["sandbox", "stop"], folder, z.unknown());
    },
  };
}

async function freePort(isFree: (port: number) => Promise<boolean>): Promise<number> {
  for (let port = PREFERRED_PORT; port < PREFERRED_PORT + 100; port++) if (await isFree(port)) return port;
  throw outsideError(
    "quickstart.port",
    `no free port between ${PREFERRED_PORT} and ${PREFERRED_PORT + 99}`,
    "stop what listens there",
  );
}
