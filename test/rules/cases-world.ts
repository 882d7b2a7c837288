import { known } from "../../src/rules/facts.ts";
import { at, type Case, freeze, NOT_ASKED, problem, prodStage, readTicket, ticket } from "./case-parts.ts";
import { later, NOW, ticketOf } from "./good-facts.ts";

const twoProjects: Case[2]["policy"] = (policy) => {
  policy.projects = {
    ...policy.projects,
    "claims-other": { productLine: "claims", riskTier: "medium", owner: "owner@example.com" },
  };
};

export const WORLD_CASES: Readonly<Record<string, readonly Case[]>> = {
  ledger: [
    ["whole", "yes", {}],
    [
      "shorter than its anchor",
      "no",
      {
        facts: {
          ledger: known(["the ledger ends with entry 3, but prod was written to when it had 9: entries are missing"]),
        },
      },
      /entries are missing/,
    ],
    ["of another project", "no", { facts: { ledger: known(["the chain is that of project claims-other"]) } }],
    ["not read", "cannot tell", { facts: { ledger: NOT_ASKED } }],
  ],
  policy: [
    ["in force", "yes", {}],
    [
      "edited by hand",
      "no",
      { facts: { policy: problem("a changed policy needs a higher version") } },
      /higher version/,
    ],
    ["not there", "cannot tell", { facts: { policy: NOT_ASKED } }],
  ],
  project: [
    ["listed", "yes", {}],
    [
      "pilot",
      "no",
      {
        policy: (policy) => {
          policy.projects = {};
        },
      },
      /is a pilot/,
    ],
    [
      "a pilot whose name is a word of the language",
      "no",
      { facts: { project: "constructor" } },
      /constructor is a pilot/,
    ],
    ["no policy", "cannot tell", { facts: { policy: NOT_ASKED } }],
  ],
  slot: [
    ["one of one", "yes", {}],
    [
      "full",
      "no",
      {
        policy: (policy) => {
          policy.projects = {
            "claims-first": { productLine: "claims", riskTier: "medium", owner: "owner@example.com" },
            ...policy.projects,
          };
        },
      },
      /1 slot \(taken by: claims-first\)/,
    ],
    ["no policy", "cannot tell", { facts: { policy: NOT_ASKED } }],
  ],
  actor: [
    ["a service promotes", "yes", {}],
    ["a person approves", "yes", { action: "approve" }],
    [
      "a service approves",
      "no",
      { action: "approve", facts: { actor: known({ address: "ci@example.com", kind: "service" }) } },
      /only people approve/,
    ],
    ["a bot", "no", { facts: { actor: known({ address: "github-web-flow", kind: "bot" }) } }, /is a bot/],
    ["a key that the policy does not know", "no", { facts: { actor: known({ problem: "no key with that id" }) } }],
    ["who is not known", "cannot tell", { facts: { actor: NOT_ASKED } }],
  ],
  freeze: [
    ["none", "yes", {}],
    [
      "the day before the first",
      "yes",
      { policy: freeze("2026-12-20/2027-01-04"), facts: at("2026-12-19T23:59:59.999Z") },
    ],
    [
      "the first moment",
      "no",
      { policy: freeze("2026-12-20/2027-01-04"), facts: at("2026-12-20T00:00:00.000Z") },
      /2026-12-20\/2027-01-04/,
    ],
    ["the last moment", "no", { policy: freeze("2026-12-20/2027-01-04"), facts: at("2027-01-04T23:59:59.999Z") }],
    [
      "the moment after the last",
      "yes",
      { policy: freeze("2026-12-20/2027-01-04"), facts: at("2027-01-05T00:00:00.000Z") },
    ],
    [
      "begins 14 hours earlier in Kiritimati",
      "no",
      { policy: freeze("2026-12-20/2027-01-04", "Pacific/Kiritimati"), facts: at("2026-12-19T10:00:00.000Z") },
    ],
    [
      "a millisecond before that",
      "yes",
      { policy: freeze("2026-12-20/2027-01-04", "Pacific/Kiritimati"), facts: at("2026-12-19T09:59:59.999Z") },
    ],
    [
      "ends 11 hours later in Pago Pago",
      "no",
      { policy: freeze("2026-12-20/2027-01-04", "Pacific/Pago_Pago"), facts: at("2027-01-05T10:59:59.999Z") },
    ],
    ["a release in a freeze", "no", { action: "release", policy: freeze("2026-11-25/2026-11-25") }],
    ["an approval in a freeze", "yes", { action: "approve", policy: freeze("2026-11-25/2026-11-25") }, /afterwards/],
    ["another environment is frozen", "yes", { environment: "test", policy: freeze("2026-11-25/2026-11-25") }],
    ["no sure clock", "cannot tell", { policy: freeze("2026-12-20/2027-01-04"), facts: { now: NOT_ASKED } }],
  ],
  ticket: [
    ["approved", "yes", {}],
    [
      "for this project and environment, in its window",
      "yes",
      {
        facts: ticket({
          project: "claims-triage",
          environment: "prod",
          from: NOW.toISOString(),
          until: NOW.toISOString(),
        }),
      },
    ],
    ["none, and none asked for", "yes", { environment: "test", facts: { ticket: known(undefined) } }],
    ["none", "no", { facts: { ticket: known(undefined) } }, /asks for a change ticket/],
    [
      "one that does not exist",
      "no",
      { facts: { ticket: known({ id: "CHG-9", ticket: undefined, spentOn: undefined }) } },
      /no ticket CHG-9/,
    ],
    [
      "spent",
      "no",
      { facts: { ticket: known({ id: "CHG-1", ticket: ticketOf(), spentOn: "prod v3" }) } },
      /used for prod v3/,
    ],
    ["open", "no", { facts: ticket({ state: "open" }) }, /is open/],
    [
      "approved, and the register that says so",
      "yes",
      { facts: readTicket({}) },
      /^ticket CHG-1 is approved in tickets\.yaml \(sha256:[0-9a-f]{64}\)$/,
    ],
    [
      "rejected, and the register that says so",
      "no",
      { facts: readTicket({ state: "rejected" }) },
      /^ticket CHG-1 is rejected in tickets\.yaml \(sha256:[0-9a-f]{64}\)$/,
    ],
    ["closed", "no", { facts: ticket({ state: "closed" }) }, /is closed/],
    ["rejected", "no", { facts: ticket({ state: "rejected" }) }, /is rejected/],
    ["closed, where none is asked for", "no", { environment: "test", facts: ticket({ state: "closed" }) }],
    ["of another project", "no", { facts: ticket({ project: "claims-other" }) }, /is for claims-other/],
    ["for another environment", "no", { facts: ticket({ environment: "test" }) }, /is for test/],
    ["before its window", "no", { facts: ticket({ from: later(1).toISOString() }) }, /from .* only/],
    ["approving before its window", "yes", { action: "approve", facts: ticket({ from: later(1).toISOString() }) }],
    ["after its window", "no", { facts: ticket({ until: later(-1).toISOString() }) }, /until/],
    ["approving after its window", "no", { action: "approve", facts: ticket({ until: later(-1).toISOString() }) }],
    ["a window that begins never", "no", { facts: ticket({ from: "never" }) }],
    ["a window that ends never", "no", { facts: ticket({ until: "never" }) }],
    ["its system does not answer", "cannot tell", { facts: { ticket: NOT_ASKED } }],
    ["for no project, where there are two", "no", { policy: twoProjects }, /names no project, and the policy lists 2/],
    [
      "for this project, where there are two",
      "yes",
      { policy: twoProjects, facts: ticket({ project: "claims-triage" }) },
    ],
    ["for no project, and no policy is known", "cannot tell", { facts: { policy: NOT_ASKED } }],
  ],
  "human review": [
    ["none asked for", "yes", {}],
    ["optional", "yes", { policy: prodStage({ humanReview: "optional" }) }],
    ["required", "no", { policy: prodStage({ humanReview: "required" }) }, /human review/],
    ["rules not known", "cannot tell", { facts: { rules: NOT_ASKED } }],
  ],
  strategy: [
    ["left open", "yes", { action: "release" }],
    ["the one that the policy names", "yes", { action: "release", policy: prodStage({ strategy: "direct" }) }],
    ["one of a list", "yes", { action: "release", policy: prodStage({ strategy: ["canary", "direct"] }) }],
    [
      "another one",
      "no",
      { action: "release", policy: prodStage({ strategy: ["shadow", "canary"] }) },
      /shadow, canary in prod, not direct/,
    ],
    ["not said", "cannot tell", { action: "release", facts: { strategy: undefined } }],
  ],
};
