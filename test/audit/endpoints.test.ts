import { describe, expect, test } from "vitest";
import { auditEndpoints } from "../../src/audit/audit-endpoints.ts";
import { type ExpectedEndpoint, endpointFindings, expectedEndpoints } from "../../src/audit/judge-endpoint-state.ts";
import { statusOf } from "../../src/audit/status.ts";
import type { Fact } from "../../src/ledger/entry.ts";
import { outsideError } from "../../src/lib/error.ts";
import type { EndpointState, ServingEndpoint } from "../../src/release/serving.ts";
import { known } from "../../src/rules/facts.ts";
import { type Chain, chain, minutes, promoted, released, rolledback } from "./chain.ts";

type Facts = ReturnType<typeof released>;
/** The same release or rollback, at an endpoint. */
const at = (endpoint: string, facts: Facts): Facts =>
  facts.map(({ fact, minute }) => {
    if (fact.kind === "release.started") return { fact: { ...fact, body: { ...fact.body, endpoint } }, minute };
    if (fact.kind === "rollback.started") return { fact: { ...fact, body: { ...fact.body, endpoint } }, minute };
    return { fact: fact.kind === "released" ? { ...fact, body: { ...fact.body, endpoint } } : fact, minute };
  });
const abandoned = (started: number, minute: number): { fact: Fact; minute: number } => ({
  fact: { kind: "abandoned", body: { started, environment: "prod", reason: "the runner died" } },
  minute,
});

const first = [...promoted(1, 2, 1), ...at("A", released(1, "none", 5, 2))];
const second = [...first, ...promoted(2, 7, 3)];
const both = [...second, ...at("A", released(2, 1, 10, 4))];
const byAlias = [...promoted(1, 2, 1), ...released(1, "none", 5, 2)];

const expected = (told: Chain) => expectedEndpoints(told.state.environment("prod"));
const rest = { needed: true, champion: "2" };
const old = { needed: false, champion: "2" };

describe("what the ledger says of endpoints", () => {
  test.each<[string, Facts, Partial<ExpectedEndpoint>[]]>([
    ["nothing was released", [], []],
    ["jobs that read the alias", byAlias, []],
    ["a release", first, [{ endpoint: "A", version: "1", needed: true, champion: "1" }]],
    ["a promotion that is under way", [...first, ...promoted(2, 7, 3).slice(0, 3)], [{ version: "1", needed: true }]],
    ["the next release", both, [{ endpoint: "A", version: "2", ...rest }]],
    [
      "a release that is under way",
      [...second, ...at("A", released(2, 1, 10, 4)).slice(0, 1)],
      [{ endpoint: "A", version: "1", needed: true, underWay: { version: "2" }, champion: "1" }],
    ],
    [
      "a first release that is under way",
      [...promoted(1, 2, 1), ...at("A", released(1, "none", 5, 2)).slice(0, 1)],
      [{ endpoint: "A", version: undefined, needed: false, underWay: { version: "1" }, champion: undefined }],
    ],
    [
      "the next release, to another endpoint",
      [...second, ...at("B", released(2, 1, 10, 4))],
      [
        { endpoint: "A", version: "1", ...old },
        { endpoint: "B", version: "2", ...rest },
      ],
    ],
    [
      "the way back",
      [...both, ...at("A", rolledback(2, 1, 12, 11, 5))],
      [{ endpoint: "A", version: "1", needed: true, champion: "1" }],
    ],
    [
      "the way back to what was released by alias alone",
      [...byAlias, ...promoted(2, 7, 3), ...at("B", released(2, 1, 10, 4)), ...at("B", rolledback(2, 1, 12, 11, 5))],
      [{ endpoint: "B", version: "1", needed: true, champion: "1" }],
    ],
    [
      "the way back past what was released by alias alone",
      [
        ...byAlias,
        ...promoted(2, 7, 3),
        ...at("B", released(2, 1, 10, 4)),
        ...at("B", rolledback(2, 1, 12, 11, 5)),
        ...rolledback(1, "none", 14, 6, 6),
      ],
      [{ endpoint: "B", version: undefined, needed: false, champion: undefined }],
    ],
    [
      "the way back of a release that two endpoints answer by, whichever it names",
      [
        ...second,
        ...at("B", released(2, 1, 10, 4)),
        ...at("B", rolledback(2, 1, 12, 11, 5)),
        ...rolledback(1, "none", 14, 6, 6),
      ],
      [
        { endpoint: "A", version: undefined, needed: false },
        { endpoint: "B", version: undefined, needed: false },
      ],
    ],
    [
      "a way back that is under way, and names no endpoint",
      [...both, ...rolledback(2, 1, 12, 11, 5).slice(0, 1)],
      [{ endpoint: "A", version: "2", underWay: { version: "1" } }],
    ],
    [
      "the way back that is under way",
      [...both, ...at("A", rolledback(2, 1, 12, 11, 5)).slice(0, 1)],
      [{ endpoint: "A", version: "2", ...rest, underWay: { version: "1" } }],
    ],
    [
      "a first release that was withdrawn",
      [...first, ...at("A", rolledback(1, "none", 7, 6, 5))],
      [{ endpoint: "A", version: undefined, needed: false, champion: undefined }],
    ],
    [
      "a release to another endpoint that was abandoned",
      [...second, ...at("B", released(2, 1, 10, 4)).slice(0, 1), abandoned(10, 5)],
      [
        { endpoint: "A", version: "1", needed: true },
        { endpoint: "B", version: "1", needed: false },
      ],
    ],
    [
      "a release to its own endpoint that was abandoned",
      [...second, ...at("A", released(2, 1, 10, 4)).slice(0, 1), abandoned(10, 5)],
      [{ endpoint: "A", version: "1", needed: true }],
    ],
  ])("%s", (_, facts, wanted) => {
    expect(expected(chain(facts))).toEqual(wanted.map((each) => expect.objectContaining(each)));
  });
});

const good: EndpointState = {
  served: [
    { version: "2", traffic: 100 },
    { version: "1", traffic: 0 },
  ],
  strangers: [],
  phase: "steady",
  ready: true,
  trouble: undefined,
};
const answers = (...served: [string, number][]): EndpointState => ({
  ...good,
  served: served.map(([version, traffic]) => ({ version, traffic })),
});
const champions: ExpectedEndpoint = {
  endpoint: "E",
  version: "2",
  used: true,
  needed: true,
  champion: "2",
  released: ["1", "2"],
};
const moving: ExpectedEndpoint = { ...champions, underWay: { version: "3" } };
const former: ExpectedEndpoint = { ...champions, version: "1", needed: false };
const nothing: ExpectedEndpoint = { ...champions, version: undefined, needed: false };
const firstTime: ExpectedEndpoint = { ...nothing, champion: undefined, underWay: { version: "1" } };
const leaving: ExpectedEndpoint = { ...champions, underWay: { version: undefined } };

describe("an endpoint beside the ledger", () => {
  test.each<[string, ExpectedEndpoint, EndpointState | undefined, readonly string[]]>([
    ["answers with the champion; the one before stands by", champions, good, []],
    ["answers with the champion, which is up twice", champions, answers(["2", 60], ["2", 40]), []],
    ["its last change failed, and the champion answers", champions, { ...good, phase: "failed" }, []],
    ["is gone", champions, undefined, ["no: E is gone; by the ledger it answers v2"]],
    [
      "was routed to the one before",
      champions,
      answers(["1", 100]),
      ["no: E answers v1 with 100 %; by the ledger it answers v2"],
    ],
    [
      "gives a tenth to another",
      champions,
      answers(["2", 90], ["3", 10]),
      ["no: E answers v2 with 90 %, v3 with 10 %; by the ledger it answers v2"],
    ],
    ["serves nothing", champions, answers(), ["no: E answers with nothing; by the ledger it answers v2"]],
    ["serves another model too", champions, { ...good, strangers: ["x.y.z"] }, ["no: E serves x.y.z too"]],
    [
      "is being changed",
      champions,
      { ...good, phase: "changing" },
      ["cannot tell: E is being changed, and no release is under way"],
    ],
    [
      "is down",
      champions,
      { ...good, ready: false, trouble: { version: "2", said: "no memory" } },
      ["note: E is not ready: v2: no memory"],
    ],
    ["a release has not begun to move it", moving, good, []],
    ["a release is moving it", moving, { ...answers(["2", 100], ["3", 0]), phase: "changing" }, []],
    [
      "a release has moved it",
      moving,
      answers(["3", 100], ["2", 0]),
      ["cannot tell: E answers v3 with 100 %; by the ledger it answers v2 and is on its way to v3"],
    ],
    [
      "a release is under way, and it answers a third version",
      moving,
      answers(["1", 100]),
      ["no: E answers v1 with 100 %; by the ledger it answers v2 and is on its way to v3"],
    ],
    [
      "a release is under way, and it serves another model",
      moving,
      { ...good, strangers: ["x.y.z"] },
      ["no: E serves x.y.z too"],
    ],
    [
      "a release is under way, and it is gone",
      moving,
      undefined,
      ["no: E is gone; by the ledger it answers v2 and is on its way to v3"],
    ],
    ["a first release has not made it yet", firstTime, undefined, []],
    ["a first release is making it", firstTime, { ...answers(), phase: "changing", ready: false }, []],
    [
      "a first release has made it",
      firstTime,
      answers(["1", 100]),
      ["cannot tell: E answers v1 with 100 %; by the ledger it answers nothing and is on its way to v1"],
    ],
    [
      "a first release is under way, and it answers something else",
      firstTime,
      answers(["9", 100]),
      ["no: E answers v9 with 100 %; by the ledger it answers nothing and is on its way to v1"],
    ],
    [
      "a withdrawal has taken it down",
      leaving,
      undefined,
      ["cannot tell: E is gone; by the ledger it answers v2 and is on its way to nothing"],
    ],
    [
      "what was never released stands by without requests",
      champions,
      answers(["2", 100], ["9", 0]),
      ["no: E has v9 up, which was never released"],
    ],
    ["a withdrawal has not taken it down yet", leaving, good, []],
    ["was left for another endpoint, and taken down", former, undefined, []],
    [
      "was left for another endpoint, and still answers",
      former,
      answers(["1", 100]),
      ["note: E still answers v1, and v2 is champion"],
    ],
    [
      "was left for another endpoint, and answers what was never released there",
      former,
      answers(["3", 100]),
      ["no: E answers v3 with 100 %; by the ledger it answers v1"],
    ],
    ["was taken down", nothing, undefined, []],
    ["was taken down, and is another model's now", nothing, { ...answers(), strangers: ["x.y.z"] }, []],
    [
      "was taken down, and answers again",
      nothing,
      answers(["1", 100]),
      ["no: E answers v1 with 100 %; by the ledger it answers nothing"],
    ],
  ])("%s", (_, wanted, state, said) => {
    const found = endpointFindings("prod", "E", wanted, state);
    expect(found.map((each) => `${each.verdict}: ${each.message}`)).toEqual(said);
    expect(found.every((each) => each.environment === "prod" && each.fix !== undefined)).toBe(true);
  });
});

describe("the endpoints of a policy", () => {
  const told = chain(both);
  const inForce = told.view.policy;
  if (inForce === undefined) throw new Error("no policy");
  const { policy } = inForce;
  const line = { state: told.state, model: "claims.triage" };
  const never = () => Promise.reject(new Error("an audit changes nothing"));
  const answering = (state: () => Promise<EndpointState | undefined>): ServingEndpoint => {
    return { place: "E", state, ask: never, remove: never, score: never };
  };
  const statusWith = (endpoints: Awaited<ReturnType<typeof auditEndpoints>>["findings"]) =>
    statusOf(
      {
        ...told,
        project: "claims-triage",
        model: line.model,
        ledger: { place: "", local: true, view: async () => told.view, append: async () => undefined },
        policy: known({ inForce, problem: undefined, fix: undefined }),
        first: undefined,
      },
      { looks: [], endpoints },
      policy,
      minutes(60),
    ).environments.find((each) => each.environment === "prod");

  test("are asked for by the name in their catalog, where one was released to, and told in status", async () => {
    const asked: unknown[] = [];
    const audit = await auditEndpoints(policy.environments, line, async (environment, endpoint, model) => {
      asked.push([environment.name, endpoint, model]);
      return answering(async () => answers(["1", 100]));
    });
    expect(asked).toEqual([["prod", "A", "prod.claims.triage"]]);
    expect(audit.asked).toEqual([{ environment: "prod", endpoint: "A", answered: true }]);
    expect(statusWith(audit.findings)).toMatchObject({
      differences: ["E answers v1 with 100 %; by the ledger it answers v2"],
      remarks: [],
    });
  });

  test("that do not answer cannot be told, and differ from nothing; what is a bug stays one", async () => {
    const down = answering(() => Promise.reject(outsideError("http", "it answers 503", "ask again")));
    const audit = await auditEndpoints(policy.environments, line, async () => down);
    const message = "what endpoint A of prod answers could not be seen: it answers 503";
    expect(audit).toEqual({
      asked: [{ environment: "prod", endpoint: "A", answered: false }],
      findings: [{ part: "registry", verdict: "cannot tell", environment: "prod", message, fix: "ask again" }],
    });
    expect(statusWith(audit.findings)).toMatchObject({ differences: [], remarks: [message] });
    // One that only an abandoned release names may be anybody's, or nobody's.
    const named = chain([...second, ...at("B", released(2, 1, 10, 4)).slice(0, 1), abandoned(10, 5)]).state;
    const { findings } = await auditEndpoints(policy.environments, { ...line, state: named }, async () => down);
    expect(findings.map((each) => `${each.verdict}: ${each.message.split(" ")[2]}`)).toEqual([
      "cannot tell: A",
      "note: B",
    ]);
    const broken = answering(() => Promise.reject(new TypeError("x")));
    await expect(auditEndpoints(policy.environments, line, async () => broken)).rejects.toThrow(TypeError);
  });
});
