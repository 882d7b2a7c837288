import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openLedgerFile } from "../../src/clients/ledger-file.ts";
import { openLedgerGit } from "../../src/clients/ledger-git.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import { envelopeLine } from "../../src/lib/dsse.ts";
import type { Signer } from "../../src/lib/signing.ts";
import { keyPath, makeKey, writeKeyFile } from "../../src/people/key-file.ts";
import { runJson } from "../cli/documents.ts";
import { factory, makeHome } from "../support/factory.ts";
import { newSigner, personLine, policyText, recordOf, signText } from "./world.ts";

const home = makeHome();
const organisation = join(home.folder, "org");
const project = join(organisation, "proj");
const policyPath = join(organisation, "policy.yaml");
const signatures = join(organisation, "policy.sigs.jsonl");
const ledgerPath = join(project, ".factory", "ledger.jsonl");
const ann = newOwner("ann");
const bob = newOwner("bob");
const eve = newOwner("eve");
const robot = newSigner();

/** A person on a machine of their own: a configuration folder with their key. */
function newOwner(name: string): { signer: Signer; variables: Record<string, string> } {
  const config = join(home.folder, `config-${name}`);
  const { signer, pem } = makeKey(undefined);
  writeKeyFile(keyPath(join(config, "factory"), "default"), pem);
  return { signer, variables: { ...home.variables, XDG_CONFIG_HOME: config } };
}

const PEOPLE = [
  personLine("ann@example.com", [{ key: ann.signer }]),
  personLine("bob@example.com", [{ key: bob.signer }]),
  personLine("eve@example.com", [{ key: eve.signer }]),
  personLine("ci@example.com", [{ key: robot }], "kind: service, "),
];
const base = { owners: ["ann@example.com", "bob@example.com"], quorum: 2, people: PEOPLE };
const more = [
  "productLines: { claims: { capacity: 1, owner: c@example.com } }",
  "projects:",
  "  proj: { productLine: claims, riskTier: low, owner: ann@example.com }",
  "  late: { productLine: claims, riskTier: low, owner: bob@example.com }",
];
const first = policyText({ ...base, more });
const second = policyText({ ...base, more, version: 2, organisation: "Example Two" });

beforeAll(() => {
  for (const name of ["proj", "pilot"]) {
    mkdirSync(join(organisation, name), { recursive: true });
    writeFileSync(
      join(organisation, name, "factory.yaml"),
      `factory: 1\nproject: ${name}\npolicy: ../policy.yaml\nmodel: { name: a.b, train: python train.py }\n`,
    );
  }
});
beforeEach(() => {
  for (const path of [signatures, ledgerPath]) rmSync(path, { force: true });
  writeFileSync(policyPath, first);
});
afterAll(() => home.remove());

/** Puts the first policy in force, as a command that registers would. */
async function open(): Promise<void> {
  const ledger = openLedger(openLedgerFile(ledgerPath));
  const { head } = await ledger.view();
  const body = { project: "proj", model: "a.b", policy: recordOf(first, [ann.signer, bob.signer]) };
  const entry = await ledger.append(
    { kind: "opened", body },
    { by: "ann@example.com", signer: ann.signer },
    head,
    new Date(),
  );
  expect(entry?.seq).toBe(1);
}

const run = (who: { variables: Record<string, string> }, args: readonly string[], cwd = project) =>
  runJson(args.slice(0, 2).join(" "), args, { cwd, variables: who.variables });
const screen = (who: { variables: Record<string, string> }, args: readonly string[], cwd = project) =>
  factory(args, { cwd, variables: who.variables });

describe("from nothing to a policy in force", () => {
  test("each owner signs once; the file is adopted with both", async () => {
    const one = await run(ann, ["policy", "sign"]);
    expect(one.status).toBe(0);
    expect(one.document.data).toMatchObject({
      signed: true,
      owner: "ann@example.com",
      owners: ["ann@example.com"],
      quorum: 2,
      missing: 1,
    });
    const shown = await run(ann, ["policy", "show"]);
    expect(shown.document.data).toMatchObject({
      file: { version: 1, state: "not in force", maySign: ["bob@example.com"] },
      inForce: null,
      signedBy: ["ann@example.com"],
      productLines: [{ name: "claims", used: 2, capacity: 1 }],
      projects: [{ name: "proj" }, { name: "late", noSlot: expect.stringContaining("1 slot") }],
      pilots: ["pilot"],
    });
    expect((await run(ann, ["policy", "diff"])).status).toBe(3);
    const two = await run(bob, ["policy", "sign"]);
    expect(two.document.data).toMatchObject({ owners: ["ann@example.com", "bob@example.com"], missing: 0 });
    expect((await run(bob, ["policy", "show"])).document.data).toMatchObject({ file: { state: "can be adopted" } });
    expect((await run(bob, ["policy", "diff"])).status).toBe(0);
    expect(readFileSync(signatures, "utf8")).toBe(
      [ann, bob].map(({ signer }) => envelopeLine(signText(first, signer))).join(""),
    );
  });

  test("what is in force is told with the entry that brought it", async () => {
    await open();
    const { status, document } = await run(ann, ["policy", "show"]);
    expect(status).toBe(0);
    expect(document.data).toMatchObject({
      file: { state: "in force" },
      inForce: { version: 1, digest: recordOf(first, []).digest, seq: 1, by: "ann@example.com" },
      ledger: ledgerPath,
    });
    const same = await screen(ann, ["policy", "diff"]);
    expect([same.status, same.stdout]).toEqual([0, expect.stringContaining("is the policy in force, v1")]);
  });

  test("the signature of an owner who left with the policy that is in force counted, and is shown so", async () => {
    await open();
    const without = policyText({ ...base, owners: ["bob@example.com"], quorum: 1, more, version: 2 });
    writeFileSync(policyPath, without);
    for (const owner of [ann, bob]) expect((await run(owner, ["policy", "sign"])).status).toBe(0);
    const ledger = openLedger(openLedgerFile(ledgerPath));
    const { head } = await ledger.view();
    const adopted = { kind: "policy.adopted" as const, body: { policy: recordOf(without, [ann.signer, bob.signer]) } };
    await ledger.append(adopted, { by: "bob@example.com", signer: bob.signer }, head, new Date());
    expect((await run(bob, ["policy", "show"])).document.data).toMatchObject({
      file: { state: "in force" },
      signedBy: ["ann@example.com", "bob@example.com"],
      notCounted: [],
      owners: ["bob@example.com"],
      quorum: 1,
    });
  });

  test("a dry run writes nothing, and says the same", async () => {
    const dry = await run(ann, ["policy", "sign", "--dry-run"]);
    expect(dry.document.data).toMatchObject({ signed: false, owner: "ann@example.com", missing: 1 });
    expect(existsSync(signatures)).toBe(false);
    expect((await run(eve, ["policy", "sign", "--dry-run"])).status).toBe(3);
  });

  test("both owners at once: both lines are there", async () => {
    const ran = await Promise.all([run(ann, ["policy", "sign"]), run(bob, ["policy", "sign"])]);
    expect(ran.map((each) => each.status)).toEqual([0, 0]);
    expect(readFileSync(signatures, "utf8").split("\n").filter(Boolean)).toHaveLength(2);
    expect(readdirSync(organisation).sort()).toEqual(["pilot", "policy.sigs.jsonl", "policy.yaml", "proj"]);
  });
});

describe("the answer is no, and nothing is written", () => {
  test.each([
    {
      what: "no owner",
      who: () => eve,
      opened: false,
      text: first,
      problem: "eve@example.com is not in role policy-owner (by the policy)",
    },
    {
      what: "a key that nobody listed",
      who: () => newOwner("new"),
      opened: false,
      text: first,
      problem: "no key with id",
    },
    {
      what: "version not raised",
      who: () => ann,
      opened: true,
      text: first.replace("policyQuorum: 2", "policyQuorum: 1"),
      problem: "a changed policy needs a higher version",
    },
    { what: "in force already", who: () => ann, opened: true, text: first, problem: "is in force already" },
    {
      what: "an owner only by their own edit",
      who: () => eve,
      opened: true,
      text: policyText({ ...base, more, version: 2, owners: ["eve@example.com"], quorum: 1 }),
      problem: "eve@example.com is not in role policy-owner (by policy v1, which is in force)",
    },
    {
      what: "no owners",
      who: () => ann,
      opened: false,
      text: policyText({ people: PEOPLE }),
      problem: "names no policy-owner",
    },
  ])("$what", async ({ who, opened, text, problem }) => {
    if (opened) await open();
    writeFileSync(policyPath, text);
    const { status, document } = await run(who(), ["policy", "sign"]);
    expect(status).toBe(3);
    expect(document.data).toMatchObject({
      signed: false,
      problem: expect.stringContaining(problem),
      fix: expect.any(String),
    });
    expect(existsSync(signatures)).toBe(false);
  });

  test("signed already; a service", async () => {
    await run(ann, ["policy", "sign"]);
    const before = readFileSync(signatures, "utf8");
    expect((await run(ann, ["policy", "sign"])).document.data).toMatchObject({
      problem: "ann@example.com has signed this version already",
      fix: "1 more must sign, of: bob@example.com",
    });
    const path = join(home.folder, "robot.pem");
    const { signer, pem } = makeKey(undefined);
    writeKeyFile(path, pem);
    writeFileSync(policyPath, first.replace(robot.publicKey, signer.publicKey));
    const service = await run({ variables: { ...ann.variables, FACTORY_SIGNING_KEY_FILE: path } }, ["policy", "sign"]);
    expect(service.document.data).toMatchObject({
      problem: expect.stringContaining("ci@example.com is a service, which cannot sign a policy"),
    });
    expect(readFileSync(signatures, "utf8")).toBe(before);
  });

  test("edited by hand: the difference by key, and who may sign", async () => {
    await open();
    writeFileSync(
      policyPath,
      first.replace("policyQuorum: 2", "policyQuorum: 1").replace("gates: [unit]", "gates: [lint]"),
    );
    const { status, document } = await run(eve, ["policy", "diff"]);
    expect(status).toBe(3);
    expect(document.data).toMatchObject({
      state: "not in force",
      difference: ["~ policyQuorum: 2 → 1", '~ riskTiers.low.prod.gates: ["unit"] → ["lint"]'],
      maySign: ["ann@example.com", "bob@example.com"],
    });
    for (const verb of ["diff", "show"])
      expect((await screen(eve, ["policy", verb])).stdout).toContain(
        "  raise version in policy.yaml to 2; then may sign: ann@example.com, bob@example.com: factory policy sign\n",
      );
    writeFileSync(policyPath, second);
    for (const verb of ["diff", "show"])
      expect((await screen(eve, ["policy", verb])).stdout).toContain("  may sign: ann@example.com, bob@example.com");
    writeFileSync(policyPath, `${first}# a comment\n`);
    const comment = await screen(eve, ["policy", "diff"]);
    expect([comment.status, comment.stdout]).toEqual([3, expect.stringContaining("only comments or layout differ")]);
  });
});

test("a new version drops the signatures of the old text and says so", async () => {
  await open();
  writeFileSync(signatures, [ann, bob].map(({ signer }) => envelopeLine(signText(first, signer))).join(""));
  writeFileSync(policyPath, second);
  const { stdout, status } = await screen(ann, ["policy", "sign"]);
  expect(status).toBe(0);
  expect(stdout).toContain("~ organisation: Example Mutual → Example Two");
  expect(stdout.match(/dropped a signature over other bytes/g)).toHaveLength(2);
  expect(stdout).toContain("1 of 2 owners signed (ann@example.com): 1 still missing");
  expect(readFileSync(signatures, "utf8")).toBe(envelopeLine(signText(second, ann.signer)));
});

test("without a ledger, a version that enough owners signed is not signed with other bytes, and their signatures stay", async () => {
  const signed = [ann, bob].map(({ signer }) => envelopeLine(signText(first, signer)));
  writeFileSync(policyPath, `${first}# a comment\n`);
  // One of two is no version yet: it may still be changed.
  writeFileSync(signatures, signed[0] ?? "");
  const draft = await screen(ann, ["policy", "sign", "--dry-run"], organisation);
  expect([draft.status, draft.stdout]).toEqual([0, expect.stringContaining("would drop a signature over other bytes")]);
  writeFileSync(signatures, signed.join(""));
  const refused = await screen(ann, ["policy", "sign"], organisation);
  expect(refused.status).toBe(3);
  expect(refused.stdout).toContain("ann@example.com, bob@example.com signed other bytes as v1, which may be in force");
  expect(refused.stdout).toContain("raise version in policy.yaml, then sign");
  expect(readFileSync(signatures, "utf8")).toBe(signed.join(""));
  // The project's ledger says that nothing is in force yet: then it is a draft all the same.
  expect((await screen(ann, ["policy", "sign", "--dry-run"])).status).toBe(0);
});

describe("what is broken is exit 2", () => {
  test.each([
    ["no envelope", "{}\n"],
    ["no JSON", "hello\n"],
    ["a key twice", `${envelopeLine(signText(first, ann.signer)).replace("{", '{"payloadType":"x",')}`],
    ["another layout", `${envelopeLine(signText(first, ann.signer)).replace('"payload":', '"payload": ')}`],
    ["an empty line", `\n${envelopeLine(signText(first, ann.signer))}`],
  ])("signatures with %s", async (_, text) => {
    writeFileSync(signatures, text);
    for (const verb of ["show", "diff", "sign"]) {
      const { status, document } = await run(ann, ["policy", verb]);
      expect([verb, status, document.error?.code, document.error?.problems?.[0]?.line]).toEqual([
        verb,
        2,
        "policy.signatures",
        1,
      ]);
    }
    expect(readFileSync(signatures, "utf8")).toBe(text);
  });

  test("bytes that are no text, no policy at all, and a policy that is named and missing", async () => {
    writeFileSync(policyPath, Buffer.concat([Buffer.from(first), Buffer.from([0x23, 0x20, 0xff, 0x0a])]));
    expect((await run(ann, ["policy", "show"], organisation)).document.error?.code).toBe("policy.utf8");
    expect((await run(ann, ["policy", "show"], home.folder)).document.error?.code).toBe("policy.missing");
    expect((await run(ann, ["policy", "sign", "--policy", "none.yaml"])).document.error?.code).toBe("file.missing");
  });

  test("a ledger that does not hold decides nothing", async () => {
    await open();
    writeFileSync(ledgerPath, readFileSync(ledgerPath, "utf8").replace("Example Mutual", "Example Mutuel"));
    for (const verb of ["show", "diff", "sign"]) {
      const { status, stdout } = await run(ann, ["policy", verb]);
      expect([verb, status]).not.toEqual([verb, 0]);
      expect(stdout).not.toContain('"in force"');
    }
  });

  test("outside of a project: show and sign do without a ledger, diff does not; a file ledger cannot be named from afar", async () => {
    expect((await run(ann, ["policy", "show"], organisation)).document.data).toMatchObject({
      file: { state: "not known" },
      ledger: null,
    });
    expect((await run(ann, ["policy", "diff"], organisation)).document.error?.code).toBe("policy.project");
    expect((await run(ann, ["policy", "show", "--project", "proj"], organisation)).document.error?.code).toBe(
      "policy.project",
    );
    expect((await run(ann, ["policy", "sign"], organisation)).document.data).toMatchObject({
      asked: false,
      signed: true,
    });
  });
});

test("outside of a project, with ledgers in files: each hint names a folder, and --project no dead end", async () => {
  for (const args of [
    ["policy", "diff"],
    ["ledger", "show"],
    ["ledger", "verify"],
  ]) {
    const { status, document } = await run(ann, args, organisation);
    expect([status, document.error?.hint]).toEqual([2, expect.stringContaining(project)]);
    expect(document.error?.hint).not.toContain("--project");
    const named = await run(ann, [...args, "--project", "proj"], organisation);
    expect([named.status, named.document.error?.hint]).toEqual([2, `run this in ${project}, without --project`]);
    const slip = await run(ann, [...args, "--project", "prj"], organisation);
    expect([slip.status, slip.document.error?.code, slip.document.error?.hint]).toEqual([
      2,
      "project.unknown",
      "did you mean proj?",
    ]);
  }
  const shown = await screen(ann, ["policy", "show"], organisation);
  expect(shown.stdout).toContain("no project here; go into a project's folder, such as ");
  expect(shown.stdout).not.toContain("--project");
});

test("a policy and names that would steer a terminal do not", async () => {
  await open();
  writeFileSync(policyPath, second.replace("catalog: prod", 'catalog: prod\n    x: "\\e[2J"'));
  const broken = await screen(ann, ["policy", "diff"]);
  expect(broken.status).toBe(2);
  writeFileSync(policyPath, `${second}tickets: { system: file, path: "a\\e[2J\\nb\\u202e" }\n`);
  const { stdout, status } = await screen(ann, ["policy", "diff"]);
  expect(status).toBe(3);
  expect(stdout).toContain("\\u001b[2J");
  for (const control of ["\u001b", "\u202e"]) expect(stdout + broken.stdout + broken.stderr).not.toContain(control);
});

test("a ledger in a git repository is asked from anywhere, for the project that is named", async () => {
  const url = join(home.folder, "ledger.git");
  execFileSync("git", ["init", "-q", "--bare", url], { env: home.variables });
  const ledgerLine = `ledger: { kind: git, url: ${url}, branch: ledger }`;
  const text = policyText({ ...base, more: [...more, ledgerLine] });
  const later = policyText({ ...base, version: 2, quorum: 1, more: [...more, ledgerLine] });
  const ledger = openLedger(
    openLedgerGit({
      url,
      branch: "ledger",
      project: "proj",
      cache: join(home.folder, "cache"),
      variables: home.variables,
      signal: new AbortController().signal,
    }),
  );
  const { head } = await ledger.view();
  const body = { project: "proj", model: "a.b", policy: recordOf(text, [ann.signer, bob.signer]) };
  await ledger.append({ kind: "opened", body }, { by: "ann@example.com", signer: ann.signer }, head, new Date());
  writeFileSync(policyPath, later);
  for (const [args, cwd] of [
    [["policy", "diff"], project],
    [["policy", "diff", "--project", "proj"], organisation],
    [["policy", "diff", "--project", "proj", "--policy", policyPath], home.folder],
  ] as const) {
    const { document, status } = await run(ann, args, cwd);
    expect([status, document.data]).toEqual([
      3,
      expect.objectContaining({ inForce: 1, difference: ["~ version: 1 → 2", "~ policyQuorum: 2 → 1"] }),
    ]);
  }
  expect((await run(eve, ["policy", "sign", "--project", "proj"], organisation)).status).toBe(3);
  expect((await run(bob, ["policy", "sign", "--project", "proj"], organisation)).document.data).toMatchObject({
    asked: true,
    missing: 1,
  });
  const late = await run(ann, ["policy", "show", "--project", "late"], organisation);
  expect(late.document.data).toMatchObject({ inForce: null, ledger: expect.stringContaining("late.jsonl") });
  for (const words of ["policy show", "policy diff", "policy sign", "ledger show", "ledger verify"]) {
    const slip = await run(bob, [...words.split(" "), "--project", "prjo"], organisation);
    expect([slip.status, slip.document.error]).toEqual([
      2,
      expect.objectContaining({ code: "project.unknown", hint: "did you mean proj?" }),
    ]);
  }
  const early = await screen(ann, ["approve", "a.b/1", "--to", "prod", "--project", "late"], organisation);
  expect([early.status, early.stderr]).toEqual([2, expect.stringContaining("in its folder: factory register")]);
  const unnamed = await screen(ann, ["policy", "sign", "--dry-run"], organisation);
  expect(unnamed.stdout).toContain("or name one: --project proj");
  expect((await run(ann, ["policy", "show", "--project", "../proj"], organisation)).document.error?.exit).toBe(2);
});
