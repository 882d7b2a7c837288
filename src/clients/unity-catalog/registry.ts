import { changedError } from "../../lib/error.ts";
import { isLoopback } from "../../lib/loopback.ts";
import { inParallel } from "../../lib/parallel.ts";
import type { ModelRegistry, RegisteredModel } from "../../registry/registry.ts";
import { type Grant, missingGrants, withGrants } from "../databricks/grants.ts";
import { accept } from "../databricks/replies.ts";
import { createVersion, toMakeModel, toMakeVersion } from "./create-version.ts";
import { deploymentApprovals } from "./deployment-approvals.ts";
import { finished } from "./earlier-version.ts";
import { modelBytes } from "./model-bytes.ts";
import { findAlias, findModel, makeModel, removeAlias, setAlias } from "./models.ts";
import type { PythonWorld } from "./python.ts";
import { enabled, nothing } from "./schemas.ts";
import { keptTags } from "./tags.ts";
import { deleteVersion, findVersion, listVersions, plainName, REGISTRY, withTags } from "./versions.ts";

const AT_ONCE = 4;

/** The models of one environment in Unity Catalog. `volumeOf`: where it keeps the evidence of a model, for the rights that it takes. */
export function unityRegistry(world: PythonWorld, volumeOf: (model: string) => string): ModelRegistry {
  const { workspace } = world;
  const reading = <T>(model: string, work: () => Promise<T>) =>
    withGrants(workspace, [["EXECUTE", "FUNCTION", plainName(model)]], work);
  const changing = <T>(model: string, work: () => Promise<T>) =>
    withGrants(workspace, [["MANAGE", "FUNCTION", plainName(model)]], work);
  type Tags = Readonly<Record<string, string>>;
  const setTags = async (call: string, what: { name: string; version?: string }, tags: Tags) => {
    await inParallel(Object.entries(keptTags(tags)), AT_ONCE, ([key, value]) =>
      withGrants(workspace, [["APPLY TAG", "FUNCTION", plainName(what.name)]], () =>
        workspace.demand(
          { method: "POST", path: `${REGISTRY}/${call}`, json: { ...what, key, value }, idempotent: true },
          nothing,
        ),
      ),
    );
  };
  let asked: Promise<boolean> | undefined;
  /** Whether bytes of models go through the Files API here. Asked once: it is a setting of the workspace. */
  const files = (): Promise<boolean> => {
    const path = `${REGISTRY}/registered-models:is-databricks-sdk-models-artifact-repository-enabled`;
    asked ??= workspace.attempt({ method: "GET", path }).then(({ request, reply }) => {
      // A workspace that does not know the question has the bytes in the storage of a cloud.
      if (reply.status === 404 || reply.status === 501) return false;
      return accept(request, reply, enabled, workspace.label).is_databricks_sdk_models_artifact_repository_enabled;
    });
    return asked;
  };
  /** Who asks while the same is being asked gets the same answer. */
  const under = new Map<string, Promise<RegisteredModel | undefined>>();
  const model = (name: string, there = false): Promise<RegisteredModel | undefined> => {
    const asking = () => reading(name, () => findModel(workspace, name, there));
    const answer = under.get(name) ?? asking().finally(() => under.delete(name));
    under.set(name, answer);
    return answer;
  };
  const version = (name: string, number: string) =>
    reading(name, async () => {
      const found = await findVersion(workspace, plainName(name), number);
      return found?.ready === true ? finished(found) : undefined;
    });
  return {
    place: workspace.label,
    local: isLoopback(new URL(workspace.host).hostname),
    bytesAreFixed: true,
    deployments: deploymentApprovals(workspace, world.signal),
    async versionByAlias(name, alias) {
      const number = await reading(name, () => findAlias(workspace, name, alias));
      const found = number === undefined ? undefined : await version(name, number);
      return found && { ...found, aliases: [alias] };
    },
    version,
    filesOf: (place) => modelBytes(world, files, place),
    model: (name, there) => model(name, there),
    async versions(name, tagsOf = () => true, known = undefined) {
      return reading(name, async () => {
        // Tags wait neither for aliases nor, of a version that is known to be there, for the list.
        const early = known === undefined ? undefined : findVersion(workspace, plainName(name), known);
        const tagged = async () => {
          const ready = (await listVersions(workspace, name)).filter((each) => each.ready);
          const wanted = ready.filter((each) => tagsOf(each.version));
          const [told, one] = await Promise.all([
            withTags(
              workspace,
              wanted.filter((each) => each.version !== known),
            ),
            early,
          ]);
          const first = one?.ready === true && wanted.some((each) => each.version === known) ? [one] : [];
          return [...first, ...told, ...ready.filter((each) => !wanted.includes(each))];
        };
        const [all, found] = await Promise.all([tagged(), model(name, known !== undefined), early]);
        const byAlias = Object.entries(found?.aliases ?? {});
        return all
          .map((each) => ({
            ...finished(each),
            aliases: byAlias.filter(([, number]) => number === each.version).map(([alias]) => alias),
          }))
          .sort((a, b) => Number(b.version) - Number(a.version));
      });
    },
    async ensureModel(name) {
      if ((await model(name)) === undefined)
        await withGrants(workspace, toMakeModel(name), () => makeModel(workspace, name));
    },
    async createFromRun({ runId, loggedModelId, ...request }, bytes) {
      if (bytes === undefined) throw new TypeError("Unity Catalog keeps bytes of its own: they have to be given");
      const { report, ...source } = bytes;
      const origin = { run: runId, loggedModel: loggedModelId };
      return createVersion(world, files, { ...request, ...source, origin }, report);
    },
    createFromFolder: (request, report) => createVersion(world, files, request, report),
    async removeVersion(name, number) {
      const found = await model(name);
      const [carried] = Object.entries(found?.aliases ?? {}).filter(([, at]) => at === number);
      if (carried !== undefined)
        throw changedError(
          "version.alias",
          `${name} v${number} carries the alias ${carried[0]} by now, so it is not removed`,
          "look at it with factory status",
        );
      await changing(name, () => deleteVersion(workspace, name, number));
    },
    setAlias: (name, alias, number) => changing(name, () => setAlias(workspace, name, alias, number)),
    removeAlias: (name, alias) => changing(name, () => removeAlias(workspace, name, alias)),
    setModelTags: (name, tags) => setTags("registered-models/set-tag", { name }, tags),
    setVersionTags: (name, number, tags) => setTags("model-versions/set-tag", { name, version: number }, tags),
    missingRights(name, there) {
      const evidence: Grant[] = [
        ["READ VOLUME", "VOLUME", volumeOf(name)],
        ["WRITE VOLUME", "VOLUME", volumeOf(name)],
      ];
      return missingGrants(workspace, [...(there ? toMakeVersion(name) : toMakeModel(name)), ...evidence]);
    },
    clock: () => workspace.clock(),
  };
}
