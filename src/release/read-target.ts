import type { RollbackTarget } from "../ledger/entry.ts";
import type { Report } from "../lib/progress.ts";
import { digestModel } from "../registry/model-files.ts";
import { type ModelRegistry, VERSION_TAGS } from "../registry/registry.ts";

/** A rollback target as the registry has it, every byte read where bytes can change; undefined when there is none, or it or its bytes are gone. */
export async function readTarget(
  to: RollbackTarget | undefined,
  name: string,
  registry: ModelRegistry,
  report: Report,
): Promise<{ createdAt: number; digest: string } | undefined> {
  if (to === undefined || to === "none") return undefined;
  const version = await registry.version(name, to.version);
  if (version === undefined) return undefined;
  if (registry.bytesAreFixed) return { createdAt: version.createdAt, digest: version.tags[VERSION_TAGS.digest] ?? "" };
  const source = registry.filesOf(version);
  if ((await source.files()).length === 0) return undefined;
  const { digest } = await digestModel(source, report);
  return { createdAt: version.createdAt, digest };
}
