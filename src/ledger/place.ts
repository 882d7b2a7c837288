import { join } from "node:path";
import { usageError } from "../lib/error.ts";
import type { Policy } from "../policy/policy.ts";
import type { LedgerPlace } from "./store.ts";

/**
 * Where a project's chain is kept, as its policy says; a file in the project's own folder without a policy. Throws a usage error
 * (exit 2) for a file whose folder is not known, and for what is no name of a project. Pure.
 */
export function ledgerPlaceOf(
  policy: Pick<Policy, "ledger"> | undefined,
  projectFolder: string | undefined,
  project: string,
): LedgerPlace {
  const ledger = policy?.ledger ?? { kind: "file" };
  if (ledger.kind === "file") {
    if (projectFolder === undefined)
      throw usageError(
        "policy.project",
        `the ledger of ${project} is a file in that project's folder`,
        "run this in that folder, without --project; a ledger of kind git or delta is reached from anywhere",
      );
    return { kind: "file", path: join(projectFolder, ".factory", "ledger.jsonl") };
  }
  if (!/^[a-z][a-z0-9_-]{0,62}$/.test(project))
    throw usageError("policy.project", `${JSON.stringify(project)} is no name of a project`, "such as claims-triage");
  if (ledger.kind === "git") return { kind: "git", url: ledger.url, branch: ledger.branch, project };
  const { profile, host, warehouse, table } = ledger;
  return { kind: "delta", profile, host, warehouse, table, project };
}

/**
 * Where a chain is that is moved: a file, or `URL#branch` of a git repository; exactly one of them. Throws a usage error (exit 2)
 * otherwise. Pure.
 */
export function sourceOfCopy(path: string | undefined, git: string | undefined, project: string): LedgerPlace {
  if ((path === undefined) === (git === undefined))
    throw usageError(
      "ledger.source",
      "which ledger is moved?",
      "name --from FILE or --from-git URL#branch, one of them",
    );
  if (path !== undefined) return { kind: "file", path };
  const [, url, branch] = /^([^#]+)#([^#]+)$/.exec(git ?? "") ?? [];
  if (url === undefined || branch === undefined)
    throw usageError("ledger.source", "--from-git takes the address of a repository and a branch", "URL#branch");
  return { kind: "git", url, branch, project };
}
