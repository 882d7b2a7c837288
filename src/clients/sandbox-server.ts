import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import * as z from "zod";
import { outsideError } from "../lib/error.ts";
import { fileError } from "../lib/file-error.ts";
import { writeFileAtomic } from "../lib/files.ts";
import { sendHttp } from "../lib/http.ts";
import { acquireLock } from "../lib/lock.ts";
import { processStart } from "../lib/process-identity.ts";
import { redact, stripControls } from "../lib/redact.ts";
import { type SandboxHost, type SandboxRecord, sandboxRecord } from "../sandbox/record.ts";
import { freePort, isPortFree, portHolder } from "./port.ts";
import { endProcesses, leaderLives, MARK } from "./server-processes.ts";

const LOCK_WAIT_MS = 60_000;
const ANSWER_MS = 2000;
/** What the sandbox needs of the user's environment: nothing that could carry a credential. */
const PASSED_ON = /^(?:HOME|PATH|TMPDIR|LANG|LC_\w+|TZ)$/;
const about = z.object({ rehearsal: z.literal(true), identity: z.string() });

export interface SandboxHostOptions {
  /** The platform's data folder for factory. */
  data: string;
  /** The built program and the Node that runs it; the sandbox lies beside the program. */
  program: string;
  node: string;
  variables: Readonly<Record<string, string>>;
}

/** This machine, as the place of the rehearsal workspace. */
export function openSandboxHost({ data, program, node, variables }: SandboxHostOptions): SandboxHost {
  const folder = join(data, "sandbox");
  const profiles = join(folder, "databrickscfg");
  const [recordPath, logPath] = [join(folder, "sandbox.json"), join(folder, "sandbox.log")];
  const save = (record: SandboxRecord): void => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    guarded(folder, () => writeFileAtomic(recordPath, `${JSON.stringify(record, undefined, 2)}\n`, 0o600));
  };
  return {
    folder,
    async lock(signal, onWait) {
      const path = join(folder, "lock");
      try {
        return await acquireLock({ path, what: "the sandbox", waitMs: LOCK_WAIT_MS, signal, onWait });
      } catch (error) {
        throw fileError(error, folder);
      }
    },
    read() {
      try {
        const parsed: unknown = JSON.parse(readFileSync(recordPath, "utf8"));
        return sandboxRecord.safeParse(parsed).data;
      } catch {
        return undefined;
      }
    },
    save,
    lives: leaderLives,
    answers: async (record) =>
      record.process !== undefined && (await whoAnswers(record.process.port)) === record.identity,
    freePort,
    isPortFree: (port) => isPortFree(port),
    portHolder: async (port) => portHolder(port),
    async launch(record) {
      const script = join(dirname(program), "sandbox.js");
      if (!existsSync(script))
        throw outsideError("sandbox.missing", `${script} is missing`, "the program is not whole: install it again");
      const log = openSync(logPath, "w", 0o600);
      try {
        const kept = Object.entries(variables).filter(([name]) => PASSED_ON.test(name));
        const child = spawn(node, [script, folder], {
          cwd: folder,
          env: { ...Object.fromEntries(kept), [MARK]: record.identity },
          detached: true,
          stdio: ["ignore", log, log],
        });
        const failed = new Promise<never>((_, reject) => child.once("error", reject));
        await Promise.race([new Promise<void>((resolve) => child.once("spawn", resolve)), failed]);
        child.unref();
        const { pid } = child;
        if (record.process === undefined || pid === undefined) return record;
        const started = processStart(pid);
        const launched = { ...record, process: { ...record.process, pid, ...(started !== undefined && { started }) } };
        save(launched);
        return launched;
      } finally {
        closeSync(log);
      }
    },
    lastWords() {
      const lines = redact(stripControls(textOf(logPath)))
        .split("\n")
        .filter((line) => line.trim() !== "");
      return lines.length === 0 ? "" : `:\n${lines.slice(-6).join("\n")}`;
    },
    end: (record) => endProcesses(record),
    writeProfiles(text) {
      guarded(folder, () => writeFileAtomic(profiles, text, 0o600));
      return profiles;
    },
    profilesPath: () => profiles,
    forget() {
      for (const path of [profiles, join(folder, "state")]) rmSync(path, { recursive: true, force: true });
    },
  };
}

function guarded(folder: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    throw fileError(error, folder);
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** The identity that the workspace on a port tells; undefined when there is none. */
async function whoAnswers(port: number): Promise<string | undefined> {
  try {
    const url = `http://127.0.0.1:${port}/_sandbox/about`;
    const reply = await sendHttp({ method: "GET", url, timeoutMs: ANSWER_MS, retries: 0, maxBodyBytes: 1 << 16 });
    return reply.status === 200 ? about.safeParse(reply.json).data?.identity : undefined;
  } catch {
    return undefined;
  }
}
