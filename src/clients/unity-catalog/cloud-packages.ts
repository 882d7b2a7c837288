import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { outsideError } from "../../lib/error.ts";
import { fileError } from "../../lib/file-error.ts";
import { sha256 } from "../../lib/hash.ts";
import { acquireLock } from "../../lib/lock.ts";
import { withTask } from "../../lib/progress.ts";
import { runProcess } from "../../lib/run-process.ts";
import { installError, installerVariables } from "../python.ts";
import type { PythonEnvironment } from "../python-env.ts";
import { ensureUv, type UvRequest } from "../uv.ts";

/**
 * What MLflow needs beside itself where bytes of models lie in the customer's own cloud storage. Made by `uv pip compile --universal
 * --python-version 3.11` from boto3, azure-storage-file-datalake and google-cloud-storage, constrained by the pins of MLflow, whose lines are left out.
 */
const CLOUD_PINS = `azure-core==1.41.0
azure-storage-blob==12.31.1
azure-storage-file-datalake==12.26.1
boto3==1.44.8
botocore==1.44.8
google-api-core==2.44.0
google-cloud-core==2.8.0
google-cloud-storage==3.17.1
google-crc32c==1.9.0
google-resumable-media==2.11.0
googleapis-common-protos==1.76.0
isodate==0.7.2
jmespath==1.1.0
proto-plus==1.29.0
s3transfer==0.19.3
`;

const TIMEOUT_MS = 10 * 60_000;

/** The folder with the packages of the clouds, beside factory's managed Python environment; installed when it is first needed. */
export async function ensureCloudPackages(python: PythonEnvironment, request: UvRequest): Promise<string> {
  const folder = `${python.folder}-clouds-${sha256(CLOUD_PINS).slice(0, 8)}`;
  if (existsSync(folder)) return folder;
  const release = await acquireLock({
    path: `${folder}.lock`,
    what: `the Python packages ${folder}`,
    waitMs: TIMEOUT_MS,
    signal: request.signal,
  }).catch((error: unknown) => {
    throw fileError(error, request.data);
  });
  const half = `${folder}.half`;
  try {
    if (existsSync(folder)) return folder;
    rmSync(half, { recursive: true, force: true });
    mkdirSync(half, { recursive: true });
    await withTask(request.report, "cloud-packages", "Python packages of the clouds", () =>
      install(half, python, request),
    );
    renameSync(half, folder);
    return folder;
  } finally {
    rmSync(half, { recursive: true, force: true });
    release();
  }
}

async function install(folder: string, python: PythonEnvironment, request: UvRequest): Promise<void> {
  const uv = await ensureUv(request);
  const interpreter = join(python.bin, "python");
  const pins = `${folder}.txt`;
  const logFile = `${folder}.log`;
  writeFileSync(pins, CLOUD_PINS);
  const more = ["--no-deps", "--only-binary", ":all:", "--target", folder, "-r", pins];
  const argv =
    uv === undefined
      ? [interpreter, "-m", "pip", "install", ...more]
      : [uv, "pip", "install", "--no-config", "--python", interpreter, ...more];
  const lines: string[] = [];
  const result = await runProcess({
    argv,
    cwd: folder,
    env: await installerVariables(request.variables, interpreter, request.signal),
    signal: request.signal,
    logFile,
    timeoutMs: TIMEOUT_MS,
    onLine: (line) => lines.push(line),
  });
  rmSync(pins, { force: true });
  if (result.timedOut)
    throw outsideError("python.timeout", "the Python packages of the clouds took too long to install", logFile);
  if (result.status !== 0)
    throw installError("the Python packages of the clouds", lines.slice(-200).join("\n"), logFile);
}
