import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

/** So many commands that need a module make it worth one file for all of them. */
const MANY = 4;
const COMMAND = /^src\/commands\/[^/]+\.ts$/;
const NAME = "shared-by-commands";

/**
 * A plugin that puts what many commands need into one file, for those that need most of it. Left alone, esbuild makes a file for each set of commands that share
 * something, and a command then opens twice as many, each of which costs a start about as much as the code in it.
 */
export async function sharedByCommands(program, root) {
  const external = [...program.external, "@databricks/sql"];
  const { inputs } = (await build({ ...program, external, write: false })).metafile;
  const needs = (path, found = new Set()) => {
    if (found.has(path) || inputs[path] === undefined) return found;
    found.add(path);
    for (const { path: next, kind } of inputs[path].imports) if (kind !== "dynamic-import") needs(next, found);
    return found;
  };
  const atEveryStart = needs(program.entryPoints[0]);
  const commands = new Map(
    Object.keys(inputs).flatMap((path) => (COMMAND.test(path) ? [[join(root, path), needs(path)]] : [])),
  );
  const users = (path) => [...commands.values()].filter((needed) => needed.has(path)).length;
  const shared = Object.keys(inputs).filter(
    (path) => path.startsWith("src/") && !atEveryStart.has(path) && users(path) >= MANY,
  );
  // Who needs little of it is better off with the few files that esbuild makes for that.
  const needsMost = (needed) => shared.filter((path) => needed.has(path)).length > shared.length / 2;
  return {
    name: NAME,
    setup(build) {
      build.onResolve({ filter: new RegExp(`^${NAME}$`) }, () => ({ path: NAME, namespace: NAME, sideEffects: true }));
      build.onLoad({ filter: /.*/, namespace: NAME }, () => ({
        contents: shared.map((path) => `import ${JSON.stringify(join(root, path))};`).join("\n"),
        resolveDir: root,
      }));
      build.onLoad({ filter: /src\/commands\/[^/]+\.ts$/ }, async ({ path }) =>
        needsMost(commands.get(path) ?? new Set())
          ? { contents: `import "${NAME}";\n${await readFile(path, "utf8")}`, loader: "ts" }
          : undefined,
      );
    },
  };
}
