import { EXIT, FactoryError } from "../lib/error.ts";
import type { RegistryPicture } from "../line/registry-differences.ts";
import type { Environment } from "../policy/policy.ts";
import { type ModelRegistry, registeredName } from "../registry/registry.ts";

/** What one environment's registry answered, or why it did not. */
export type Look = { environment: Environment; name: string } & (
  | { answered: true; place: string; registry: ModelRegistry; picture: RegistryPicture }
  | { answered: false; why: string; fix: string | undefined }
);

/** Asks every registry once for the model, its aliases and its versions, all at the same time. One that fails is an answer too. */
export async function lookAtRegistries(
  environments: readonly Environment[],
  model: string,
  registryOf: (environment: Environment) => Promise<ModelRegistry>,
): Promise<Look[]> {
  return Promise.all(
    environments.map(async (environment, i): Promise<Look> => {
      const name = registeredName(environment.catalog, model);
      try {
        const registry = await registryOf(environment);
        const [found, versions] = await Promise.all([registry.model(name), registry.versions(name)]);
        const picture = { environment: environment.name, isFirst: i === 0, model: found, versions };
        return { environment, name, answered: true, place: registry.place, registry, picture };
      } catch (error) {
        if (!(error instanceof FactoryError) || error.exit === EXIT.interrupted) throw error;
        return { environment, name, answered: false, why: error.message, fix: error.hint };
      }
    }),
  );
}
