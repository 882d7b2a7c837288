// What the measurements share: TypeScript of the project made importable, times, medians, rows.
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The module with these lines, which import from the root of the repository, bundled into `folder`. */
export async function bundled(folder, contents) {
  const outfile = join(folder, "bundled.mjs");
  await build({
    stdin: { contents, resolveDir: root, loader: "ts" },
    bundle: true,
    platform: "node",
    format: "esm",
    outfile,
    external: ["@duckdb/*"],
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    // Modules find the repository by their own place, which test/support/paths.ts alone asks for.
    define: { "import.meta.url": JSON.stringify(pathToFileURL(join(root, "test/support/paths.ts")).href) },
  });
  return import(pathToFileURL(outfile).href);
}

/** Milliseconds that the work takes. */
export async function timed(work) {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

export function median(list) {
  return [...list].sort((a, b) => a - b)[list.length >> 1];
}

/** Prints the rows of a file that was started by itself, and ends with 1 when one is over its limit; nothing when `npm run bench` imports it. */
export async function printWhenMain(url, rows) {
  if (process.argv[1] !== fileURLToPath(url)) return;
  for (const { what, ms, peer, peerMs, limit } of await rows()) {
    const ratio = ms / peerMs;
    process.stdout.write(
      `${what}: ${ms.toFixed(0)} ms; ${peer}: ${peerMs.toFixed(0)} ms; ratio ${ratio.toFixed(2)}, limit ${limit}\n`,
    );
    if (ratio > limit) process.exitCode = 1;
  }
}
