import { join } from "node:path";
import type { Champion } from "../gates/baseline.ts";
import { messageOf } from "../lib/error.ts";
import type { Report } from "../lib/progress.ts";
import type { Environment } from "../policy/policy.ts";
import { fetchModel } from "../registry/model-files.ts";
import { type ModelReader, registeredName, VERSION_TAGS } from "../registry/registry.ts";

/**
 * The champion of the last environment that has one, with its bytes in `folder`. Nothing released anywhere is a first release;
 * a registry that cannot be asked, or bytes that are gone or changed, make it unreadable, never a first release.
 */
export async function findChampion(
  environments: readonly Environment[],
  registryOf: (environment: Environment) => Promise<ModelReader>,
  modelName: string,
  folder: string,
  report: Report,
): Promise<Champion> {
  for (const environment of environments.toReversed()) {
    try {
      const registry = await registryOf(environment);
      const version = await registry.versionByAlias(registeredName(environment.catalog, modelName), "champion");
      if (version === undefined) continue;
      const fetched = await fetchModel(registry.filesOf(version), join(folder, environment.name), report);
      const registered = version.tags[VERSION_TAGS.digest]?.replace(/^sha256:/, "");
      if (registered === undefined) {
        return {
          kind: "unreadable",
          environment: environment.name,
          reason: `version ${version.version} carries no ${VERSION_TAGS.digest}: whether its bytes are those that were released cannot be told`,
        };
      }
      if (registered !== fetched.digest) {
        return {
          kind: "unreadable",
          environment: environment.name,
          reason: `its bytes are sha256:${fetched.digest.slice(0, 12)}…, but sha256:${registered.slice(0, 12)}… was registered: they were changed`,
        };
      }
      return {
        kind: "version",
        environment: environment.name,
        version: version.version,
        digest: fetched.digest,
        commit: version.tags[VERSION_TAGS.commit],
        folder: join(folder, environment.name),
      };
    } catch (error) {
      return { kind: "unreadable", environment: environment.name, reason: messageOf(error) };
    }
  }
  return { kind: "first-release" };
}
