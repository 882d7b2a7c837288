import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { acquireLock } from "../../../src/lib/lock.ts";
import { processVariables } from "../mlflow-server.ts";
import { toolsFolder } from "../paths.ts";
import { judges } from "../uv.ts";

/** Pinned together: the artifact of Delta carries the version of Spark that it is made for. */
const PYSPARK = "4.1.1";
const DELTA = "4.3.1";
const JARS = [`delta-spark_4.1_2.13-${DELTA}.jar`, `delta-storage-${DELTA}.jar`];
const jarFolder = join(toolsFolder, `delta-${DELTA}`);

/** Half a gigabyte, built from its source package; many times slower on a busy machine. */
export const INSTALL_MS = 900_000;

export interface SparkParts {
  python: string;
  /** Joined by `:`. */
  jars: string;
}

/**
 * Why no Spark server can run on this machine; undefined when it can. For `describe.skipIf`: a laptop without Java is told so
 * loudly, CI fails.
 */
export function sparkMissing(): string | undefined {
  const lacks = [
    ...(runs("java", ["-version"]) ? [] : ["Java 17 (java on PATH)"]),
    ...(runs("openssl", ["version"]) ? [] : ["openssl on PATH"]),
    ...(haveJars() || runs("mvn", ["--version"]) ? [] : ["Maven (mvn on PATH), which fetches the jars of Delta"]),
  ];
  if (lacks.length === 0) return undefined;
  const text = `no test against Spark with Delta can run here: ${lacks.join(", ")}`;
  if (process.env.CI) throw new Error(text);
  process.stderr.write(`\n!!! SKIPPED: ${text}\n\n`);
  return text;
}

/** Spark and Delta, installed once into the tools folder. */
export async function sparkParts(): Promise<SparkParts> {
  const release = await acquireLock({
    path: join(toolsFolder, "spark.lock"),
    what: "the installation of Spark",
    waitMs: INSTALL_MS,
  });
  try {
    if (!haveJars()) fetchJars();
    const bin = await judges(`spark-${PYSPARK}`, [`pyspark==${PYSPARK}`], processVariables(), INSTALL_MS);
    return { python: join(bin, "python"), jars: JARS.map((name) => join(jarFolder, name)).join(":") };
  } finally {
    release();
  }
}

function haveJars(): boolean {
  return JARS.every((name) => existsSync(join(jarFolder, name)));
}

function fetchJars(): void {
  mkdirSync(jarFolder, { recursive: true });
  for (const name of ["delta-spark_4.1_2.13", "delta-storage"]) {
    const argv = [
      "-q",
      "-B",
      "dependency:copy",
      `-Dartifact=io.delta:${name}:${DELTA}`,
      `-DoutputDirectory=${jarFolder}`,
    ];
    // In a folder without a pom.xml.
    const { status, stdout, stderr } = spawnSync("mvn", argv, { cwd: jarFolder, encoding: "utf8", timeout: 240_000 });
    if (status !== 0) throw new Error(`mvn ${argv.join(" ")}: ${stdout}${stderr}`.slice(0, 3000));
  }
}

function runs(program: string, argv: string[]): boolean {
  return spawnSync(program, argv, { stdio: "ignore", timeout: 60_000 }).status === 0;
}
