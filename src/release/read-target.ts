import type { RollbackTarget } from "../ledger/entry.ts";
import type { Report } from "../lib/progress.ts";
import { digestModel } from "../registry/model-files.ts";
import { type ModelRegistry, VERSION_TAGS } from "../registry/registry.ts";
import type { SeenBytes } from "../rules/facts.ts";

/** A rollback target as the registry has it, every byte read where bytes can change; undefined when there is none, or it or its bytes are gone. */
export async function readTarget(
  to: RollbackTarget | undefined,
  name: string,
  registry: ModelRegistry,
  report: Report,
): Promise<(SeenBytes & { createdAt: number }) | undefined> {
  if (to === undefined || to === "none") return undefined;
  const version = await registry.version(name, to.version);
  if (version === undefined) return undefined;
  const { createdAt } = version;
  if (registry.bytesAreFixed) return { createdAt, digest: version.tags[VERSION_TAGS.digest] ?? "", how: "recorded" };
  const source = registry.filesOf(version);
  if ((await source.files()).length === 0) return undefined;
  const { digest } = await digestModel(source, report);
  return { createdAt, digest, how: "read" };
}
