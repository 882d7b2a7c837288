import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BundleCli, BundleRun } from "../../deploy/bundle-cli.ts";
import { usageError } from "../../lib/error.ts";
import { runProcess } from "../../lib/run-process.ts";
import { makeTemporaryFolder } from "../../lib/work-folder.ts";
import { cliFailure } from "./cli-output.ts";
import { findCli } from "./find-cli.ts";
import type { Workspace } from "./workspace.ts";

const TIMEOUT_MS = { validate: 5 * 60_000, deploy: 45 * 60_000 } as const;
/** What a program needs to reach a workspace through a company's network; nothing else of ours is passed on. */
const PASSED_ON = [
  "PATH",
  "LANG",
  "TZ",
  "TMPDIR",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "no_proxy",
];

/** Variables as the program takes them. It reads each as a line of CSV: what could bring a variable of its own is refused. */
export function variableFlags(variables: Readonly<Record<string, string>>): string[] {
  return Object.entries(variables).flatMap(([name, value]) => {
    const given = `${name}=${value}`;
    if (/[,"\r\n]/.test(given))
      throw usageError(
        "deploy.variable",
        `${JSON.stringify(given)} cannot be given as a variable: it holds a comma, a quote or a line break`,
      );
    return ["--var", given];
  });
}

/**
 * The official program, logged in to this workspace and no other: it is given one token, a home of its own that is empty, and no
 * profile, variable or state of the user's. Throws exit 2 when it is missing or too old.
 */
export async function openBundleCli(
  workspace: Workspace,
  { variables, signal }: { variables: Readonly<Record<string, string>>; signal: AbortSignal },
): Promise<BundleCli> {
  const { path, version } = await findCli(variables, signal);
  const run = async (doing: "validate" | "deploy", { folder, target, variables: given }: BundleRun): Promise<void> => {
    const flags = variableFlags(given);
    const token = await workspace.token();
    const { path: home, remove } = makeTemporaryFolder();
    try {
      const config = join(home, "databrickscfg");
      writeFileSync(config, "", { mode: 0o600 });
      mkdirSync(join(home, "cache"));
      const timeoutMs = TIMEOUT_MS[doing];
      const result = await runProcess({
        argv: [path, "bundle", doing, "--target", target, ...flags],
        cwd: folder,
        env: {
          ...Object.fromEntries(
            PASSED_ON.flatMap((name) => (variables[name] === undefined ? [] : [[name, variables[name]]])),
          ),
          HOME: home,
          XDG_CACHE_HOME: join(home, "cache"),
          DATABRICKS_CONFIG_FILE: config,
          DATABRICKS_HOST: workspace.host,
          DATABRICKS_TOKEN: token,
          DATABRICKS_AUTH_TYPE: "pat",
          DATABRICKS_BUNDLE_ENGINE: "direct",
          // It runs no script and no Python of a bundle then.
          DATABRICKS_BUNDLE_RESTRICTED_CODE_EXECUTION: "1",
          NO_COLOR: "1",
        },
        timeoutMs,
        signal,
      });
      if (result.status === 0) return;
      const output = `${result.stderr}\n${result.stdout}`;
      throw cliFailure(
        doing,
        { status: result.status, timedOut: result.timedOut, output, timeoutMs },
        [token],
        workspace.label,
      );
    } finally {
      remove();
    }
  };
  return {
    tool: `databricks ${version}`,
    host: workspace.host,
    validate: (asked) => run("validate", asked),
    deploy: (asked) => run("deploy", asked),
  };
}
