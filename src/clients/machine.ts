import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { Machine } from "../doctor/doctor.ts";
import { variablesFor } from "../lib/child-variables.ts";
import { FactoryError } from "../lib/error.ts";
import { sendHttp } from "../lib/http.ts";
import { runProcess } from "../lib/run-process.ts";
import { STARTED_BY } from "./mlflow/server.ts";
import { findPython } from "./python.ts";
import { findPythonEnvironment } from "./python-env.ts";
import { findUv } from "./uv.ts";

const TIMEOUT_MS = 5000;

export interface MachineOptions {
  /** The platform's data folder for factory. */
  data: string;
  variables: Readonly<Record<string, string>>;
  signal: AbortSignal;
}

/** The machine that factory runs on, as the doctor sees it: looks only. */
export function openMachine({ data, variables, signal }: MachineOptions): Machine {
  return {
    async git(folder) {
      const git = async (args: readonly string[]): Promise<string | undefined> => {
        try {
          const result = await runProcess({
            argv: ["git", ...args],
            cwd: folder,
            env: variablesFor("git", variables),
            timeoutMs: TIMEOUT_MS,
            signal,
          });
          return result.status === 0 && result.stdout.trim() !== "" ? result.stdout.trim() : undefined;
        } catch (error) {
          if (error instanceof FactoryError && error.code === "process.missing") return undefined;
          throw error;
        }
      };
      const version = await git(["--version"]);
      if (version === undefined) return undefined;
      const [name, email] = await Promise.all([
        variables.GIT_AUTHOR_NAME ?? git(["config", "--get", "user.name"]),
        variables.GIT_AUTHOR_EMAIL ?? git(["config", "--get", "user.email"]),
      ]);
      return { version: version.replace(/^git version /, ""), name, email };
    },
    async python() {
      const { found, others } = await findPython(variables, signal);
      return found ?? { others };
    },
    uv: () => findUv({ data, variables, signal }),
    managedPython: async () => findPythonEnvironment(data),
    async freeBytes() {
      let folder = data;
      while (!existsSync(folder)) folder = dirname(folder);
      const disk = await statfs(folder);
      return disk.bavail * disk.bsize;
    },
    async mlflowServer(uri) {
      const base = uri.replace(/\/+$/, "");
      const get = (path: string) =>
        sendHttp({
          method: "GET",
          url: `${base}${path}`,
          timeoutMs: TIMEOUT_MS,
          retries: 0,
          signal,
          maxBodyBytes: 1 << 20,
          startedBy: STARTED_BY,
        });
      const health = await get("/health");
      const version = health.status === 200 ? await get("/version") : undefined;
      const bare = version?.status === 200 ? /^\d+\.\d+\S{0,20}$/.exec(version.text.trim())?.[0] : undefined;
      return { health: health.status, version: bare };
    },
  };
}
