import { type EvidenceFacts, evidenceFacts } from "../evidence/facts.ts";
import type { Champion } from "../gates/baseline.ts";
import type { ChangedBy } from "../people/changed-by.ts";
import { commandWords } from "../project/project.ts";
import { environmentsOf, type OpenProject } from "../project/read-project.ts";
import { metricsFor, rulesDigest } from "../project/rules.ts";
import { commandTag, RUN_TAGS } from "../training/plan-training.ts";
import type { ProjectEnvironment } from "../training/project-environment.ts";
import type { Candidate } from "./candidate.ts";
import type { Found } from "./gate-runners.ts";

/** The state of the code at one moment of the check. */
export interface Code {
  commit: string | undefined;
  dirty: boolean;
  why: string | undefined;
}

/** All that one check saw. */
export interface Observed {
  open: OpenProject;
  factoryVersion: string;
  candidate: Candidate;
  champion: Champion;
  found: Found;
  code: Code;
  after: Code;
  python: ProjectEnvironment;
  people: ChangedBy | undefined;
  started: Date;
  finished: Date;
}

/** What the evidence says about a check. Pure. */
export function factsOf(seen: Observed): EvidenceFacts {
  const { open, candidate, champion, code, after } = seen;
  const { run } = candidate;
  const iso = (ms: number) => new Date(ms).toISOString();
  const seed = Number.parseInt(run.tags[RUN_TAGS.seed] ?? "", 10);
  return evidenceFacts.parse({
    v: 1,
    factory: { version: seen.factoryVersion },
    project: open.project.project,
    run: { id: run.id },
    model: { name: open.project.model.name, digest: candidate.model.digest },
    commit: code.commit ?? null,
    // Code that moved while it was judged counts as dirty: no commit says what was tested.
    dirty: code.dirty || after.dirty || code.commit !== after.commit,
    rules: Object.fromEntries(
      environmentsOf(open).map((environment) => [
        environment.name,
        rulesDigest(open.project, open.policy?.policy, environment),
      ]),
    ),
    data: seen.found.data,
    lock: seen.python.lockDigest ?? null,
    seed: Number.isSafeInteger(seed) ? seed : null,
    train: trainingOf(run.tags[RUN_TAGS.command], commandWords(open.project.model.train)),
    thresholds: metricsFor(open.project, environmentsOf(open)[0]?.name ?? ""),
    champion: championFact(champion),
    people:
      seen.people === undefined
        ? null
        : { since: seen.people.since ?? null, commits: seen.people.commits, people: [...seen.people.people] },
    trainedAt: { started: iso(run.startedAt), finished: run.endedAt === undefined ? null : iso(run.endedAt) },
    started: seen.started.toISOString(),
    finished: seen.finished.toISOString(),
  });
}

/** The words of factory.yaml, unless the run says that something else trained it, such as a job. */
function trainingOf(said: string | undefined, words: readonly string[]): string[] {
  return said === undefined || said === commandTag(words) ? [...words] : [said];
}

function championFact(champion: Champion): EvidenceFacts["champion"] {
  if (champion.kind === "first-release") return "first release";
  if (champion.kind === "unreadable") return "unreadable";
  const { environment, version, digest, commit } = champion;
  return { environment, version, digest, commit: commit ?? null };
}
