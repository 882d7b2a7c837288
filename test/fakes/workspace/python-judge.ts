import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProcess } from "../../../src/lib/run-process.ts";
import { processVariables, testPython } from "../../support/mlflow-server.ts";

/** Runs a script with the official Python clients against a workspace, as one identity, and gives the JSON that it printed last. */
export async function judge(
  script: string,
  at: { url: string; token: string },
  argv: readonly string[] = [],
  variables: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const { bin } = await testPython();
  const home = mkdtempSync(join(tmpdir(), "factory-judge-"));
  try {
    const result = await runProcess({
      argv: [join(bin, "python"), script, ...argv],
      cwd: home,
      env: {
        ...processVariables(),
        HOME: home,
        DATABRICKS_HOST: at.url,
        DATABRICKS_TOKEN: at.token,
        MLFLOW_HTTP_REQUEST_MAX_RETRIES: "0",
        MLFLOW_DISABLE_TELEMETRY: "true",
        DO_NOT_TRACK: "true",
        MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR: "false",
        PYTHONWARNINGS: "ignore",
        ...variables,
      },
      timeoutMs: 240_000,
    });
    if (result.status !== 0) throw new Error(`${script} failed:\n${result.stderr.slice(-3000)}`);
    const value: unknown = JSON.parse(result.stdout.trim().split("\n").at(-1) ?? "");
    return value;
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
