import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { BundleFiles } from "../bundle/load.ts";
import type { Evidence } from "../evidence/read-evidence.ts";
import { changedError } from "../lib/error.ts";
import { sha256 } from "../lib/hash.ts";
import { manifestOf } from "../registry/manifest.ts";

export interface MaterialFile {
  /** From the bundle's folder. */
  path: string;
  sha256: string;
  bytes: Uint8Array;
}

/** All that a deployment is made of. */
export interface Material {
  /** The bundle's files. */
  files: readonly MaterialFile[];
  /** `path`: the wheel's file name. */
  wheel: MaterialFile;
}

/** `name-version(-build)-python-abi-platform.whl`, as installers read it. */
const WHEEL =
  /^[A-Za-z0-9_.]+-[A-Za-z0-9_.!+]+(?:-\d[A-Za-z0-9_.]*)?-[A-Za-z0-9_.]+-[A-Za-z0-9_.]+-[A-Za-z0-9_.]+\.whl$/;

/** The wheel and the bundle files that the evidence is about, read once and compared with their digests. */
export async function materialOf(evidence: Evidence): Promise<Material | { problem: string; fix: string }> {
  const read = async (prefix: string): Promise<MaterialFile[]> =>
    Promise.all(
      evidence.files
        .filter(({ path }) => path.startsWith(prefix))
        .map(async ({ path, sha256: digest }) => {
          const bytes = await readFile(join(evidence.folder, path));
          if (sha256(bytes) !== digest)
            throw changedError("deploy.evidence", `${path} of the evidence changed while it was read`, "run it again");
          return { path: path.slice(prefix.length), sha256: digest, bytes };
        }),
    );
  const [files, wheels] = await Promise.all([read("bundle/"), read("wheel/")]);
  const [wheel, ...others] = wheels;
  if (files.length === 0)
    return {
      problem: "the evidence holds no bundle files",
      fix: "add databricks.yml to the project and check it again",
    };
  if (wheel === undefined || others.length > 0)
    return {
      problem: `the evidence holds ${wheels.length} wheels, one is needed`,
      fix: "factory check builds it from pyproject.toml",
    };
  if (!WHEEL.test(wheel.path))
    return {
      problem: `${wheel.path} is no name under which a wheel can be installed`,
      fix: "give the project a version without a local part (+…)",
    };
  return { files, wheel };
}

/** The bundle's files as the check reads them: nothing else is there. Pure. */
export function bundleFilesOf({ files }: Material): BundleFiles {
  return {
    texts: new Map(
      files
        .filter(({ path }) => /\.(?:ya?ml|json)$/.test(path))
        .map(({ path, bytes }) => [path, Buffer.from(bytes).toString("utf8")]),
    ),
    paths: new Set(files.map(({ path }) => path)),
  };
}

/** The digest of what is deployed: SHA-256 of its manifest, as `sha256sum` writes it. Pure. */
export function filesDigest(files: readonly { path: string; sha256: string }[]): string {
  return sha256(manifestOf(files));
}
