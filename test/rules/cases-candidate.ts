import { sha256 } from "../../src/lib/hash.ts";
import { known } from "../../src/rules/facts.ts";
import { type Case, NOT_ASKED, prodStage } from "./case-parts.ts";
import { DAY_MS, DIGEST, evidenceWith, later, person } from "./good-facts.ts";

export const CANDIDATE_CASES: Readonly<Record<string, readonly Case[]>> = {
  order: [
    ["it stands in the environment before", "yes", {}, /test as v4/],
    [
      "skipped environment",
      "no",
      { facts: { standing: known({ at: undefined, expected: "test" }) } },
      /test, the environment before prod/,
    ],
    [
      "released without a promotion",
      "no",
      { action: "release", facts: { standing: known({ at: undefined, expected: "prod" }) } },
      /no promotion/,
    ],
    ["standing not known", "cannot tell", { facts: { standing: NOT_ASKED } }],
  ],
  version: [
    ["the one that the ledger knows", "yes", {}],
    ["gone from the registry", "no", { facts: { version: known(undefined) } }, /not in the registry any more/],
    [
      "made again under the same number",
      "no",
      { facts: { version: known({ createdAt: 1, digestTag: DIGEST }) } },
      /another time/,
    ],
    ["a time that is none", "no", { facts: { version: known({ createdAt: Number.NaN, digestTag: DIGEST }) } }],
    ["nothing stands there", "no", { facts: { standing: known({ at: undefined, expected: "test" }) } }],
    ["registry not asked", "cannot tell", { facts: { version: NOT_ASKED } }],
  ],
  bytes: [
    ["the very bytes", "yes", {}, /read just now$/],
    [
      "where nobody can change them",
      "yes",
      { facts: { bytes: known({ digest: DIGEST, how: "recorded" }) } },
      /as recorded/,
    ],
    [
      "changed model file",
      "no",
      { facts: { bytes: known({ digest: sha256("other"), how: "read" }) } },
      /they were changed/,
    ],
    ["no bytes", "no", { facts: { bytes: known({ digest: "none", how: "read" }) } }],
    ["not read", "cannot tell", { facts: { bytes: NOT_ASKED } }],
  ],
  registry: [
    ["as the ledger says", "yes", {}],
    [
      "made by hand",
      "no",
      { facts: { registry: known(["prod v9 was made by hand: the ledger does not know it"]) } },
      /by hand/,
    ],
    ["not asked", "cannot tell", { facts: { registry: NOT_ASKED } }],
  ],
  evidence: [
    ["every file holds", "yes", {}],
    [
      "a file that does not hold",
      "no",
      { facts: { evidence: evidenceWith({ problems: ["x.json is not what evidence.json says"] }) } },
    ],
    [
      "bytes other than its digest",
      "no",
      { facts: { evidence: NOT_ASKED, evidenceProblem: "x is not what it was" } },
      /not what it was/,
    ],
    [
      "retrained: evidence of another model",
      "no",
      { evidence: { model: { name: "claims.triage", digest: sha256("again") } } },
      /another model/,
    ],
    ["of another name", "no", { evidence: { model: { name: "claims.other", digest: DIGEST } } }, /another model/],
    ["of another project", "no", { evidence: { project: "claims-other" } }, /claims-other/],
    ["in no store", "cannot tell", { facts: { evidence: NOT_ASKED } }],
  ],
  "evidence signer": [
    ["signed by the service", "yes", {}, /ci@example.com/],
    [
      "anyone of the policy, before the last environment",
      "yes",
      { environment: "test", facts: { evidence: evidenceWith({ signedBy: [person("author@example.com")] }) } },
    ],
    [
      "by the author, where a service is asked for",
      "no",
      { facts: { evidence: evidenceWith({ signedBy: [person("author@example.com")] }) } },
      /accepts evidence signed by ci@example.com/,
    ],
    [
      "by a listed one of others",
      "no",
      {
        policy: (policy) => {
          for (const each of policy.environments) each.evidence = { signedBy: ["second@example.com"] };
        },
      },
      /accepts evidence signed by second/,
    ],
    [
      "by a bot",
      "no",
      {
        environment: "test",
        facts: { evidence: evidenceWith({ signedBy: [{ address: "github-web-flow", kind: "bot" }] }) },
      },
    ],
    [
      "by a key that ended",
      "no",
      {
        facts: { evidence: evidenceWith({ signedBy: [{ problem: "the key of ci@example.com ended on 2026-11-01" }] }) },
      },
      /ended on 2026-11-01/,
    ],
    ["by nobody", "no", { facts: { evidence: evidenceWith({ signedBy: [] }) } }, /nobody/],
    [
      "one accepted among others",
      "yes",
      {
        facts: {
          evidence: evidenceWith({
            signedBy: [{ problem: "unknown" }, { address: "ci@example.com", kind: "service" }],
          }),
        },
      },
    ],
    ["evidence not read", "cannot tell", { facts: { evidence: NOT_ASKED } }],
  ],
  "evidence age": [
    ["an hour old", "yes", {}, /60 min old/],
    ["as old as the limit, to the millisecond", "yes", { evidence: { finished: later(-14 * DAY_MS).toISOString() } }],
    [
      "a millisecond older",
      "no",
      { evidence: { finished: later(-14 * DAY_MS - 1).toISOString() } },
      /14 days old, the limit is P14D/,
    ],
    [
      "no limit",
      "yes",
      { policy: prodStage({ evidenceTtl: undefined }), evidence: { finished: "2020-01-01T00:00:00Z" } },
    ],
    ["five minutes ahead: clocks differ", "yes", { evidence: { finished: later(5 * 60_000).toISOString() } }],
    ["from the future", "no", { evidence: { finished: later(5 * 60_000 + 1).toISOString() } }, /future/],
    [
      "from the future, without a limit",
      "no",
      { policy: prodStage({ evidenceTtl: undefined }), evidence: { finished: later(DAY_MS).toISOString() } },
    ],
    ["a time that is none", "no", { evidence: { finished: "yesterday" } }],
    ["no sure clock", "cannot tell", { facts: { now: NOT_ASKED } }],
  ],
  commit: [
    ["a commit, nothing beside it", "yes", {}],
    ["no commit", "no", { evidence: { commit: null } }],
    ["dirty tree", "no", { evidence: { dirty: true } }],
    ["evidence not read", "cannot tell", { facts: { evidence: NOT_ASKED } }],
  ],
};
