import { readFileSync, writeFileSync } from "node:fs";
import { transform } from "esbuild";

/**
 * Rewrites ES modules as CommonJS, in place. A command is some dozens of files, and Node 20 reads each of them in a third of the
 * time: its loader of ES modules resolves and links them one by one, asynchronously. esbuild itself splits ES modules only.
 */
export async function asCommonJs(paths) {
  for (const path of paths) {
    const code = readFileSync(path, "utf8");
    const { code: rewritten, warnings } = await transform(code, {
      format: "cjs",
      platform: "node",
      target: "node20.19",
      minify: true,
      supported: { "dynamic-import": false },
      define: { "import.meta.url": "__url" },
      ...(code.includes("import.meta.url") && {
        banner: 'const __url=require("node:url").pathToFileURL(__filename).href;',
      }),
    });
    // Others are about third-party code as it is.
    const lost = warnings.find(({ id }) => id === "empty-import-meta");
    if (lost !== undefined) throw new Error(`${path}: ${lost.text}`);
    writeFileSync(path, rewritten);
  }
}
