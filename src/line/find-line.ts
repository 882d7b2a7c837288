import { join } from "node:path";
import { demandKnown, namesIn, policyLedger, sayWhose } from "../ledger/ask-policy.ts";
import { openLedger } from "../ledger/open-ledger.ts";
import type { LedgerPlace, LedgerStore } from "../ledger/store.ts";
import { type FactoryError, usageError } from "../lib/error.ts";
import type { PolicyFile } from "../policy/find-policy.ts";
import { policyAround, projectAround } from "../project/policy-around.ts";
import { type Line, openLine } from "./line.ts";

export interface Whereabouts {
  cwd: string;
  /** --policy */
  policy: string | undefined;
  /** --project */
  project: string | undefined;
  /** The model, when it was named with its version. */
  model: string | undefined;
}

export interface FoundLine {
  line: Line;
  policyFile: PolicyFile | undefined;
  /** The project's folder; undefined outside of it. */
  folder: string | undefined;
}

/**
 * The line that a command is about: the project here, the named one, or the one of the policy whose ledger is about the model.
 * No checkout of the project is needed when its ledger is one that others can reach. Throws exit 2 when it cannot be told.
 */
export async function findLine(
  where: Whereabouts,
  store: (place: LedgerPlace) => Promise<LedgerStore>,
  at: Date,
): Promise<FoundLine> {
  const here = projectAround(where.cwd);
  const policyFile = policyAround(where.cwd, where.policy);
  const open = async (project: string): Promise<Line | undefined> => {
    const asked =
      policyFile === undefined
        ? here && { place: { kind: "file" as const, path: join(here.folder, ".factory", "ledger.jsonl") } }
        : policyLedger(policyFile, here, project);
    if (asked === undefined) return undefined;
    const model = here?.project.project === project ? here.project.model.name : undefined;
    const ledger = openLedger(await store(asked.place), project);
    const line = await openLine(project, model ?? "", ledger, policyFile, at);
    // Outside of the project its ledger says which model it is.
    return model === undefined ? { ...line, model: line.state.model ?? "" } : line;
  };
  const named = where.project ?? here?.project.project;
  if (named !== undefined) {
    const line = await open(named);
    if (line !== undefined) {
      if (where.project !== undefined) demandKnown({ project: named, names: namesIn(policyFile, here) }, line.view);
      if (where.model !== undefined && where.model !== line.model)
        throw usageError(
          "model.other",
          line.model === ""
            ? `nothing of ${named} is registered under a policy in force yet`
            : `${named} is about ${line.model}, not about ${where.model}`,
          line.model === "" ? "in its folder: factory register" : "name another project: --project NAME",
        );
      return { line, policyFile, folder: here?.project.project === named ? here.folder : undefined };
    }
  }
  const projects = Object.keys(policyFile?.policy.projects ?? {});
  for (const project of projects) {
    const line = await open(project);
    if (line !== undefined && (line.model === where.model || (where.model === undefined && projects.length === 1)))
      return { line, policyFile, folder: undefined };
  }
  throw whichProject(where, policyFile);
}

/** Throws what `findLine` would where neither a project nor a policy is around; asks no ledger. */
export function demandPlace(where: Whereabouts): void {
  const policyFile = policyAround(where.cwd, where.policy);
  if (policyFile === undefined && projectAround(where.cwd) === undefined) throw whichProject(where, undefined);
}

function whichProject({ model }: Whereabouts, policyFile: PolicyFile | undefined): FactoryError {
  return usageError(
    "project.which",
    model === undefined || policyFile === undefined
      ? `which project is meant cannot be told${policyFile === undefined ? ": no project and no policy.yaml here or above" : ""}`
      : `no project of the policy has a ledger about ${model}`,
    policyFile === undefined
      ? "go into a project's folder, or name it: --project NAME, with --policy FILE"
      : sayWhose(policyFile),
  );
}
