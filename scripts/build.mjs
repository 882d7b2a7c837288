// Bundles the program into dist/, with the schemas and the third-party notices.
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { asCommonJs } from "./lib/as-commonjs.mjs";
import { sharedByCommands } from "./lib/shared-by-commands.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const common = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20.19",
  external: ["@duckdb/node-api", "@duckdb/node-bindings*"],
  // The ES module build of yaml: a third smaller once bundled than the one that Node would be given.
  alias: { yaml: join(root, "node_modules/yaml/browser/dist/index.js") },
  logLevel: "warning",
  plugins: [
    { name: "lean-commander", setup: leanCommander },
    { name: "lean-driver", setup: leanDriver },
  ],
};

// Built beside and swapped in, so that a build that fails or runs twice at once leaves a whole program.
const fresh = join(root, `.dist-${process.pid}`);
const { usages, templates } = await schemas();
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const program = {
  ...common,
  define: { FACTORY_VERSION: JSON.stringify(version) },
  plugins: [
    ...common.plugins,
    // Of the program itself, as data: only who imports it loads it.
    {
      name: "own-data",
      setup: ownData({ "src/cli/usages.ts": { USAGES: usages }, "src/scaffold/built-in.ts": { BUILT_IN: templates } }),
    },
  ],
  entryPoints: ["src/main.ts"],
  outdir: fresh,
  splitting: true,
  minify: true,
  metafile: true,
  chunkNames: "chunks/[name]-[hash]",
};
const result = await build({ ...program, plugins: [...program.plugins, await sharedByCommands(program, root)] });
await asCommonJs(Object.keys(result.metafile.outputs).map((path) => join(root, path)));
// The rehearsal workspace is a program of its own, so that nothing of it is loaded, or even looked at, by another command.
await build({
  ...common,
  format: "cjs",
  entryPoints: ["test/fakes/workspace/serve.ts"],
  outfile: join(fresh, "sandbox.js"),
  minify: true,
});
writeFileSync(join(fresh, "package.json"), `${JSON.stringify({ type: "commonjs" })}\n`);
chmodSync(join(fresh, "main.js"), 0o755);
notices(result.metafile);
rmSync(join(root, "dist"), { recursive: true, force: true });
renameSync(fresh, join(root, "dist"));

/** commander loads child_process for subcommands that are programs of their own. We have none, and it costs 7 ms at each start. */
function leanCommander(build) {
  build.onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
    importer.includes("/node_modules/commander/") ? { path: "none", namespace: "empty" } : undefined,
  );
  build.onLoad({ filter: /.*/, namespace: "empty" }, () => ({ contents: "module.exports = {};" }));
}

/**
 * The SQL driver without what it is never asked for here: native code, a log of its own, logins of its own in a browser. What is
 * native says that it is not there, as it does where it could not be installed.
 */
function leanDriver(build) {
  const absent = /^(?:lz4-napi|\.\.\/\.\.\/native\/kernel)$/;
  const unused = /^(?:winston|open|openid-client)$/;
  build.onResolve({ filter: absent }, ({ path }) => ({ path, namespace: "absent" }));
  build.onResolve({ filter: unused }, ({ importer, path }) =>
    importer.includes("/node_modules/@databricks/sql/") ? { path, namespace: "empty" } : undefined,
  );
  build.onLoad({ filter: /.*/, namespace: "absent" }, () => ({
    contents: 'throw Object.assign(new Error("not part of this program"), { code: "MODULE_NOT_FOUND" });',
  }));
}

/** Puts data in the place of a module that has none when the program runs from its sources. */
function ownData(modules) {
  return (build) => {
    for (const [path, exports] of Object.entries(modules)) {
      const whole = join(root, path);
      build.onLoad({ filter: new RegExp(`${path.replace(/[.]/g, "\\$&")}$`) }, (args) => {
        if (args.path !== whole) return undefined;
        return {
          contents: Object.entries(exports)
            .map(([name, value]) => `export const ${name} = ${JSON.stringify(value)};`)
            .join("\n"),
        };
      });
    }
  };
}

/** Licences of what is bundled, from esbuild's own list of inputs. */
function notices(metafile) {
  // By folder: the same package may be there in two versions, one of them inside of another package.
  const folders = new Set();
  for (const input of Object.keys(metafile.inputs)) {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (match) folders.add(match[1]);
  }
  // Many packages carry the very same text, but for its line breaks: it stands once, below all of their names.
  const byText = new Map();
  for (const path of folders) {
    const folder = join(root, path);
    const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const texts = readdirSync(folder)
      .filter((file) => /^(?:licen[cs]e|copying|notice)(?:[.-]|$)/i.test(file) && !/\.(?:[cm]?js|ts)$/.test(file))
      .sort()
      .map((file) => readFileSync(join(folder, file), "utf8").trim());
    for (const text of texts.length > 0 ? texts : ["(no licence file is in the package)"]) {
      const key = text.replace(/\s+/g, " ");
      const known = byText.get(key) ?? { text, names: new Set() };
      byText.set(key, known);
      known.names.add(`${name} ${version} (${license})`);
    }
  }
  const parts = [...byText.values()].map(({ text, names }) => `${[...names].sort().join("\n")}\n\n${text}\n`);
  writeFileSync(join(fresh, "THIRD-PARTY-NOTICES.txt"), parts.sort().join(`\n${"-".repeat(78)}\n\n`));
}

/** Writes the JSON schemas of the two YAML files and of every --json document; returns what the program keeps of itself. */
async function schemas() {
  const out = join(fresh, ".schemas.mjs");
  const banner = "import{createRequire as __cr}from'module';const require=__cr(import.meta.url);";
  await build({ ...common, entryPoints: ["scripts/schemas.ts"], outfile: out, banner: { js: banner } });
  const { allSchemas, allTemplates, allUsages } = await import(pathToFileURL(out).href);
  mkdirSync(join(root, "schemas/output"), { recursive: true });
  for (const [name, schema] of Object.entries(await allSchemas())) {
    writeFileSync(join(root, "schemas", `${name}.schema.json`), `${JSON.stringify(schema, undefined, 1)}\n`);
  }
  rmSync(out, { force: true });
  return { usages: await allUsages(), templates: await allTemplates(join(root, "templates")) };
}
