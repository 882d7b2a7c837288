import { isUtf8 } from "node:buffer";
import { existsSync, readFileSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { usageError } from "../lib/error.ts";
import { findUpward, readTextFile } from "../lib/files.ts";
import { sha256 } from "../lib/hash.ts";
import { parsePolicy } from "./parse-policy.ts";
import type { Policy } from "./policy.ts";

export const POLICY_FILE = "policy.yaml";

export interface ReadPolicy {
  policy: Policy;
  /** Absolute path of the file. */
  path: string;
  /** SHA-256 of the file's bytes. */
  digest: string;
  /** The file's bytes, as the text that they are in UTF-8. */
  text: string;
}

/** Reads and checks a policy file. Throws a usage error with every problem by line. */
export function readPolicy(path: string): ReadPolicy {
  const text = readTextFile(path, "policy");
  // Bytes that are no text would be replaced by a reader, and two files would share one digest.
  if (text.includes("\ufffd") && !isUtf8(readFileSync(path)))
    throw usageError("policy.utf8", `${path} is not UTF-8`, "save it as UTF-8");
  return { policy: parsePolicy(text, path), path: resolve(path), digest: sha256(text), text };
}

/**
 * The policy that a project names, if its file is there. A project may exist before its policy does (a pilot on a laptop);
 * a named policy that is broken is an error all the same.
 */
export function policyOfProject(projectFolder: string, named: string | undefined): ReadPolicy | undefined {
  if (named === undefined) return undefined;
  if (/^(?:https?|ssh|git):|^git@/.test(named)) {
    throw usageError(
      "policy.remote",
      `policy ${named} is a git URL, which this version cannot fetch yet`,
      "name a path in factory.yaml, such as policy: ../policy.yaml",
    );
  }
  const path = isAbsolute(named) ? named : join(projectFolder, named);
  if (existsSync(path) && existsSync(dirname(path))) return readPolicy(path);
  // One command would take the project for a pilot, and another one find that file.
  const folder = findUpward(projectFolder, POLICY_FILE);
  if (folder === undefined) return undefined;
  throw usageError(
    "policy.elsewhere",
    `factory.yaml names the policy ${named}, which is not there; there is one at ${join(folder, POLICY_FILE)}`,
    `policy: ${relative(projectFolder, join(folder, POLICY_FILE))} in factory.yaml, if that is the one`,
  );
}
