import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Envelope, envelopeLine, envelopeSchema } from "../lib/dsse.ts";
import { type Problem, usageError } from "../lib/error.ts";
import { findUpward, readTextFile } from "../lib/files.ts";
import { POLICY_FILE, type ReadPolicy, readPolicy } from "./read-policy.ts";

/** More lines than any quorum takes. */
const MAX_SIGNATURES = 200;

/** A policy's file as it lies there, with the signatures beside it. What of it counts, `policyFileState` says. */
export interface PolicyFile extends ReadPolicy {
  signaturesPath: string;
  signatures: readonly Envelope[];
}

/**
 * The policy file that is named, else the nearest policy.yaml in or above a folder. Throws a usage error (exit 2) when there is
 * none, when it is not valid, or when a line of the signatures beside it is none.
 */
export function findPolicyFile(cwd: string, named: string | undefined): PolicyFile {
  if (named !== undefined) return openPolicyFile(resolve(cwd, named));
  const folder = findUpward(resolve(cwd), POLICY_FILE);
  if (folder === undefined)
    throw usageError(
      "policy.missing",
      `no ${POLICY_FILE} in ${resolve(cwd)} or above it`,
      "give its path (--policy FILE), or write a first one: factory init",
    );
  return openPolicyFile(join(folder, POLICY_FILE));
}

/** The nearest policy.yaml in or above a folder, without its signatures; undefined when there is none or it is not valid. */
export function policyFileAbove(cwd: string): ReadPolicy | undefined {
  const folder = findUpward(resolve(cwd), POLICY_FILE);
  try {
    return folder === undefined ? undefined : readPolicy(join(folder, POLICY_FILE));
  } catch {
    return undefined;
  }
}

/** A policy file and the signatures beside it. Throws as `findPolicyFile` does. */
export function openPolicyFile(path: string): PolicyFile {
  const read = readPolicy(path);
  const signaturesPath = signaturesBeside(read.path);
  return { ...read, signaturesPath, signatures: readSignatures(signaturesPath) };
}

/** `policy.sigs.jsonl` beside `policy.yaml`. */
function signaturesBeside(policyPath: string): string {
  return `${policyPath.replace(/\.ya?ml$/, "")}.sigs.jsonl`;
}

/** The envelopes of a file of signatures, none when there is no file. Each line is one envelope in canonical JSON. */
function readSignatures(path: string): Envelope[] {
  if (!existsSync(path)) return [];
  const lines = readTextFile(path, "policy signatures").split("\n");
  if (lines.at(-1) === "") lines.pop();
  const problems: Problem[] = [];
  const envelopes = lines.flatMap((line, i) => {
    const envelope = envelopeOf(line);
    // A line that means the same but is written otherwise may be read otherwise by another reader.
    if (envelope !== undefined && envelopeLine(envelope) === `${line}\n`) return [envelope];
    if (problems.length < 20)
      problems.push({
        message: envelope === undefined ? "is no envelope" : "is not canonical JSON",
        file: path,
        line: i + 1,
      });
    return [];
  });
  if (lines.length > MAX_SIGNATURES) problems.push({ message: `has more than ${MAX_SIGNATURES} lines`, file: path });
  if (problems.length > 0)
    throw usageError(
      "policy.signatures",
      `${path} holds what is no signature`,
      "remove those lines (after a merge keep the signatures of both sides); factory policy show says who has to sign",
      problems,
    );
  return envelopes;
}

function envelopeOf(line: string): Envelope | undefined {
  try {
    return envelopeSchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
