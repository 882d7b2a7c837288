import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { bundleParts } from "../bundle/parts.ts";
import { readBundleFiles } from "../bundle/read-bundle.ts";
import { isPlainPath, plainName } from "../evidence/evidence-index.ts";
import type { Attachment } from "../evidence/seal.ts";
import { lastLines } from "../gates/command-gate.ts";
import type { GateResult } from "../gates/gate.ts";
import { readPlainFile } from "../gates/plain-file.ts";
import { FactoryError } from "../lib/error.ts";
import { runProcess } from "../lib/run-process.ts";

const MAX_ATTACHMENT_BYTES = 64 << 20;

/** What the evidence carries besides its statements: reports of the gates, factory.yaml, contracts, model card, bundle files, manifest. */
export function collectAttachments(
  folder: string,
  projectText: string,
  manifest: string,
  contracts: readonly { path: string; content: Uint8Array }[],
  gates: readonly GateResult[],
): Attachment[] {
  const files = (kind: Attachment["kind"], paths: readonly string[]): Attachment[] =>
    paths.map((path) => ({
      kind,
      name: plainName(path),
      content: readPlainFile(join(folder, path), MAX_ATTACHMENT_BYTES, path),
    }));
  return [
    { kind: "project", name: "factory.yaml", content: projectText },
    { kind: "model", name: "manifest.sha256", content: manifest },
    ...contracts.map(({ path, content }): Attachment => ({ kind: "contract", name: plainName(path), content })),
    ...files("model-card", existsSync(join(folder, "docs/model-card.md")) ? ["docs/model-card.md"] : []),
    ...files("bundle", bundleParts(readBundleFiles(folder))),
    ...gates.flatMap(({ gate, files: left }) =>
      // Logs are not among them: they may hold anything that the project printed.
      left.map(
        (file): Attachment => ({
          kind: kindOf(file.name),
          name: file.name.replaceAll("/", "-"),
          content: file.content,
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

/** A local version such as 0.1.0+abc has a character that evidence does not hold; the ending stays. */
function wheelName(name: string): string {
  return isPlainPath(name) ? name : `${plainName(name.replace(/\.whl$/, ""))}.whl`;
}

/** Builds the project's wheel into a fresh folder, as the code package that the evidence names. Runs project code. */
export async function buildWheel(
  folder: string,
  work: string,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Attachment> {
  mkdirSync(work, { recursive: true });
  // setuptools builds in `build/` of the project, and takes into the wheel whatever an earlier build, or a hand, left there.
  const settings = join(work, "setuptools.cfg");
  writeFileSync(settings, `[build]\nbuild_base = ${join(work, "build")}\n`);
  const result = await runProcess({
    argv: ["uv", "build", "--wheel", "--out-dir", work],
    cwd: folder,
    env: { ...env, DIST_EXTRA_CONFIG: settings },
    signal,
    timeoutMs: 300_000,
    logFile: join(work, "build.log"),
  });
  const wheels = existsSync(work) ? readdirSync(work).filter((name) => name.endsWith(".whl")) : [];
  const [wheel] = wheels;
  if (result.status !== 0 || wheel === undefined || wheels.length !== 1) {
    throw new FactoryError("check.wheel", 4, "the wheel of the project could not be built", {
      problems: [
        { message: lastLines(join(work, "build.log"), 6) || `uv build ended with ${result.status ?? "a signal"}` },
      ],
      hint: "by hand: uv build --wheel",
    });
  }
  return {
    kind: "wheel",
    name: wheelName(basename(wheel)),
    content: readPlainFile(join(work, wheel), MAX_ATTACHMENT_BYTES, wheel),
  };
}
