// What a rollback of a large model costs beyond reading its bytes. `node bench/rollback.mjs` prints its own row.
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import * as http from "node:http";
import { join } from "node:path";
import { bundled, median, printWhenMain, root, timed } from "./measure.mjs";

const BYTES = Number(process.env.BENCH_MODEL_BYTES ?? 1 << 30);
const RUNS = 3;
/** Start of the program, requests, ledger: what does not grow with the model. */
const FIXED_MS = 2000;

/** One row `{ what, ms, peer, peerMs, limit }`: the command, less its fixed part, against hashing the bytes through the server. */
export async function rollbackRows() {
  const folder = mkdtempSync(join(root, ".tools", "bench-rollback-"));
  try {
    const { startMlflowServer, makeLine } = await bundled(
      folder,
      'export { startMlflowServer } from "./test/support/mlflow-server.ts"; export { makeLine } from "./test/support/small-line.ts";',
    );
    const server = await startMlflowServer();
    try {
      return [await measure(server, makeLine)];
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(server, makeLine) {
  const line = makeLine(server);
  const big = await bigModel(server.uri, line);
  const compared = { champion: "first release" };
  await release(line, big, compared);
  const small = await line.train("small");
  const champion = { environment: "prod", version: "1", digest: big.digest, commit: line.commit() };
  await release(line, small, { champion });
  const path = await artifactPath(server.uri, `prod.${line.model}`);
  const times = { mine: [], peer: [] };
  for (let i = 0; i < RUNS; i++) {
    times.peer.push(await timed(() => hashThroughServer(server.uri, `${path}/weights.bin`)));
    times.mine.push(await timed(() => good(line.rollback("prod"))));
    if (i + 1 === RUNS) break;
    // What was rolled back takes a new approval.
    await good(line.approve("2", "prod"));
    await good(line.release("2", "prod"));
  }
  line.remove();
  return {
    what: `rollback to a model of ${Math.round(BYTES / 2 ** 20)} MiB, less ${FIXED_MS / 1000} s`,
    ms: Math.max(0, median(times.mine) - FIXED_MS),
    peer: "hashing it through the server",
    peerMs: median(times.peer),
    limit: 1.5,
  };
}

async function release(line, run, facts) {
  await line.check(run, { facts });
  const number = String((await good(line.register())).data.version);
  await good(line.promote(number, "test"));
  await good(line.approve(number, "prod"));
  await good(line.promote(number, "prod"));
  await good(line.release(number, "prod"));
}

async function good(answer) {
  const given = await answer;
  if (given.status !== 0) throw new Error(`exit ${given.status}: ${given.against.join("; ")} ${given.ran.stderr}`);
  return given;
}

/** A run whose logged model has one large file of random-looking bytes, written without holding it in memory. */
async function bigModel(uri, line) {
  const small = await line.train("to be replaced");
  const logged = await get(`${uri}/api/2.0/mlflow/logged-models/${small.loggedModel}`);
  const place = logged.model.info.artifact_uri.replace("mlflow-artifacts:/", "");
  const block = createHash("sha512").update("block").digest();
  const megabyte = Buffer.concat(Array.from({ length: (1 << 20) / block.length }, () => block));
  const hash = createHash("sha256");
  await new Promise((resolve, reject) => {
    const request = http.request(
      `${uri}/api/2.0/mlflow-artifacts/artifacts${slash(place)}/weights.bin`,
      { method: "PUT", headers: { "content-length": String(BYTES) } },
      (reply) =>
        reply
          .resume()
          .on("end", () => (reply.statusCode === 200 ? resolve() : reject(new Error(String(reply.statusCode))))),
    );
    request.on("error", reject);
    let left = BYTES;
    const more = () => {
      while (left > 0) {
        const part = megabyte.subarray(0, Math.min(left, megabyte.length));
        hash.update(part);
        left -= part.length;
        if (!request.write(part)) return void request.once("drain", more);
      }
      request.end();
    };
    more();
  });
  const lines = [...small.manifest.trimEnd().split("\n"), `${hash.digest("hex")}  weights.bin`];
  const manifest = `${lines.sort((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1)).join("\n")}\n`;
  return { ...small, manifest, digest: createHash("sha256").update(manifest).digest("hex") };
}

async function artifactPath(uri, name) {
  const { artifact_uri: at } = await get(
    `${uri}/api/2.0/mlflow/model-versions/get-download-uri?name=${name}&version=1`,
  );
  return slash(at.replace("mlflow-artifacts:/", ""));
}

function slash(path) {
  return `/${path.replace(/^\/+/, "")}`;
}

function hashThroughServer(uri, path) {
  return new Promise((resolve, reject) => {
    http
      .get(`${uri}/api/2.0/mlflow-artifacts/artifacts${path}`, (reply) => {
        const hash = createHash("sha256");
        let bytes = 0;
        reply.on("data", (chunk) => {
          hash.update(chunk);
          bytes += chunk.length;
        });
        reply.on("end", () => (bytes === BYTES ? resolve(hash.digest("hex")) : reject(new Error(`${bytes} bytes`))));
      })
      .on("error", reject);
  });
}

async function get(url) {
  const reply = await fetch(url);
  if (!reply.ok) throw new Error(`${reply.status} ${url}`);
  return reply.json();
}

await printWhenMain(import.meta.url, rollbackRows);
