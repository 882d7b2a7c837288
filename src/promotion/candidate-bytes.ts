import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Evidence, MANIFEST_PATH } from "../evidence/read-evidence.ts";
import { FactoryError } from "../lib/error.ts";
import type { LineWorld } from "../line/world.ts";
import { modelDigest } from "../registry/manifest.ts";
import { type FetchedModel, fetchModel } from "../registry/model-files.ts";
import { type ModelRegistry, type ModelVersion, VERSION_TAGS } from "../registry/registry.ts";
import { type Known, known, type SeenBytes, unknown } from "../rules/facts.ts";

/**
 * Where bytes are fixed: what was recorded of them, if the file MLmodel is that of the evidence. Number and creation time are compared
 * with the ledger's by a rule of their own.
 */
export function recordedBytes(version: ModelVersion | undefined, material: FetchedModel | undefined): Known<SeenBytes> {
  if (version === undefined) return unknown("there are no bytes to read");
  return known({ digest: (material && version.tags[VERSION_TAGS.digest]) ?? "none", how: "recorded" });
}

/**
 * Fetches the bytes once: they are digested on the way and uploaded from the same folder. Undefined: the version is not there.
 * Missing bytes are a refusal and not a failure: the server answered, and there is nothing.
 */
export async function bytesOf(
  registry: ModelRegistry,
  version: Pick<ModelVersion, "model" | "version">,
  folder: string,
  world: LineWorld,
): Promise<{ fact: Known<SeenBytes>; model: (FetchedModel & { folder: string }) | undefined } | undefined> {
  const source = registry.filesOf(version);
  try {
    const model = await fetchModel(source, folder, world.report);
    return { fact: known({ digest: model.digest, how: "read" }), model: { ...model, folder } };
  } catch (error) {
    if (!(error instanceof FactoryError)) throw error;
    if (error.code === "model.empty") return { fact: known({ digest: "none", how: "read" }), model: undefined };
    if (error.code === "version.missing") return undefined;
    throw error;
  }
}

/** Manifest and MLmodel of a version whose bytes are fixed; undefined when the evidence, or the file as the manifest has it, is not there. */
export async function recordedModel(
  registry: ModelRegistry,
  version: Pick<ModelVersion, "model" | "version">,
  evidence: Evidence | undefined,
  folder: string,
): Promise<(FetchedModel & { folder: string }) | undefined> {
  if (evidence === undefined) return undefined;
  const manifest = await readFile(join(evidence.folder, MANIFEST_PATH), "utf8").catch(() => undefined);
  if (manifest === undefined) return undefined;
  const { sha256 } = await registry.filesOf(version).fetch("MLmodel", join(folder, "MLmodel"));
  if (!manifest.split("\n").includes(`${sha256}  MLmodel`)) return undefined;
  return { manifest, digest: modelDigest(manifest), files: [], bytes: 0, folder };
}
