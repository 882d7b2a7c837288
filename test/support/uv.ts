import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { indexSettings, requirePython } from "../../src/clients/python.ts";
import { ensureUv } from "../../src/clients/uv.ts";
import { runProcess } from "../../src/lib/run-process.ts";
import type { Uv } from "../../src/training/project-environment.ts";
import { toolsFolder } from "./paths.ts";

/** uv as the program itself finds or installs it, with what pip knows of the package index on this machine. */
export async function testUv(variables: Record<string, string>): Promise<Uv> {
  const program = await ensureUv({
    data: join(toolsFolder, "data", "factory"),
    variables,
    report: () => {},
    signal: new AbortController().signal,
  });
  if (program === undefined) throw new Error("no uv, and none could be installed");
  return { program, settings: await indexSettings(variables, (await requirePython(variables)).path) };
}

/** Independent verifiers of signatures; exact pins, since a judge that changes by itself proves nothing. */
const SIGNATURE_JUDGES = ["cryptography==50.0.2", "securesystemslib==1.6.0"];

/** The bin folder of a Python environment with independent verifiers of signatures. */
export function signatureJudges(variables: Record<string, string>): Promise<string> {
  return judges("judges-crypto", SIGNATURE_JUDGES, variables);
}

/**
 * The bin folder of a Python environment with official packages that judge what factory makes. Pins are exact, since a
 * check that changes by itself proves nothing; each set of pins has an environment of its own.
 */
export async function judges(
  name: string,
  pins: readonly string[],
  variables: Record<string, string>,
  timeoutMs = 280_000,
): Promise<string> {
  const folder = join(toolsFolder, name);
  const stamp = join(folder, "pins");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === pins.join("\n")) return join(folder, "bin");
  const { program, settings } = await testUv(variables);
  mkdirSync(toolsFolder, { recursive: true });
  for (const argv of [
    [program, "venv", "--clear", "--no-python-downloads", folder],
    [program, "pip", "install", "--python", join(folder, "bin/python"), ...pins],
  ]) {
    const result = await runProcess({ argv, cwd: toolsFolder, env: { ...settings, ...variables }, timeoutMs });
    if (result.status !== 0) throw new Error(`${argv.join(" ")}: ${result.stderr}`);
  }
  writeFileSync(stamp, pins.join("\n"));
  return join(folder, "bin");
}
