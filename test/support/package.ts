import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { root, toolsFolder } from "./paths.ts";

/** Runs a program of the package manager; its own cache and settings are the machine's. Throws with what it said. */
export function npm(args: readonly string[], cwd: string): string {
  const result = spawnSync("npm", [...args, "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd,
    encoding: "utf8",
    timeout: 240_000,
  });
  if (result.status !== 0)
    throw new Error(`npm ${args.join(" ")} ended with ${result.status}:\n${result.stdout}\n${result.stderr}`);
  return result.stdout;
}

/** Packs what is built, and installs the tarball into an empty folder, as a user would. */
export function packAndInstall(folder: string): { packed: string[]; installed: string } {
  // The suites before this one built it already; building here again would pull dist from under suites that run beside.
  const packed = npm(["pack", "--ignore-scripts", "--pack-destination", folder], root).trim().split("\n").at(-1) ?? "";
  const listed = spawnSync("tar", ["-tzf", join(folder, packed)], { encoding: "utf8" }).stdout;
  const installed = join(folder, "install");
  mkdirSync(installed);
  writeFileSync(join(installed, "package.json"), '{ "name": "empty", "private": true }\n');
  npm(["install", join(folder, packed)], installed);
  return {
    packed: listed
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.replace(/^package\//, "")),
    installed,
  };
}

/** Its main file, below the folder where it was installed. */
export function installedProgram(installed: string): string {
  return join(installed, "node_modules/pilot-to-production/dist/main.js");
}

/** The Node of a major version, installed once and kept. Fails when it cannot be had. */
export function nodeBinary(major: number): string {
  const folder = join(toolsFolder, `node-${major}`);
  const name = `node-${process.platform === "darwin" ? "darwin" : "linux"}-${process.arch}`;
  const binary = join(folder, "node_modules", name, "bin/node");
  if (statSync(binary, { throwIfNoEntry: false }) === undefined) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), '{ "name": "tools", "private": true }\n');
    npm(["install", `${name}@${major}`], folder);
  }
  return binary;
}

/** Every file below a folder with its bytes as text, by relative path. */
export function filesBelow(folder: string): Map<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map((entry) => join(entry.parentPath, entry.name)).sort();
  return new Map(paths.map((path) => [relative(folder, path), readFileSync(path, "latin1")]));
}
