import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { errnoOf } from "../../src/lib/error.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { toolsFolder } from "./paths.ts";

/** uv's cache of all suites, so that the same wheels are not fetched per home. It is the tests' own: they add to it. */
export const uvCache = join(toolsFolder, "uv-cache");

/**
 * Puts the bytecode that Python made in the environments of the projects below a folder beside its sources in uv's cache, from
 * which the next environments are linked: each of them would spend ten seconds on making it again. Once per set of packages.
 */
export function warmCache(folder: string): void {
  for (const project of projectsBelow(folder)) {
    const done = join(uvCache, `bytecode-${sha256(readFileSync(join(project, "uv.lock")))}`);
    if (existsSync(done) || !existsSync(join(uvCache, "archive-v0"))) continue;
    linkBytecode(join(project, ".venv", "lib"));
    writeFileSync(done, "");
  }
}

function linkBytecode(installed: string): void {
  const cached = new Map(
    filesBelow(join(uvCache, "archive-v0"))
      .filter((path) => path.endsWith(".py"))
      .map((path) => [keyOf(statSync(path)), dirname(path)]),
  );
  for (const path of filesBelow(installed)) {
    const [, sources, name, module] = /^(.*)\/__pycache__\/(([^/]+?)\.[^/]*\.pyc)$/.exec(path) ?? [];
    if (sources === undefined || name === undefined) continue;
    const source = statSync(join(sources, `${module}.py`), { throwIfNoEntry: false });
    const to = source && cached.get(keyOf(source));
    if (to === undefined) continue;
    mkdirSync(join(to, "__pycache__"), { recursive: true });
    try {
      linkSync(path, join(to, "__pycache__", name));
    } catch (error) {
      // Of the same module in an earlier environment, or of a suite that ends at the same time.
      if (errnoOf(error) !== "EEXIST") throw error;
    }
  }
}

const keyOf = ({ dev, ino }: Stats): string => `${dev}:${ino}`;

/** Folders with an environment of their own, two levels down at most. */
function projectsBelow(folder: string): string[] {
  const below = (path: string) =>
    readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(path, entry.name));
  return [folder, ...below(folder), ...below(folder).flatMap(below)].filter(
    (path) => existsSync(join(path, "uv.lock")) && existsSync(join(path, ".venv/lib")),
  );
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : entry.isFile() ? [path] : [];
  });
}
