// `npm run bench`: what the program costs, as ratios against the least that could be done. Interleaved runs, medians.
import { spawnSync } from "node:child_process";
import { createHash, randomFillSync } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { aliasRows } from "./alias-move.mjs";
import { ledgerRows } from "./ledger.mjs";
import { median } from "./measure.mjs";
import { rollbackRows } from "./rollback.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const program = join(root, "dist/main.js");
const RUNS = Number(process.env.BENCH_RUNS ?? 25);
const GIB = 1 << 30;
const folder = mkdtempSync(join(tmpdir(), "factory-bench-"));
const rows = [];

try {
  startUp();
  makeProject();
  await hashing();
  for (const each of [...(await ledgerRows()), ...(await aliasRows()), ...(await rollbackRows())])
    row(each.what, each.ms, each.peer, each.peerMs, each.limit);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
print();

function startUp() {
  const calls = {
    base: ["-e", "0"],
    version: [program, "--version"],
    help: [program, "--help"],
    command: [program, "locl"],
    flag: [program, "new", "--nope"],
  };
  const times = interleave(
    RUNS,
    Object.fromEntries(Object.entries(calls).map(([name, args]) => [name, () => node(args)])),
  );
  row("factory --version", times.version, "node -e 0", times.base, 1.2);
  row("factory --help", times.help, "node -e 0", times.base, 1.35);
  row("usage error: unknown command", times.command, "node -e 0", times.base, 1.35);
  row("usage error: unknown flag", times.flag, "node -e 0", times.base, 1.35);
}

function makeProject() {
  const project = join(folder, "proj");
  const copy = join(folder, "copy");
  const clear = () => {
    for (const path of [project, copy]) rmSync(path, { recursive: true, force: true });
  };
  const times = { made: [], base: [] };
  for (let i = 0; i < RUNS; i++) {
    clear();
    times.made.push(time(() => node([program, "new", "proj", "--yes", "--no-git", "--quiet"], 0)));
    times.base.push(
      time(() => node(["-e", "0"])) + time(() => spawnSync("cp", ["-r", project, copy], { stdio: "ignore" })),
    );
  }
  row("factory new, no git", median(times.made), "node -e 0 and cp -r of the result", median(times.base), 2);
}

async function hashing() {
  const out = join(folder, "hash.mjs");
  await build({
    entryPoints: [join(root, "src/lib/hash.ts")],
    bundle: true,
    platform: "node",
    format: "esm",
    outfile: out,
  });
  const { sha256File } = await import(pathToFileURL(out).href);
  const block = Buffer.alloc(1 << 20);
  randomFillSync(block);
  const path = join(folder, "gib");
  const fd = openSync(path, "w");
  for (let at = 0; at < GIB; at += block.length) writeSync(fd, block);
  closeSync(fd);
  const times = { file: [], memory: [] };
  let digests;
  for (let i = 0; i < 5; i++) {
    const started = performance.now();
    const file = await sha256File(path);
    times.file.push(performance.now() - started);
    let memory;
    times.memory.push(
      time(() => {
        const hash = createHash("sha256");
        for (let at = 0; at < GIB; at += block.length) hash.update(block);
        memory = hash.digest("hex");
      }),
    );
    digests = [file, memory];
  }
  if (digests[0] !== digests[1]) throw new Error("the digests differ");
  row("SHA-256 of a 1 GiB file", median(times.file), "hashing 1 GiB of memory", median(times.memory), 1.05);
}

function node(args, expected) {
  const { status } = spawnSync(process.execPath, args, { cwd: folder, stdio: "ignore" });
  if (status === null || (expected !== undefined && status !== expected))
    throw new Error(`exit ${status}: ${args.join(" ")}`);
}

function time(run) {
  const started = performance.now();
  run();
  return performance.now() - started;
}

/** Median milliseconds of each, run in turn so that a busy moment hits all alike. */
function interleave(runs, calls) {
  const times = Object.fromEntries(Object.keys(calls).map((name) => [name, []]));
  for (let i = 0; i < runs; i++) for (const [name, call] of Object.entries(calls)) times[name].push(time(call));
  return Object.fromEntries(Object.entries(times).map(([name, list]) => [name, median(list)]));
}

function row(what, ms, peer, peerMs, limit) {
  rows.push({ what, ms, peer, peerMs, ratio: ms / peerMs, limit });
}

function print() {
  const lines = [
    "| what | ms | against | ms | ratio | limit | |",
    "| --- | ---: | --- | ---: | ---: | ---: | --- |",
    ...rows.map(
      (r) =>
        `| ${r.what} | ${r.ms.toFixed(0)} | ${r.peer} | ${r.peerMs.toFixed(0)} | ${r.ratio.toFixed(2)} | ${r.limit} | ${r.ratio <= r.limit ? "✔" : "✖"} |`,
    ),
  ];
  const machine = `Node ${process.versions.node}, ${process.platform} ${process.arch}, ${availableParallelism()} cores; medians of ${RUNS} interleaved runs (hashing: 5)`;
  process.stdout.write(`${lines.join("\n")}\n\n${machine}\n`);
  if (process.argv.includes("--write")) {
    const readme = join(root, "bench/README.md");
    const date = new Date().toISOString().slice(0, 10);
    const [head] = readFileSync(readme, "utf8").split("## Last run");
    writeFileSync(readme, `${head}## Last run\n\n${date}, ${machine}.\n\n${lines.join("\n")}\n`);
  }
  if (rows.some((r) => r.ratio > r.limit)) process.exitCode = 1;
}
