import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { PlacedVersion } from "../ledger/entry.ts";
import { FactoryError } from "../lib/error.ts";
import type { Gathered } from "../promotion/gather.ts";
import type { ModelRegistry } from "../registry/registry.ts";
import { signatureInputs } from "./mlmodel.ts";
import type { SignatureVerdict } from "./plan-release.ts";
import { compareSignatures, inputsOf } from "./signature.ts";
import type { ReleaseWorld } from "./world.ts";

/** There is nothing to read, whoever asks and how often. */
const GONE = ["version.missing", "artifact.missing"];

/**
 * What the version that is to serve takes, beside what the one that serves now (`champion`, by the ledger) does, which would be its rollback
 * target. One that is gone holds up no release, since a good version must be able to take its place; that is said.
 */
export async function readSignatures(
  { model, name }: Pick<Gathered, "model" | "name">,
  champion: PlacedVersion | undefined,
  registry: Pick<ModelRegistry, "version" | "filesOf">,
  { workFolder, report }: Pick<ReleaseWorld, "workFolder" | "report">,
): Promise<SignatureVerdict> {
  if (champion === undefined || model === undefined) return "not stated";
  const old = join(workFolder, "champion-MLmodel");
  const serving = await registry.version(name, champion.version);
  const isThere = serving !== undefined && (await fetched(registry.filesOf(serving).fetch("MLmodel", old)));
  if (!isThere) {
    const what = serving === undefined ? "is not in the registry any more" : "has no bytes any more";
    const text = `v${champion.version}, which serves now, ${what}: no rollback can go back to it`;
    report({ type: "note", tone: "warning", text });
    return "not stated";
  }
  const inputs = async (path: string) => inputsOf(signatureInputs(await readFile(path, "utf8")));
  return compareSignatures(await inputs(join(model.folder, "MLmodel")), await inputs(old));
}

async function fetched(fetching: Promise<unknown>): Promise<boolean> {
  try {
    await fetching;
    return true;
  } catch (error) {
    if (error instanceof FactoryError && GONE.includes(error.code)) return false;
    throw error;
  }
}
