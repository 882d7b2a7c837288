import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { checkReport } from "../../src/check/report.ts";
import { freePort } from "../../src/clients/port.ts";
import { starterPolicy } from "../../src/policy/starter-policy.ts";
import { factory, type Home, makeHome, type Ran, type RunOptions } from "./factory.ts";

export interface TestProject {
  home: Home;
  /** Holds policy.yaml; the local MLflow server is kept here too. */
  root: string;
  /** The project: Python environment ready, uv.lock committed. */
  folder: string;
  /** Where the policy's environments find their MLflow server; it answers only when `server` was asked for. */
  uri: string;
  /** Runs the built program in the project. */
  run(args: readonly string[], options?: Partial<RunOptions>): Promise<Ran>;
  /** Replaces text of a file that must hold it exactly once. */
  edit(path: string, before: string, after: string): void;
  write(path: string, text: string): void;
  read(path: string): string;
  git(...args: string[]): string;
  /** Takes every edit back; the Python environment and .factory stay. */
  revert(): void;
  /** Stops the server and removes all. */
  remove(): Promise<void>;
}

/** One generated project, ready to be checked, in a home of its own. With `server`: a real MLflow server behind its policy. */
export async function readyProject({ server = false }: { server?: boolean } = {}): Promise<TestProject> {
  const home = makeHome();
  const root = join(home.folder, "work");
  const folder = join(root, "claims-triage");
  const port = await freePort();
  const uri = `http://127.0.0.1:${port}`;
  execFileSync("mkdir", ["-p", root]);
  writeFileSync(
    join(root, "policy.yaml"),
    starterPolicy({
      organisation: "Example Mutual",
      registries: { kind: "mlflow", uri },
      projects: { "claims-triage": { productLine: "claims", riskTier: "medium", owner: "author@example.com" } },
    }),
  );
  const git = (...args: string[]) => execFileSync("git", args, { cwd: folder, env: home.variables, encoding: "utf8" });
  const at = (path: string) => join(folder, path);
  const project: TestProject = {
    home,
    root,
    folder,
    uri,
    run: (args, options = {}) => factory(args, { cwd: folder, variables: home.variables, ...options }),
    edit(path, before, after) {
      const text = readFileSync(at(path), "utf8");
      if (text.split(before).length !== 2)
        throw new Error(`${path} holds ${text.split(before).length - 1} times: ${before}`);
      writeFileSync(
        at(path),
        text.replace(before, () => after),
      );
    },
    write: (path, text) => writeFileSync(at(path), text),
    read: (path) => readFileSync(at(path), "utf8"),
    git,
    revert() {
      git("reset", "--hard", "--quiet");
      git("clean", "-fdq");
    },
    async remove() {
      if (existsSync(join(root, ".factory/local")))
        await factory(["local", "stop", "--dir", root], { cwd: root, variables: home.variables });
      home.remove();
    },
  };
  try {
    if (server)
      demand(
        await factory(["local", "start", "--dir", root, "--port", String(port)], {
          cwd: root,
          variables: home.variables,
        }),
      );
    demand(await factory(["new", "claims-triage", "--yes"], { cwd: root, variables: home.variables }));
    // The cheapest command that makes the project's Python environment.
    demand(await project.run(["check", "--project-only", "--only", "lint"]));
    git("add", "uv.lock");
    git("commit", "--quiet", "--no-verify", "--message", "Lock the Python packages");
  } catch (error) {
    await project.remove();
    throw error;
  }
  return project;
}

function demand(ran: Ran): void {
  if (ran.status !== 0) throw new Error(`ended with ${ran.status}:\n${ran.stdout}\n${ran.stderr}`);
}

const answer = z.object({
  ok: z.boolean(),
  data: checkReport.optional(),
  error: z
    .object({
      code: z.string(),
      exit: z.number(),
      message: z.string(),
      problems: z.array(z.object({ message: z.string() })).default([]),
    })
    .optional(),
});
export type CheckAnswer = z.infer<typeof answer> & { status: number | null };

/** What `factory check --json` printed, with its exit status. Throws when stdout is not that one document. */
export function checkAnswer(ran: Ran): CheckAnswer {
  try {
    return { ...answer.parse(JSON.parse(ran.stdout)), status: ran.status };
  } catch (cause) {
    throw new Error(
      `no answer in stdout (status ${ran.status}): ${ran.stdout.slice(0, 500)}\n${ran.stderr.slice(-2000)}`,
      { cause },
    );
  }
}
