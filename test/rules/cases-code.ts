import { sha256 } from "../../src/lib/hash.ts";
import { authors, type Case, champion, compared, NOT_ASKED, prodStage } from "./case-parts.ts";
import { COMMIT, DIGEST, evidenceWith, GATES, metric, passedGate } from "./good-facts.ts";

export const CODE_CASES: Readonly<Record<string, readonly Case[]>> = {
  champion: [
    ["first release", "yes", {}],
    ["compared with what serves", "yes", { evidence: { champion: compared }, facts: { champion: champion() } }],
    [
      "champion changed since",
      "no",
      { evidence: { champion: compared }, facts: { champion: champion({ version: "3", digest: sha256("newer") }) } },
      /compared with prod v2, but prod v3 serves/,
    ],
    ["checked as a first release, but one serves", "no", { facts: { champion: champion() } }, /first release/],
    ["compared with one that serves no more", "no", { evidence: { champion: compared } }, /does not serve/],
    ["the champion could not be read", "no", { evidence: { champion: "unreadable" } }],
    [
      "it serves itself in an environment before",
      "yes",
      { facts: { champion: champion({ environment: "test", digest: DIGEST }) } },
    ],
    ["champion not known", "cannot tell", { facts: { champion: NOT_ASKED } }],
  ],
  authors: [
    ["all known", "yes", {}, /author@example.com/],
    [
      "known by an alias, in capital letters, with a tag",
      "yes",
      { evidence: authors("Author@Old.Example.com", "author+x@example.com") },
    ],
    ["a bot is somebody whom the policy knows", "yes", { evidence: authors("noreply@github.com") }],
    [
      "unknown author",
      "no",
      { evidence: authors("author@example.com", "stranger@example.com") },
      /stranger@example.com/,
    ],
    [
      "an address that cannot be known",
      "no",
      {
        evidence: {
          people: { since: null, commits: 1, people: [{ address: "author@example.com", known: false, changes: 1 }] },
        },
      },
    ],
    ["a look-alike", "no", { evidence: authors("аuthor@example.com") }],
    ["incomplete history", "no", { evidence: { people: null } }, /incomplete/],
    ["nobody", "no", { evidence: { people: { since: null, commits: 0, people: [] } } }, /names nobody/],
    [
      "since the champion, by the ledger",
      "yes",
      {
        evidence: {
          champion: compared,
          people: {
            since: "2".repeat(40),
            commits: 1,
            people: [{ address: "author@example.com", known: true, changes: 1 }],
          },
        },
        facts: { champion: champion() },
      },
    ],
    [
      "trained again on the champion's commit",
      "yes",
      {
        evidence: {
          commit: "2".repeat(40),
          champion: compared,
          people: { since: "2".repeat(40), commits: 0, people: [] },
        },
        facts: { champion: champion() },
      },
      /nobody changed/,
    ],
    [
      "nobody since an older commit",
      "no",
      {
        evidence: { champion: compared, people: { since: "2".repeat(40), commits: 0, people: [] } },
        facts: { champion: champion() },
      },
      /names nobody/,
    ],
    [
      "since a commit that a tag made up",
      "no",
      {
        evidence: { champion: compared, people: { since: COMMIT, commits: 0, people: [] } },
        facts: { champion: champion() },
      },
      /by the ledger/,
    ],
    [
      "since what serves in test only",
      "no",
      {
        evidence: { people: { since: COMMIT, commits: 0, people: [] } },
        facts: { champion: champion({ environment: "test", commits: [COMMIT] }) },
      },
      /nothing serves in prod/,
    ],
    [
      "since something, and nothing serves",
      "no",
      { evidence: { people: { since: COMMIT, commits: 0, people: [] } } },
      /nothing serves in prod/,
    ],
    [
      "since something, and who serves is not known",
      "cannot tell",
      { evidence: { people: { since: COMMIT, commits: 0, people: [] } }, facts: { champion: NOT_ASKED } },
    ],
    ["no policy", "cannot tell", { facts: { policy: NOT_ASKED } }],
  ],
  rules: [
    ["of project, model and environment", "yes", {}],
    [
      "a factory.yaml of another project",
      "no",
      {
        project: (project) => {
          project.project = "claims-other";
        },
      },
      /project claims-other/,
    ],
    [
      "a factory.yaml of another model",
      "no",
      {
        project: (project) => {
          project.model.name = "claims.other";
        },
      },
      /model claims.other/,
    ],
    [
      "of no tier",
      "no",
      {
        policy: (policy) => {
          policy.projects = {};
        },
      },
      /no risk tier/,
    ],
    ["not known", "cannot tell", { facts: { rules: NOT_ASKED } }],
  ],
  gates: [
    ["all pass", "yes", {}, /7 gates/],
    ["one more than asked for", "yes", { environment: "test" }],
    [
      "missing required gate",
      "no",
      { gates: GATES.filter((name) => name !== "data").map((name) => passedGate(name)) },
      /the gate data/,
    ],
    [
      "a gate not passed",
      "no",
      {
        gates: [
          ...GATES.filter((name) => name !== "lint").map((name) => passedGate(name)),
          passedGate("lint", { verdict: "fail" }),
        ],
      },
      /lint: fail/,
    ],
    [
      "a gate not passed, which nobody asks for",
      "no",
      { environment: "test", gates: [passedGate("unit"), passedGate("lint", { verdict: "error" })] },
      /lint: error/,
    ],
    [
      "not evaluated",
      "no",
      { gates: GATES.map((name) => passedGate(name, name === "docs" ? { verdict: "not-evaluated" } : {})) },
      /docs/,
    ],
    ["a gate twice", "no", { gates: [...GATES, "unit"].map((name) => passedGate(name)) }, /unit stands twice/],
    ["no gates in the evidence", "no", { gates: [] }],
    ["no gates in the policy", "no", { policy: prodStage({ gates: undefined }) }, /nothing would be checked/],
    [
      "the policy says nothing of the environment",
      "no",
      {
        policy: (policy) => {
          policy.riskTiers.medium = {};
        },
      },
      /nothing would be checked/,
    ],
    ["rules not known", "cannot tell", { facts: { rules: NOT_ASKED } }],
    ["evidence not read", "cannot tell", { facts: { evidence: NOT_ASKED } }],
  ],
  thresholds: [
    ["above the floor", "yes", {}, /roc_auc 0.67 ≥ 0.62/],
    ["on the floor", "yes", { metrics: [metric("roc_auc", 0.62)] }],
    ["under the floor", "no", { metrics: [metric("roc_auc", 0.6199)] }, /0.62 < 0.62|0.6199/],
    [
      "under a floor that only the target sets",
      "no",
      {
        project: (project) => {
          project.environments = { prod: { gates: { model: { metrics: [{ name: "roc_auc", min: 0.7 }] } } } };
        },
      },
      /limits of prod: roc_auc 0.67 < 0.7/,
    ],
    [
      "a looser floor of the target loosens nothing",
      "no",
      {
        project: (project) => {
          project.environments = { prod: { gates: { model: { metrics: [{ name: "roc_auc", min: 0.1 }] } } } };
        },
        metrics: [metric("roc_auc", 0.5)],
      },
    ],
    [
      "a metric that only the target asks for, missing",
      "no",
      {
        project: (project) => {
          project.environments = { prod: { gates: { model: { metrics: [{ name: "brier", max: 0.2 }] } } } };
        },
      },
      /brier missing/,
    ],
    ["NaN", "no", { metrics: [metric("roc_auc", Number.NaN)] }],
    ["measured for the champion only", "no", { metrics: [metric("roc_auc", 0.9, { model: "champion" })] }, /missing/],
    ["measured twice", "no", { metrics: [metric("roc_auc", 0.9), metric("roc_auc", 0.5)] }, /twice/],
    ["nothing measured", "no", { metrics: [] }],
    [
      "no worse than the champion",
      "yes",
      {
        evidence: { champion: compared },
        metrics: [metric("roc_auc", 0.67), metric("roc_auc", 0.68, { model: "champion" })],
      },
    ],
    [
      "further below the champion than only the target lets",
      "no",
      {
        evidence: { champion: compared },
        project: (project) => {
          project.environments = {
            prod: { gates: { model: { metrics: [{ name: "roc_auc", champion: { maxDrop: 0.001 } }] } } },
          };
        },
        metrics: [metric("roc_auc", 0.67), metric("roc_auc", 0.675, { model: "champion" })],
      },
      /fell by/,
    ],
    ["the champion not measured", "no", { evidence: { champion: compared } }, /champion/],
    [
      "no limit where the model gate is asked for",
      "no",
      {
        project: (project) => {
          project.gates = {};
        },
      },
      /limits no metric/,
    ],
    [
      "no limit where it is not",
      "yes",
      {
        environment: "test",
        project: (project) => {
          project.gates = {};
        },
      },
    ],
    ["no metrics in the evidence", "cannot tell", { facts: { evidence: evidenceWith({ metrics: NOT_ASKED }) } }],
  ],
};
