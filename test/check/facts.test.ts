import { expect, it } from "vitest";
import { factsOf, type Observed } from "../../src/check/facts.ts";
import type { Run } from "../../src/training/tracking.ts";

const COMMIT = "1".repeat(40);
const run = (tags: Run["tags"]): Run => ({
  id: "r1",
  experimentId: "e1",
  name: "claims-triage",
  status: "FINISHED",
  startedAt: 0,
  endedAt: 1,
  metrics: {},
  params: {},
  tags,
});

/** What a check saw of a run with these tags, in a project that has a training command of its own and a seed. */
function seen(tags: Run["tags"]): Observed {
  const at = new Date();
  const code = { commit: COMMIT, dirty: false, why: undefined };
  return {
    open: {
      project: {
        factory: 1,
        project: "claims-triage",
        model: { name: "claims.triage", train: "python -m 'my train'", seed: 7 },
        gates: {},
      },
      folder: "/nowhere",
      text: "",
      policy: undefined,
    },
    factoryVersion: "0.1.0",
    candidate: { run: run(tags), folder: "", model: { manifest: "", digest: "a".repeat(64), files: [], bytes: 0 } },
    champion: { kind: "first-release" },
    found: { metrics: [], data: [], contracts: [] },
    code,
    after: code,
    python: { variables: {}, lockDigest: undefined, lockedNow: false },
    people: undefined,
    started: at,
    finished: at,
  };
}

it.each<[string, Run["tags"], string[], number | null]>([
  ["the command", { "factory.command": "python -m my train", "factory.seed": "7" }, ["python", "-m", "my train"], 7],
  ["a job, which is told no seed", { "factory.command": "job training" }, ["job training"], null],
  ["a run that does not say", {}, ["python", "-m", "my train"], null],
])("the evidence names what trained: %s", (_, tags, train, seed) => {
  expect(factsOf(seen(tags))).toMatchObject({ train, seed });
});
