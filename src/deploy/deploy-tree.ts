import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "../lib/hash.ts";
import { type Report, withTask } from "../lib/progress.ts";
import { outcomeOf } from "../rules/decide.ts";
import { assemble } from "./assemble.ts";
import type { BundleCli } from "./bundle-cli.ts";
import { type JudgedMaterial, judgeMaterial } from "./judge-material.ts";
import { filesDigest, type Material } from "./material.ts";
import { treeFiles } from "./working-tree.ts";

export interface TreeWorld {
  cli: BundleCli;
  /** Builds the project's wheel; runs project code. */
  buildWheel(): Promise<{ name: string; content: Uint8Array | string }>;
  /** An empty folder of this command. */
  workFolder: string;
  report: Report;
}

export interface TreeDeployment {
  kind: "refused" | "planned" | "deployed";
  judged: JudgedMaterial;
  /** SHA-256 of the manifest of what was deployed. */
  filesDigest: string | undefined;
}

/** Stands for the wheel while nothing is built: any pattern that would take a wheel takes it. */
const UNBUILT = "project-0-py3-none-any.whl";

/**
 * Deploys what one is working on, to the first environment only: nothing was checked, nobody decides, and the ledger is not told.
 * The bundle is looked at first, so that no wheel is built for one that would not deploy.
 */
export async function deployTree(
  folder: string,
  target: string,
  code: { commit: string; dirty: boolean } | undefined,
  world: TreeWorld,
  dryRun: boolean,
): Promise<TreeDeployment> {
  const files = await treeFiles(folder);
  // The job says itself what it was made from: training on it asks for that.
  const commit = code === undefined ? "none" : code.dirty ? `${code.commit}-dirty` : code.commit;
  const ask = {
    target,
    isFirst: true,
    host: world.cli.host,
    known: { model_version: "none", commit },
  };
  const unbuilt = { path: UNBUILT, sha256: sha256(""), bytes: new Uint8Array() };
  const judged = judgeMaterial({ files, wheel: unbuilt }, ask);
  // The name of the wheel is not known yet: only once it is built can be told whether the bundle asks for it.
  const early = judged.verdicts.filter((each) => each.rule !== "wheel");
  if (outcomeOf(early) !== "yes")
    return { kind: "refused", judged: { ...judged, verdicts: early }, filesDigest: undefined };
  if (dryRun) return { kind: "planned", judged: { ...judged, verdicts: early }, filesDigest: undefined };
  const { name, content } = await withTask(world.report, "deploy.wheel", "building the wheel", () =>
    world.buildWheel(),
  );
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  const material: Material = { files, wheel: { path: name, sha256: sha256(bytes), bytes } };
  const whole = judgeMaterial(material, ask);
  if (outcomeOf(whole.verdicts) !== "yes") return { kind: "refused", judged: whole, filesDigest: undefined };
  const place = join(world.workFolder, "bundle");
  mkdirSync(place, { mode: 0o700 });
  assemble(material, whole.wheelPaths, place);
  const run = { folder: place, target, variables: whole.variables };
  await withTask(world.report, "deploy.validate", "the workspace looks at the bundle", () => world.cli.validate(run));
  await withTask(world.report, "deploy.deploy", `deploying to ${world.cli.host}`, () => world.cli.deploy(run));
  const wheels = whole.wheelPaths.map((path) => ({ path, sha256: material.wheel.sha256 }));
  return { kind: "deployed", judged: whole, filesDigest: filesDigest([...files, ...wheels]) };
}
