import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { globSync } from "tinyglobby";
import type { Attachment } from "../evidence/seal.ts";
import type { GateResult } from "../gates/gate.ts";
import { FactoryError, outsideError } from "../lib/error.ts";
import { runProcess } from "../lib/run-process.ts";

const MAX_ATTACHMENT_BYTES = 64 << 20;

/** What the evidence carries besides its statements: reports of the gates, factory.yaml, contracts, model card, bundle files, manifest. */
export function collectAttachments(
  folder: string,
  projectText: string,
  manifest: string,
  contracts: readonly string[],
  gates: readonly GateResult[],
): Attachment[] {
  const files = (kind: Attachment["kind"], paths: readonly string[]): Attachment[] =>
    paths.map((path) => ({ kind, name: path, content: readPlain(join(folder, path)) }));
  return [
    { kind: "project", name: "factory.yaml", content: projectText },
    { kind: "model", name: "manifest.sha256", content: manifest },
    ...files("contract", contracts),
    ...files("model-card", existsSync(join(folder, "docs/model-card.md")) ? ["docs/model-card.md"] : []),
    ...files(
      "bundle",
      globSync(["databricks.yml", "resources/**/*.yml"], { cwd: folder, followSymbolicLinks: false }).sort(),
    ),
    ...gates.flatMap(({ gate, files: left }) =>
      left
        // A log may hold anything that the project printed: it stays here and is not evidence.
        .filter((file) => !file.name.endsWith(".log"))
        .map(
          (file): Attachment => ({
            kind: kindOf(file.name),
            name: file.name.replaceAll("/", "-"),
            content: readPlain(file.path),
            gate,
          }),
        ),
    ),
  ];
}

function kindOf(name: string): Attachment["kind"] {
  if (name.endsWith("junit.xml")) return "junit";
  return name.endsWith("metrics.json") ? "metrics" : "report";
}

function readPlain(path: string): Buffer {
  const stat = lstatSync(path);
  if (!stat.isFile() || stat.size > MAX_ATTACHMENT_BYTES)
    throw outsideError("evidence.file", `${path} is not a plain file of at most ${MAX_ATTACHMENT_BYTES >> 20} MiB`);
  return readFileSync(path);
}

/** Builds the project's wheel into a fresh folder, as the code package that the evidence names. Runs project code. */
export async function buildWheel(
  folder: string,
  work: string,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Attachment> {
  const result = await runProcess({
    argv: ["uv", "build", "--wheel", "--out-dir", work],
    cwd: folder,
    env,
    signal,
    timeoutMs: 300_000,
    logFile: join(work, "build.log"),
  });
  const wheels = existsSync(work) ? readdirSync(work).filter((name) => name.endsWith(".whl")) : [];
  const [wheel] = wheels;
  if (result.status !== 0 || wheel === undefined || wheels.length !== 1) {
    throw new FactoryError("check.wheel", 4, "the wheel of the project could not be built", {
      hint: `see ${join(work, "build.log")}; by hand: uv build --wheel`,
    });
  }
  return { kind: "wheel", name: basename(wheel), content: readPlain(join(work, wheel)) };
}
