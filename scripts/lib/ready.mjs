// Makes a fresh clone ready: Node's version, dependencies, build. Built-ins only.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const MINIMUM = [20, 19];

/** Checks Node, installs dependencies when the lock file is newer than them, builds when a source is newer than the build. */
export function ready() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < MINIMUM[0] || (major === MINIMUM[0] && minor < MINIMUM[1])) {
    fail(`Node ${process.versions.node} is too old: factory needs ${MINIMUM.join(".")} or newer`);
  }
  install();
  build();
}

function install() {
  const lock = sha(readFileSync(join(root, "package-lock.json")));
  const stamp = join(root, "node_modules", ".factory-lock");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  step("installing dependencies", process.platform === "win32" ? "npm.cmd" : "npm", [
    "ci",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ]);
  writeFileSync(stamp, lock);
}

function build() {
  const sources = createHash("sha256");
  for (const folder of ["src", "scripts", "templates"])
    for (const file of filesOf(join(root, folder))) sources.update(`${file}\0`).update(readFileSync(file));
  sources.update(readFileSync(join(root, "package-lock.json")));
  const digest = sources.digest("hex");
  const stamp = join(root, "dist", ".sources");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === digest) return;
  step("building factory", process.execPath, [join(root, "scripts/build.mjs")]);
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, digest);
}

function filesOf(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

function step(what, program, args) {
  process.stderr.write(`  … ${what}\n`);
  const started = Date.now();
  const result = spawnSync(program, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" });
  if (result.status !== 0) {
    process.stderr.write(`${result.stdout ?? ""}${result.stderr ?? ""}`);
    fail(`${what} failed${result.error ? `: ${result.error.message}` : ""}`);
  }
  process.stderr.write(`  ✔ ${what}  ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
}

function sha(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

function fail(message) {
  process.stderr.write(`✖ ${message}\n`);
  process.exit(1);
}
