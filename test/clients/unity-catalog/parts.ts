import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { openWorkspace } from "../../../src/clients/databricks/open-workspace.ts";
import type { Workspace } from "../../../src/clients/databricks/workspace.ts";
import { openUnityObjects, openUnityRegistry, type UnityPlace } from "../../../src/clients/unity-catalog/open-unity.ts";
import type { ObjectStore } from "../../../src/evidence/object-store.ts";
import type { TaskEvent } from "../../../src/lib/progress.ts";
import { type FetchedModel, manifestOfFolder } from "../../../src/registry/model-files.ts";
import { type ModelRegistry, VERSION_TAGS } from "../../../src/registry/registry.ts";
import { type FakeWorkspace, startWorkspace, type WorkspaceOptions } from "../../fakes/workspace/server.ts";
import type { GrantOptions } from "../../fakes/workspace/unity/settle.ts";
import { processVariables, quickPython } from "../../support/mlflow-server.ts";
import { toolsFolder } from "../../support/paths.ts";

export const MODEL = "acme_test.claims.triage";

/** A workspace with the catalog acme_test, and what factory makes of it as the principal `factory-test`. */
export interface Unity {
  fake: FakeWorkspace;
  workspace: Workspace;
  registry: ModelRegistry;
  objects: ObjectStore;
  folder: string;
  /** A second process' view, with its own memory of what it asked. */
  again(as?: string): { registry: ModelRegistry; objects: ObjectStore; workspace: Workspace };
  /** Bytes of a model in a folder of their own; another text, another digest. */
  model(text: string, more?: Record<string, string>): Promise<FetchedModel & { folder: string }>;
  events: TaskEvent[];
  stop(): Promise<void>;
}

export const GRANTS: readonly GrantOptions[] = [
  { on: "catalog acme_test", to: "factory-test", privileges: ["USE_CATALOG"] },
  { on: "schema acme_test.claims", to: "factory-test", privileges: ["USE_SCHEMA", "CREATE_MODEL"] },
  { on: "volume acme_test.claims.factory_evidence", to: "factory-test", privileges: ["READ_VOLUME", "WRITE_VOLUME"] },
];

/** `ownPython`: factory's managed environment as it is, and not one that answers at once. */
export async function unity({
  ownPython = false,
  ...options
}: Partial<WorkspaceOptions> & { ownPython?: boolean } = {}): Promise<Unity> {
  const fake = await startWorkspace({
    principals: [{ name: "factory-test" }, { name: "reader@example.com" }],
    catalogs: [{ name: "acme_test", schemas: [{ name: "claims", volumes: ["factory_evidence"] }] }],
    grants: GRANTS,
    ...options,
  });
  const folder = mkdtempSync(join(tmpdir(), "factory-unity-"));
  const places = { config: join(folder, "config"), cache: join(folder, "cache") };
  const events: TaskEvent[] = [];
  const open = async (as: string) => {
    const home = join(folder, `home-${as}`);
    mkdirSync(home, { recursive: true });
    const { token } = fake.identity(as);
    writeFileSync(join(home, ".databrickscfg"), `[unity]\nhost = ${fake.url}\ntoken = ${token}\n`, { mode: 0o600 });
    return openWorkspace({ profile: "unity" }, { variables: { HOME: home }, home, places, version: "0.0.0" });
  };
  const place: UnityPlace = { catalog: "acme_test", volume: undefined };
  const signal = new AbortController().signal;
  const data = join(ownPython ? join(toolsFolder, "data") : await quickPython(), "factory");
  const parts = (workspace: Workspace) => ({
    workspace,
    registry: openUnityRegistry(place, { workspace, data, cache: places.cache, variables: processVariables(), signal }),
    objects: openUnityObjects(place, workspace, "claims.triage"),
  });
  const workspaces = new Map<string, Workspace>();
  for (const name of ["factory-test", "reader@example.com", ...(options.principals ?? []).map((each) => each.name)])
    workspaces.set(name, await open(name));
  const as = (name: string): Workspace => {
    const found = workspaces.get(name);
    if (found === undefined) throw new Error(`no ${name}`);
    return found;
  };
  let made = 0;
  return {
    fake,
    folder,
    events,
    ...parts(as("factory-test")),
    again: (name = "factory-test") => parts(as(name)),
    async model(text, more = {}) {
      const target = join(folder, `model-${++made}`);
      for (const [path, content] of Object.entries({ ...modelFiles(text), ...more })) {
        mkdirSync(dirname(join(target, path)), { recursive: true });
        writeFileSync(join(target, path), content);
      }
      return { ...(await manifestOfFolder(target)), folder: target };
    },
    async stop() {
      await fake.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A request for a version with these bytes. */
export function wanted(model: FetchedModel & { folder: string }, more: { above?: number; name?: string } = {}) {
  return {
    model: more.name ?? MODEL,
    above: more.above ?? 0,
    environment: "test",
    folder: model.folder,
    files: model.files,
    tags: {
      [VERSION_TAGS.digest]: model.digest,
      [VERSION_TAGS.evidence]: "e".repeat(64),
      [VERSION_TAGS.commit]: "c0ffee",
    },
  };
}

const columns = (name: string) => JSON.stringify([{ type: "double", name, required: true }]);

function modelFiles(text: string): Record<string, string> {
  return {
    MLmodel: [
      "artifact_path: model",
      "flavors:",
      "  python_function:",
      "    loader_module: nothing",
      `signature:`,
      `  inputs: '${columns("amount")}'`,
      `  outputs: '${columns("score")}'`,
      "",
    ].join("\n"),
    "data/model.bin": text,
    "odd name, 100%.txt": `beside ${text}`,
  };
}
