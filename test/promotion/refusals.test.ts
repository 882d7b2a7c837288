import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import type { Approval } from "../../src/evidence/approval.ts";
import { viewOf } from "../../src/ledger/view.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { factory } from "../support/factory.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import { covering } from "../support/sample.ts";
import {
  type CheckWish,
  GATES,
  type LineAnswer,
  makeLine,
  type Name,
  type PolicyDraft,
  passed,
  putArtifact,
  type SmallLine,
} from "../support/small-line.ts";
import { wheelOf } from "../support/zip.ts";
import { approvalOf, call, everything, forge, placeOf, sourceOf } from "./front-door.ts";

/** One line on one real server. Each case spoils one thing, is refused, leaves everything as it is, and is mended again. */
let server: MlflowServer;
let line: SmallLine;
/** The candidate that everything is right about. */
let number: string;

const HOUR_MS = 3_600_000;
const day = (ms: number) => new Date(Date.now() + ms).toISOString().slice(0, 10);

beforeAll(async () => {
  server = await startMlflowServer();
  line = makeLine(server, {
    policy: (policy) => {
      policy.roles = {
        ...policy.roles,
        "model-risk": ["approver@example.com", "second@example.com", "author@example.com"],
      };
      stage(policy, { ticket: "required" });
    },
  });
  const at = (ms: number) => new Date(Date.now() + ms).toISOString();
  line.tickets({
    "CHG-1": { state: "approved", project: line.project, environment: "prod", from: at(-HOUR_MS), until: at(HOUR_MS) },
    "CHG-2": { state: "approved" },
    "CHG-OPEN": { state: "open" },
    "CHG-CLOSED": { state: "closed" },
    "CHG-REJECTED": { state: "rejected" },
    "CHG-OTHER": { state: "approved", project: "claims-other" },
    "CHG-TEST": { state: "approved", environment: "test" },
    "CHG-EARLY": { state: "approved", from: at(HOUR_MS) },
    "CHG-LATE": { state: "approved", until: at(-HOUR_MS) },
  });
  number = await line.candidate({ text: "weights of the first" });
  // The same bytes again, with newer evidence, which counts from now on.
  const again = await line.check(await line.train("weights of the first"));
  expect(again.digest).toMatch(/^[0-9a-f]{64}$/);
  expect((await line.register()).data?.version).toBe(number);
  expect((await line.promote(number, "test", "--ticket", "CHG-2")).against).toEqual([]);
});
afterAll(async () => {
  line?.remove();
  await server?.stop();
});

function stage(policy: PolicyDraft, change: Partial<Exclude<PolicyDraft["riskTiers"][string]["prod"], undefined>>) {
  const tier = policy.riskTiers.medium;
  if (tier !== undefined) tier.prod = { ...tier.prod, ...change };
}

/** What an approver is shown. */
async function shown() {
  const said = await line.approve(number, "prod", "second", "--ticket", "CHG-1", "--dry-run");
  return z.object({ digest: z.string(), evidence: z.string(), rules: z.string(), policy: z.string() }).parse(said.data);
}

const promote = (...more: string[]) => line.promote(number, "prod", "--ticket", "CHG-1", ...more);

/** Demands a no by this rule, with everything left as it was. */
async function refused(act: () => Promise<LineAnswer>, rule: string, why: RegExp): Promise<void> {
  const before = await everything(server, line);
  const said = await act();
  expect(said.against.filter((each) => each.startsWith(`${rule}: `)).join("\n")).toMatch(why);
  expect(said).toMatchObject({ status: 3, ok: false });
  expect(await everything(server, line)).toEqual(before);
}

describe("approvals that do not count", () => {
  type Forged = [name: string, who: Name, change: () => Partial<Approval> | Promise<Partial<Approval>>, why: RegExp];
  const forged: Forged[] = [
    [
      "over older evidence",
      "approver",
      () => ({ evidence: sha256("older evidence") }),
      /approver@example.com: over other evidence/,
    ],
    ["for another environment", "approver", () => ({ environment: "test" }), /0 of 1 of role model-risk/],
    [
      "expired a moment ago",
      "approver",
      () => ({ notAfter: new Date(Date.now() - 1).toISOString() }),
      /approver@example.com: ended at/,
    ],
    ["wrong role", "owner", () => ({}), /owner@example.com does not have the role model-risk/],
    ["self-approval", "author", () => ({}), /author@example.com changed the code/],
    ["under other rules", "approver", () => ({ rules: sha256("other rules") }), /under other rules/],
    ["for another ticket", "approver", () => ({ ticket: "CHG-2" }), /for ticket CHG-2/],
    ["for another project", "approver", () => ({ project: "claims-other" }), /for another project/],
    ["over other bytes", "approver", () => ({ digest: sha256("other bytes") }), /for another model/],
    [
      "in another's name",
      "second",
      () => ({ approver: "approver@example.com" }),
      /in the name of approver@example.com/,
    ],
    [
      "in a role by a word of the language",
      "second",
      () => ({ role: "constructor" }),
      /does not have the role constructor/,
    ],
  ];

  it("no approval", () => refused(promote, "approvals", /0 of 1 of role model-risk$/));

  it.each(covering(forged, 8, ([name]) => name))("%s", async (_, who, change, why) => {
    const envelope = await approvalOf(line, number, line.people[who], await change());
    await forge(line, who, { kind: "approved", body: { envelope } });
    await refused(promote, "approvals", why);
  });

  it("an entry with the envelope of somebody else", async () => {
    const envelope = await approvalOf(line, number, line.people.approver);
    await forge(line, "second", { kind: "approved", body: { envelope } });
    await refused(promote, "approvals", /signed by another key than its entry/);
  });

  it("withdrawn", async () => {
    expect((await line.approve(number, "prod", "second", "--ticket", "CHG-1")).against).toEqual([]);
    const back = ["approve", "withdraw", number, "--to", "prod", "--reason", "seen too late", "--yes"];
    expect((await line.run("second", back)).against).toEqual([]);
    await refused(promote, "approvals", /second@example.com: withdrawn/);
  });

  it("an envelope that is no approval", async () => {
    const envelope = {
      ...(await approvalOf(line, number, line.people.second)),
      payload: Buffer.from("{}").toString("base64"),
    };
    await forge(line, "second", { kind: "approved", body: { envelope } });
    await refused(promote, "approvals", /0 of 1/);
    const back = ["approve", "withdraw", number, "--to", "prod", "--reason", "seen too late", "--yes"];
    expect((await line.run("second", back)).error).toBeUndefined();
  });
});

describe("who may not approve", () => {
  const approve = (who: Name) => () => line.approve(number, "prod", who, "--ticket", "CHG-1");
  it("the author", () =>
    refused(approve("author"), "approver", /author@example.com changed the code \(1 of 1 changes\)/));
  it("somebody without the role", () => refused(approve("owner"), "approver", /does not have the role model-risk/));
  it("whoever signed the evidence", async () => {
    await line.check(await line.train());
    const next = String((await line.register("second")).data?.version);
    const own = () => line.approve(next, "prod", "second", "--ticket", "CHG-1");
    await refused(own, "approver", /second@example.com signed the evidence: somebody else must approve/);
  });
  it("a service", () => refused(approve("ci"), "actor", /only people approve/));
  it("anybody, a candidate that stands not in the environment before", async () => {
    const next = await line.candidate();
    await refused(() => line.approve(next, "prod", "approver", "--ticket", "CHG-1"), "order", /does not stand in test/);
    await refused(() => line.promote(next, "prod", "--ticket", "CHG-1"), "order", /does not stand in test/);
  });
});

const changedFile = (change: Record<string, unknown>) =>
  JSON.stringify({ ...JSON.parse(readFileSync(join(line.folder, "factory.yaml"), "utf8")), ...change });

describe("a candidate whose evidence is not enough for production", () => {
  const floor = () =>
    JSON.stringify({
      ...JSON.parse(readFileSync(join(line.folder, "factory.yaml"), "utf8")),
      environments: { prod: { gates: { model: { metrics: [{ name: "roc_auc", min: 0.7 }] } } } },
    });
  /** A commit that really is by somebody; the case takes it back. */
  const committed = (author: string): CheckWish => {
    line.git("commit", "--quiet", "--allow-empty", "--message", "Theirs", `--author=Somebody <${author}>`);
    return {};
  };
  const old = (ms: number) => {
    const at = new Date(Date.now() + ms).toISOString();
    return { facts: { started: at, finished: at }, gates: GATES.map((name) => passed(name, new Date(at))) };
  };
  const champion = { environment: "prod", version: "9", digest: sha256("champion"), commit: "2".repeat(40) };
  type Weak = [name: string, wish: () => CheckWish, rule: string, why: RegExp, refusedIn: "test" | "prod"];
  const weak: Weak[] = [
    [
      "missing required gate",
      () => ({ gates: [passed("unit"), passed("model")] }),
      "gates",
      /asks for the gates .*secrets/,
      "prod",
    ],
    [
      "a floor that only production sets",
      () => ({ project: floor() }),
      "thresholds",
      /limits of prod: roc_auc 0.67 < 0.7/,
      "prod",
    ],
    ["too old", () => old(-15 * 24 * HOUR_MS), "evidence age", /15 days old, the limit is P14D/, "prod"],
    ["from the future", () => old(HOUR_MS), "evidence age", /future/, "test"],
    ["unknown author", () => committed("stranger@example.com"), "authors", /does not know stranger/, "test"],
    [
      "people since a commit that a tag made up",
      () => ({ facts: { people: { since: line.commit(), commits: 0, people: [] } } }),
      "authors",
      /nothing serves in prod/,
      "test",
    ],
    [
      "compared with a champion that does not serve",
      () => ({ facts: { champion } }),
      "champion",
      /does not serve any more/,
      "test",
    ],
    [
      "a factory.yaml without limits",
      () => ({ project: changedFile({ gates: {} }) }),
      "thresholds",
      /limits no metric/,
      "test",
    ],
  ];
  it.each(
    covering(
      weak,
      10,
      ([name]) => name,
      ([, , rule]) => rule,
    ),
  )("%s", async (_, wish, rule, why, refusedIn) => {
    const before = line.commit();
    const weakNumber = await line.candidate(wish());
    if (refusedIn === "prod") expect((await line.promote(weakNumber, "test")).against).toEqual([]);
    await refused(() => line.promote(weakNumber, refusedIn, "--ticket", "CHG-1"), rule, why);
    if (line.commit() !== before) line.git("reset", "--quiet", "--hard", before);
  });

  it("a signer that production does not accept", async () => {
    await line.check(await line.train());
    const planned = await line.register("author", "--dry-run");
    const registered = await line.register("author");
    // Registering tells what the promotion will say.
    for (const { data } of [planned, registered])
      expect(data?.notAccepted).toEqual([{ environment: "prod", accepts: ["ci@example.com"] }]);
    const version = String(registered.data?.version);
    expect((await line.promote(version, "test")).against).toEqual([]);
    await refused(
      () => line.promote(version, "prod"),
      "evidence signer",
      /prod accepts evidence signed by ci@example.com/,
    );
    // Whoever is accepted signs the same evidence beside it: nothing is to be said any more, whoever registers again.
    for (const who of ["ci", "author"] as const)
      expect((await line.register(who)).data).not.toHaveProperty("notAccepted");
    expect((await line.promote(version, "prod", "--ticket", "CHG-1", "--dry-run")).against.join()).not.toMatch(
      /signer/,
    );
  });
});

describe("what cannot be registered", () => {
  const LOWER = { name: "roc_auc", min: 0.01 };
  const register = () => line.register();
  const people = (address?: string, known = true, changes = 1): CheckWish["facts"] & object => ({
    people: { since: null, commits: 1, people: address === undefined ? [] : [{ address, known, changes }] },
  });
  const weak: [name: string, wish: CheckWish, why: RegExp][] = [
    ["a gate not passed", { gates: [passed("unit", new Date(), { verdict: "fail" })] }, /failed: unit/],
    [
      "a gate not evaluated",
      { gates: [passed("unit", new Date(), { verdict: "not-evaluated" })] },
      /not evaluated: unit/,
    ],
    ["no gate at all", { gates: [] }, /no gate/],
    ["no commit", { facts: { commit: null } }, /no commit/],
    ["checked on a dirty tree", { facts: { dirty: true } }, /differs from its commit/],
    ["incomplete history", { facts: { people: null } }, /history was incomplete/],
    ["an author who is not in the history", { facts: people("second@example.com") }, /second@.* history says author@/],
    ["nobody, though somebody wrote it", { facts: people() }, /changed by nobody .* history says author@/],
    [
      "an author whom the policy shall not know",
      { facts: people("author@example.com", false) },
      /changed by \?author@/,
    ],
    ["fewer changes than there were", { facts: people("author@example.com", true, 9) }, /\(9\) in 1 .* \(1\) in 1 /],
    [
      "people since a commit that is not in the history",
      { facts: { people: { since: "2".repeat(40), commits: 0, people: [] } } },
      /nobody in 0 commits since 2{40}, the history says author@/,
    ],
    ["another project's evidence", { facts: { project: "claims-other" } }, /about project claims-other/],
    [
      "limits in its statements that its factory.yaml does not set",
      { facts: { thresholds: [{ name: "roc_auc", min: 0.61 }] } },
      /limits that its statements name are not those of the factory.yaml/,
    ],
  ];
  /** What somebody put into the folder of evidence after it was sealed, with every digest made again. */
  const changed: [name: string, wish: () => CheckWish, why: RegExp][] = [
    [
      "a factory.yaml with a lower limit, which the statements name too",
      () => ({
        project: changedFile({ gates: { unit: { run: "true" }, model: { run: "true", metrics: [LOWER] } } }),
        facts: { thresholds: [LOWER] },
      }),
      /^factory.yaml of the evidence is not what commit/m,
    ],
    ["no factory.yaml", () => ({ attachments: [] }), /the evidence holds no factory.yaml/],
    [
      "a contract and a wheel that nobody committed",
      () => ({
        attachments: [
          { kind: "project", name: "factory.yaml", content: readFileSync(join(line.folder, "factory.yaml")) },
          { kind: "contract", name: "contracts/claims.yaml", content: "version: 1\n" },
          { kind: "wheel", name: "claims_triage-0.1.0-py3-none-any.whl", content: wheelOf({ "backdoor.py": "x" }) },
        ],
      }),
      /^contracts\/claims.yaml of the evidence is not what commit .*\nbackdoor.py of the wheel is not what commit/m,
    ],
  ];
  const reasons = async (why: RegExp) => {
    const before = await everything(server, line);
    const said = await register();
    expect(said).toMatchObject({ status: 3, ok: false });
    expect(said.against.join("\n")).toMatch(why);
    expect(await everything(server, line)).toEqual(before);
  };
  it.each(covering(weak, 20, ([name]) => name))("%s", async (_, wish, why) => {
    await line.check(await line.train(), wish);
    await reasons(why);
  });
  it.each(changed)("%s", async (_, wish, why) => {
    await line.check(await line.train(), wish());
    await reasons(why);
  });
  it("a check of some gates hides no check of all, and what it found stands", async () => {
    const only = (gate: string, verdict: "pass" | "fail") =>
      GATES.map((name) => passed(name, new Date(), { verdict: name === gate ? verdict : "not-evaluated" }));
    const run = await line.train();
    await line.check(run, { gates: only("docs", "pass") });
    const partial = await register();
    expect(partial.against).toEqual(["not evaluated: lint, unit, data, model, baseline, secrets"]);
    expect(partial.data?.fix).toBe(`factory check --run ${run.run} (of all gates: this check was partial)`);
    const { cwd, variables } = { cwd: line.folder, variables: line.people.ci.variables };
    expect((await factory(["register"], { cwd, variables })).stdout).toMatch(
      /\n {2}→ factory check --run \w{32} \(of all/,
    );
    const whole = await line.check(run);
    const digits = whole.digest.slice(0, 12);
    await line.check(run, { gates: only("docs", "pass") });
    for (const which of [
      [],
      [run.run.slice(0, 8)],
      ["--evidence", digits],
      ["--evidence", `.factory/evidence/${digits}`],
    ])
      expect(await line.register("ci", "--dry-run", ...which)).toMatchObject({
        status: 0,
        data: { evidence: whole.digest },
      });
    await line.check(run, { gates: only("docs", "fail") });
    await line.check(run, { gates: only("unit", "pass") });
    await reasons(/^the newer evidence .* says of docs: failed$/);
    await line.check(run, {
      gates: GATES.map((name) => passed(name, new Date(), name === "unit" ? { verdict: "fail" } : {})),
    });
    await reasons(/^failed: unit$/);
    await line.check(run);
    expect((await line.register("ci", "--dry-run")).against).toEqual([]);
  });
  it("a commit that the evidence leaves out, and evidence that counts it", async () => {
    const before = line.commit();
    line.git("commit", "--quiet", "--allow-empty", "--message", "Also\n\nCo-authored-by: S <second@example.com>");
    await line.check(await line.train(), { facts: people("author@example.com") });
    await reasons(
      /author@example.com \(1\) in 1 .* history says author@example.com \(2\), second@example.com \(1\) in 2 /,
    );
    await line.check(await line.train());
    expect((await line.register("ci", "--dry-run")).against).toEqual([]);
    line.git("reset", "--quiet", "--hard", before);
  });
  it("a shallow clone", async () => {
    const sealed = await line.check(await line.train());
    writeFileSync(join(line.folder, ".git/shallow"), `${line.commit()}\n`);
    const said = await line.register("ci", "--evidence", sealed.folder);
    rmSync(join(line.folder, ".git/shallow"));
    expect(said).toMatchObject({ status: 2, error: { code: "git.shallow" } });
    expect(said.ran.stdout).toContain("fetch-depth: 0");
  });
  it("a dirty tree", async () => {
    await line.check(await line.train());
    const extra = join(line.folder, "extra.py");
    writeFileSync(extra, "x = 1\n");
    await reasons(/working tree differs/);
    rmSync(extra);
  });
  it("bytes that were changed after they were checked", async () => {
    const run = await line.train();
    await line.check({ ...run, digest: sha256("x  y\n"), manifest: "x  y\n" });
    await reasons(/has bytes sha256/);
  });
});

describe("what spoils a promotion that was approved", () => {
  type Spoil = [
    name: string,
    /** Spoils something and returns how to mend it. */
    spoil: () => Promise<() => unknown> | (() => unknown),
    rule: string,
    why: RegExp,
    args?: () => string[],
  ];
  const file = (path: () => string, change: (text: string) => string) => () => {
    const text = readFileSync(path());
    writeFileSync(path(), change(text.toString("utf8")));
    return () => writeFileSync(path(), text);
  };
  const policyFile = () => join(line.root, "policy.yaml");
  const policy =
    (change: (policy: PolicyDraft) => void, signers?: Name[], version = 2) =>
    () => {
      const kept = [policyFile(), join(line.root, "policy.sigs.jsonl")].map(
        (path) => [path, readFileSync(path)] as const,
      );
      line.writePolicy(
        (draft) => {
          draft.version = version;
          change(draft);
        },
        signers?.map((who) => line.people[who].signer),
      );
      return () => kept.map(([path, text]) => writeFileSync(path, text));
    };
  const nothing = () => () => {};
  const alias = (environment: string, name: string) => async () => {
    const model = `${environment}.${line.model}`;
    await call(line, "POST", "registered-models/alias", { name: model, alias: name, version: "1" });
    return () => call(line, "DELETE", "registered-models/alias", { name: model, alias: name });
  };
  const ledger = (change: (lines: string[]) => string[]) =>
    file(
      () => line.ledgerPath,
      (text) =>
        change(text.split("\n").slice(0, -1))
          .map((each) => `${each}\n`)
          .join(""),
    );
  const withTicket = (id: string) => () => [number, "prod", "--ticket", id];

  const spoils: Spoil[] = [
    ["no ticket", nothing, "ticket", /asks for a change ticket/, () => [number, "prod"]],
    ["unknown ticket", nothing, "ticket", /there is no ticket CHG-9/, withTicket("CHG-9")],
    ["open ticket", nothing, "ticket", /is open/, withTicket("CHG-OPEN")],
    ["closed ticket", nothing, "ticket", /is closed/, withTicket("CHG-CLOSED")],
    ["rejected ticket", nothing, "ticket", /is rejected/, withTicket("CHG-REJECTED")],
    ["ticket of another project", nothing, "ticket", /is for claims-other/, withTicket("CHG-OTHER")],
    ["ticket for another environment", nothing, "ticket", /is for test/, withTicket("CHG-TEST")],
    ["ticket before its window", nothing, "ticket", /allows the change from/, withTicket("CHG-EARLY")],
    ["ticket after its window", nothing, "ticket", /allowed the change until/, withTicket("CHG-LATE")],
    ["spent ticket", nothing, "ticket", /used for test v1/, withTicket("CHG-2")],
    [
      "a ticket closed since the approval",
      file(
        () => join(line.root, "tickets.yaml"),
        (text) => text.replace('"approved"', '"closed"'),
      ),
      "ticket",
      /CHG-1 is closed/,
    ],
    [
      "policy edited by hand",
      file(policyFile, (text) => text.replace('"P14D"', '"P99D"')),
      "policy",
      /a changed policy needs a higher version/,
    ],
    [
      "policy edited by hand, with a higher version",
      file(policyFile, (text) => text.replace('"version": 1', '"version": 2')),
      "policy",
      /signed by 0 of 1/,
    ],
    [
      "policy signed by who is no owner",
      policy(() => {}, ["approver"]),
      "policy",
      /not counted: approver@example.com is not in role policy-owner/,
    ],
    ["a pilot by now", policy((draft) => (draft.projects = {})), "project", /is a pilot/],
    [
      "slot full",
      policy((draft) => (draft.productLines = { claims: { capacity: 0, owner: "owner@example.com" } })),
      "slot",
      /0 slots/,
    ],
    ["frozen on the last day", policy((draft) => freeze(draft, `2026-01-01/${day(0)}`)), "freeze", /prod is frozen/],
    ["frozen on the first day", policy((draft) => freeze(draft, `${day(0)}/2999-01-01`)), "freeze", /prod is frozen/],
    [
      "changed count after the approval",
      policy((draft) => stage(draft, { approvals: [{ role: "model-risk", count: 2 }] })),
      "approvals",
      /under other rules/,
    ],
    [
      "human review asked for",
      policy((draft) => stage(draft, { humanReview: "required" })),
      "human review",
      /none is recorded/,
    ],
    ["no gates any more", policy((draft) => stage(draft, { gates: undefined })), "gates", /nothing would be checked/],
    [
      "an approver who is in the role no more",
      policy((draft) => (draft.roles = { ...draft.roles, "model-risk": ["second@example.com"] })),
      "approvals",
      /approver@example.com does not have the role/,
    ],
    ["an approver whose key ended", policy((draft) => endKey(draft, "approver@example.com")), "approvals", /ended on/],
    [
      "a champion by hand",
      alias("test", "champion"),
      "registry",
      /alias champion of test is v1 in the registry, but none in the ledger/,
    ],
    [
      "a version by hand",
      async () => {
        const name = `prod.${line.model}`;
        await call(line, "POST", "registered-models/create", { name });
        const source = await sourceOf(line, `test.${line.model}`, "1");
        await call(line, "POST", "model-versions/create", { name, source, model_id: source.replace("models:/", "") });
        return () => call(line, "DELETE", "registered-models/delete", { name });
      },
      "registry",
      /prod v1 was made by hand/,
    ],
    [
      "changed model file",
      async () => {
        const place = `${await placeOf(line, `test.${line.model}`, "1")}/data/weights`;
        await putArtifact(line.server.uri, place, "weights of somebody");
        return () => putArtifact(line.server.uri, place, "weights of the first");
      },
      "bytes",
      /they were changed/,
    ],
    [
      "registered once more, with another commit",
      async () => {
        const text = readFileSync(line.ledgerPath);
        const { entries } = viewOf(text);
        const entry = entries.findLast((each) => each.kind === "registered" && each.body.version === number);
        if (entry?.kind !== "registered") throw new Error("nothing is registered");
        await forge(line, "author", { kind: "registered", body: { ...entry.body, commit: "f".repeat(40) } });
        await forge(line, "author", { kind: "registered", body: entry.body });
        return () => writeFileSync(line.ledgerPath, text);
      },
      "evidence",
      /has it registered with commit f{40}, and it is about/,
    ],
    ["ledger shorter than its anchor", ledger((lines) => lines.slice(0, 4)), "ledger", /entries are missing/],
    ["an entry dropped", ledger((lines) => lines.filter((_, i) => i !== 4)), "ledger", /stands where entry 5 belongs/],
    [
      "one bit flipped",
      ledger((lines) => lines.map((each, i) => (i === 3 ? each.replace('"at":"2', '"at":"3') : each))),
      "ledger",
      /entry 4/,
    ],
  ];

  function freeze(draft: PolicyDraft, range: string): void {
    for (const each of draft.environments) if (each.name === "prod") each.freeze = [range];
  }
  function endKey(draft: PolicyDraft, address: string): void {
    for (const key of draft.people?.[address]?.keys ?? []) key.until = day(-24 * HOUR_MS);
  }

  it("is approved now", async () => {
    expect((await line.approve(number, "prod", "approver", "--ticket", "CHG-1")).against).toEqual([]);
    expect((await promote("--dry-run")).against).toEqual([]);
  });

  it.each(
    covering(
      spoils,
      24,
      ([name]) => name,
      ([, , rule]) => rule,
    ),
  )("%s", async (_, spoil, rule, why, args = () => [number, "prod", "--ticket", "CHG-1"]) => {
    const mend = await spoil();
    try {
      const [version = "", to = "", ...more] = args();
      await refused(() => line.promote(version, to, ...more), rule, why);
    } finally {
      await mend();
    }
  });

  it("a ledger that is missing is no answer", async () => {
    const text = readFileSync(line.ledgerPath);
    rmSync(line.ledgerPath);
    const before = await everything(server, line);
    expect(await promote()).toMatchObject({ status: 2, error: { code: "ledger.empty" } });
    // Nor can a new one be begun where an anchor tells of the old one.
    const said = await line.register();
    expect(said).toMatchObject({ status: 3 });
    expect(said.against.join("\n")).toMatch(/entries are missing/);
    expect(await everything(server, line)).toEqual(before);
    writeFileSync(line.ledgerPath, text);
  });

  it("a ledger of another project", async () => {
    const other = makeLine(server, { project: (project) => (project.project = "claims-triage") });
    const text = readFileSync(line.ledgerPath);
    await other.candidate();
    writeFileSync(line.ledgerPath, readFileSync(other.ledgerPath));
    const said = await promote();
    expect(said.status).not.toBe(0);
    expect(said.against.join("\n")).toMatch(/knows no/);
    writeFileSync(line.ledgerPath, text);
    other.remove();
  });

  it("a version that somebody with a key wrote straight into production", async () => {
    const text = readFileSync(line.ledgerPath);
    const { digest, evidence } = await shown();
    const body = {
      model: line.model,
      digest,
      environment: "prod",
      version: "1",
      createdAt: 1,
      evidence,
      run: "x",
      commit: line.commit(),
      times: { checked: new Date().toISOString() },
    };
    await forge(line, "author", { kind: "registered", body });
    await refused(promote, "ledger", /of author@example.com registers v1 in prod, not in dev/);
    writeFileSync(line.ledgerPath, text);
  });

  it("a promotion that was begun on older evidence is ended, not carried on", async () => {
    const { digest, rules, policy: inForce } = await shown();
    const body = {
      model: line.model,
      digest,
      environment: "prod",
      evidence: sha256("older evidence"),
      from: { environment: "test", version: "1" },
      target: `prod.${line.model}`,
      highest: 0,
      rules,
      policy: inForce,
      ticket: "CHG-1",
      approvals: [],
      verdicts: [],
    };
    // Old enough that whoever began it is not at work any more.
    const entry = await forge(line, "ci", { kind: "promotion.started", body }, new Date(Date.now() - 3 * 60_000));
    const said = await promote();
    expect(said).toMatchObject({ status: 5, error: { code: "begun.stale" } });
    expect(line.ledger().at(-1)).toMatchObject({ seq: entry.seq + 1, kind: "abandoned" });
  });

  it("and goes through when all is mended", async () => {
    const said = await promote();
    expect(said.against).toEqual([]);
    expect(said).toMatchObject({ status: 0, data: { outcome: "promoted" } });
  });

  it("is not released by a strategy that the policy does not allow", async () => {
    const mend = policy((draft) => stage(draft, { strategy: ["shadow", "canary"] }))();
    await refused(
      () => line.release(number, "prod", "--strategy", "direct"),
      "strategy",
      /shadow, canary in prod, not direct/,
    );
    mend();
  });

  it("serves in the end, and an older signed policy put back is refused from then on", async () => {
    const putBack = policy(() => {}, ["owner"])();
    expect((await line.release(number, "prod")).against).toEqual([]);
    expect(line.ledger().map((each) => each.kind)).toContain("policy.adopted");
    putBack();
    await refused(promote, "policy", /version 1 is older than version 2, which is in force/);
    // What serves already is asked for again: nothing is decided, and nothing written.
    expect((await line.release(number, "prod")).data).toMatchObject({ again: true });
  });
});
