import { posix } from "node:path";
import { TABLE_PREFIX } from "../data/table-name.ts";
import { gatesAgainst } from "../evidence/against.ts";
import type { EvidenceFacts } from "../evidence/facts.ts";
import type { Verdict } from "../gates/gate.ts";
import type { ChangedBy } from "../people/changed-by.ts";
import { dataTag, RUN_TAGS } from "../training/plan-training.ts";

export interface RegistrableFacts {
  gates: readonly { gate: string; verdict: Verdict }[];
  facts: EvidenceFacts;
  /** Tags of the run: what training said about itself. */
  tags: Readonly<Record<string, string>>;
  /** The files that training reads, as they are now; undefined: they are not looked at, only what the evidence says of data. */
  trainedOn: readonly { path: string; sha256: string }[] | undefined;
  /** Undefined: the history is incomplete. */
  people: ChangedBy | undefined;
  /** Why it is not known who changed the code. */
  peopleProblem: string | undefined;
  /** In what the tree differs from its commit. */
  why: string | undefined;
}

/** Every reason why evidence could not be registered as it stands; empty when it could. What is not known is a reason. Pure. */
export function notRegistrable(seen: RegistrableFacts): string[] {
  const { facts } = seen;
  return [
    ...gatesAgainst(seen.gates),
    ...(facts.commit === null ? ["the project has no commit"] : []),
    ...(facts.dirty
      ? [
          `the working tree differs from its commit${seen.why === undefined ? "" : ` (${seen.why})`}: once it does not, train and check again`,
        ]
      : []),
    ...runReasons(facts, seen.tags),
    ...dataReasons(seen),
    ...(seen.people === undefined
      ? [`who changed the code cannot be told: ${seen.peopleProblem ?? "there is no history"}`]
      : []),
  ];
}

function runReasons(facts: EvidenceFacts, tags: Readonly<Record<string, string>>): string[] {
  const commit = tags[RUN_TAGS.commit];
  const dirty = tags[RUN_TAGS.dirty];
  if (dirty === undefined)
    return [
      "the run does not say from which code it came (no factory.dirty, factory.commit): train with factory train",
    ];
  const lock = tags[RUN_TAGS.lock];
  return [
    ...(tags[RUN_TAGS.project] === facts.project
      ? []
      : [`the run belongs to ${tags[RUN_TAGS.project] ?? "no project"}, not to ${facts.project}: train again`]),
    ...(dirty === "false"
      ? []
      : ["the run was trained on a tree that differs from its commit: commit and train again"]),
    ...(commit === undefined ? ["the run was trained without a commit: commit and train again"] : []),
    ...(facts.commit !== null && commit !== undefined && commit !== facts.commit
      ? [`the run was trained at commit ${commit.slice(0, 12)}, checked at ${facts.commit.slice(0, 12)}: train again`]
      : []),
    ...((lock ?? null) === facts.lock ? [] : ["the run was trained with another uv.lock: train again"]),
  ];
}

/** Paths are compared as tags write them: without a leading ./ and with the same characters replaced. */
function dataReasons({ facts, tags, trainedOn }: RegistrableFacts): string[] {
  const nameOf = (path: string) => dataTag(posix.normalize(path));
  const tagged = Object.entries(tags).flatMap(([key, value]) =>
    key.startsWith(RUN_TAGS.data)
      ? [{ name: nameOf(key.slice(RUN_TAGS.data.length)), path: key.slice(RUN_TAGS.data.length), sha256: value }]
      : [],
  );
  const now = [...facts.data, ...(trainedOn ?? [])];
  return [
    ...tagged
      .filter((file) => now.some((each) => nameOf(each.path) === file.name && each.sha256 !== file.sha256))
      .map((file) => `${file.path} is not what the run was trained on: train again`),
    ...tagged
      .filter((file) => trainedOn !== undefined && !now.some((each) => nameOf(each.path) === file.name))
      .map((file) => `${file.path}, which the run was trained on, is not there any more`),
    ...(trainedOn ?? [])
      .filter((each) => !tagged.some((file) => file.name === nameOf(each.path)))
      .map((each) => `${each.path} is training data by factory.yaml, but the run was not trained on it: train again`),
    // Where files are looked at, one that is not tagged is named above; what a table or a job's training read only the run can say.
    ...facts.data
      .filter(
        (each) => tagged.length === 0 && !(trainedOn ?? []).some((file) => nameOf(file.path) === nameOf(each.path)),
      )
      .map(({ path }) =>
        path.startsWith(TABLE_PREFIX)
          ? `the run does not say on which version of ${path} it was trained (tag ${dataTag(path)})`
          : `the run does not say that it was trained on ${path}, which the data gate judged (tag ${dataTag(path)}): train again; where a job reads a table, have the gate judge that one (gates.data.source: warehouse)`,
      ),
    ...(tagged.length > 0 &&
    facts.data.length > 0 &&
    !tagged.some((file) => facts.data.some((each) => nameOf(each.path) === file.name))
      ? [
          `the data gate judged ${facts.data.map((each) => each.path).join(", ")}, which the run was not trained on: name the same file`,
        ]
      : []),
  ];
}
