// What moving an alias in Unity Catalog costs where every call takes 50 ms. `node bench/alias-move.mjs` prints its own row.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundled, median, printWhenMain, root, timed } from "./measure.mjs";

const ROUND_TRIP_MS = 50;
const RUNS = 9;
const MODEL = "acme_prod.claims.triage";
const MLFLOW = "/api/2.0/mlflow/unity-catalog";
const MODELS = "/api/2.1/unity-catalog/models";
const COLUMNS = '[{"type": "double", "name": "amount", "required": true}]';
const MLMODEL = `flavors:\n  python_function:\n    loader_module: none\nsignature:\n  inputs: '${COLUMNS}'\n  outputs: '${COLUMNS}'\n`;

/**
 * One row `{ what, ms, peer, peerMs, limit }`: what a rollback asks of the registry to move `champion` (model, target, alias, read back),
 * against four plain calls one after the other, to the stand-in for a workspace.
 */
export async function aliasRows() {
  const folder = mkdtempSync(join(root, ".tools", "bench-alias-"));
  try {
    const { startWorkspace, openWorkspace, openUnityRegistry, moveChampion } = await bundled(
      folder,
      `
        export { startWorkspace } from "./test/fakes/workspace/server.ts";
        export { openWorkspace } from "./src/clients/databricks/open-workspace.ts";
        export { openUnityRegistry } from "./src/clients/unity-catalog/open-unity.ts";
        export { moveChampion } from "./src/registry/move-champion.ts";`,
    );
    const fake = await startWorkspace({
      catalogs: [{ name: "acme_prod", schemas: [{ name: "claims", volumes: ["factory_evidence"] }] }],
      latencyMs: ROUND_TRIP_MS,
    });
    try {
      const { token } = fake.admin;
      await twoVersions(fake.url, token);
      const home = join(folder, "home");
      mkdirSync(home);
      writeFileSync(join(home, ".databrickscfg"), `[prod]\nhost = ${fake.url}\ntoken = ${token}\n`, { mode: 0o600 });
      const places = { config: join(home, "config"), cache: join(home, "cache") };
      const signal = new AbortController().signal;
      const workspace = await openWorkspace({ profile: "prod" }, { variables: {}, home, places, version: "0.0.0" });
      const world = { workspace, data: home, cache: places.cache, variables: {}, signal };
      const registry = openUnityRegistry({ catalog: "acme_prod", volume: undefined }, world);
      const times = { mine: [], peer: [] };
      for (let i = 0; i <= RUNS; i++) {
        const to = String(1 + (i % 2));
        const mine = await timed(async () => {
          await registry.model(MODEL, true);
          const target = await registry.version(MODEL, to);
          const read = await moveChampion(registry, MODEL, target?.version, "rollback", signal);
          if (read?.aliases.champion !== to) throw new Error("the alias did not move");
        });
        const peer = await timed(() => plainCalls(fake.url, token, String(2 - (i % 2))));
        // The first of each opens its connections.
        if (i > 0) {
          times.mine.push(mine);
          times.peer.push(peer);
        }
      }
      return [
        {
          what: `alias moved and read back at ${ROUND_TRIP_MS} ms`,
          ms: median(times.mine),
          peer: "four calls one after the other",
          peerMs: median(times.peer),
          limit: 1.5,
        },
      ];
    } finally {
      await fake.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function plainCalls(url, token, to) {
  const call = caller(url, token);
  await call("GET", `${MODELS}/${MODEL}`);
  await call("GET", `${MLFLOW}/model-versions/get?name=${MODEL}&version=${to}`);
  await call("PUT", `${MODELS}/${MODEL}/aliases/champion`, { version_num: Number(to) });
  await call("GET", `${MODELS}/${MODEL}/aliases/champion`);
}

async function twoVersions(url, token) {
  const call = caller(url, token);
  await call("POST", `${MLFLOW}/registered-models/create`, { name: MODEL });
  for (const version of ["1", "2"]) {
    await call("POST", `${MLFLOW}/model-versions/create`, { name: MODEL, source: "/somewhere" });
    const path = `/api/2.0/fs/files/Models/${MODEL.replaceAll(".", "/")}/${version}/MLmodel`;
    await call("PUT", `${path}?overwrite=true`, MLMODEL);
    await call("POST", `${MLFLOW}/model-versions/finalize`, { name: MODEL, version });
  }
}

function caller(url, token) {
  return async (method, path, body) => {
    const reply = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text}`);
  };
}

await printWhenMain(import.meta.url, aliasRows);
