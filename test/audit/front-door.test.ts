import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EntryBody } from "../../src/ledger/entry.ts";
import { runProcess } from "../../src/lib/run-process.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import { writeModelFile } from "../support/model-bytes.ts";
import { makeLine } from "../support/small-line.ts";
import { signatureJudges } from "../support/uv.ts";
import { forgedPromotion } from "./forge.ts";
import {
  artifacts,
  good,
  historyOf,
  registryOf,
  type Story,
  screen,
  seen,
  statusOf,
  storedFiles,
  tellStory,
} from "./world.ts";

let server: MlflowServer;
let story: Story;
let cache: string;
beforeAll(async () => {
  server = await startMlflowServer();
  story = await tellStory(server);
  cache = join(story.line.people.second.variables.XDG_CACHE_HOME ?? "", "factory", "objects");
}, 180_000);
afterAll(async () => {
  story.line.remove();
  await server.stop();
});

/** The prod name of the model. */
const prod = () => `prod.${story.line.model}`;

describe("what stands and what stood", () => {
  test("status: champion, challenger, way back, approvals", async () => {
    const { status, data } = await statusOf(story.line);
    expect(status).toBe(0);
    expect(data).toMatchObject({
      project: "claims-triage",
      pilot: false,
      listed: { riskTier: "medium", productLine: "claims", slot: 1, capacity: 4 },
      policy: { inForce: { version: 1 }, next: false },
      ledger: { tornBytes: 0, pending: [], problems: [] },
    });
    expect(data.environments.map((each) => each.environment)).toEqual(["dev", "test", "prod"]);
    expect(data.environments.flatMap((each) => [...each.differences, ...each.open])).toEqual([]);
    expect(data.environments[0]).toMatchObject({ champion: null, challenger: { version: "2", number: "2" } });
    expect(data.environments[2]?.champion).toMatchObject({ version: "1", number: "1", rollback: "none" });
    // That of v2 counts no more: v2 was rolled back.
    expect(data.approvals.map((each) => [each.number, each.environment, each.approver, each.ticket])).toEqual([
      ["1", "prod", "approver@example.com", "CHG-1"],
    ]);
  });

  test("history: every change, newest first", async () => {
    const { changes = [] } = await historyOf(story.line);
    expect(changes.map((each) => each.kind)).toEqual(["rolledback", "released", "released"]);
    const [back, second, first] = changes;
    expect(back).toMatchObject({
      environment: "prod",
      name: prod(),
      by: "ci@example.com",
      from: { version: "2" },
      to: { version: "1" },
      reason: "escalations doubled",
      incident: "INC-77",
      undoes: second?.seq,
    });
    if (back?.kind !== "rolledback") throw new Error("no rollback");
    expect(back.detectedToRestoredMs).toBeGreaterThan(89_000);
    expect(second).toMatchObject({
      undoneBy: { seq: back.seq },
      release: { version: "2", number: "2", ticket: "CHG-2", by: "ci@example.com" },
    });
    expect(first).toMatchObject({
      release: {
        version: "1",
        ticket: "CHG-1",
        approvals: [{ approver: "approver@example.com", role: "model-risk", ticket: "CHG-1" }],
        bundles: [expect.stringMatching(/^[0-9a-f]{64}$/), expect.stringMatching(/^[0-9a-f]{64}$/)],
      },
    });
  });

  test("history --at: who served then", async () => {
    const at = async (moment: Date, ...more: string[]) => {
      const { served } = await historyOf(story.line, "--at", moment.toISOString(), ...more);
      return served?.map((each) => [each.environment, each.champion?.version, each.release?.ticket]);
    };
    const [opened] = readFileSync(story.line.ledgerPath, "utf8").split("\n");
    const begins = new Date(/"at":"([^"]+)"/.exec(opened ?? "")?.[1] ?? "");
    expect(await at(begins)).toEqual([
      ["dev", undefined, undefined],
      ["test", undefined, undefined],
      ["prod", undefined, undefined],
    ]);
    expect(await at(story.between, "--env", "prod")).toEqual([["prod", "1", "CHG-1"]]);
    expect(await at(story.during, "--env", "prod")).toEqual([["prod", "2", "CHG-2"]]);
    expect(await at(new Date(), "--env", "prod")).toEqual([["prod", "1", "CHG-1"]]);
  });

  test("history --at: what was before the first entry the ledger cannot tell, and says from when on it can", async () => {
    const { status, error, data } = await story.line.run("second", ["history", "--at", "2020-01-01 12:00"]);
    expect([status, error?.code, data]).toEqual([2, "flags.at", undefined]);
    expect(error?.message).toMatch(
      /begins at 20\d\d-.*Z: it cannot tell what served before, at 2020-01-01T12:00:00\.000Z/,
    );
    const empty = makeLine(server);
    const none = await empty.run("second", ["history", "--at", "2020-01-01"]);
    empty.remove();
    expect([none.status, none.error?.message]).toEqual([2, expect.stringContaining("has no entry")]);
  });

  test.each([
    [["--env", "nowhere"], "environment.unknown"],
    [["--at", "2026-02-30"], "time.date"],
    [["--at", "2100-01-01"], "flags.at"],
  ])("history %s is a wrong call", async (args, code) => {
    const answer = await story.line.run("second", ["history", ...args]);
    expect(answer.status).toBe(2);
    expect(answer.error?.code).toBe(code);
  });

  test("the screens are short and say the same", async () => {
    const [status, history, at, verify] = await Promise.all([
      screen(story.line, "status"),
      screen(story.line, "history"),
      screen(story.line, "history", "--at", story.during.toISOString(), "--env", "prod"),
      screen(story.line, "verify"),
    ]);
    if (process.env.SHOW) console.log([status, history, at, verify].map((each) => each.stdout).join("\n\n"));
    expect(status.stdout.split("\n").length).toBeLessThan(12);
    expect(status.stdout).toMatch(/prod\s+v1 \(dev v1\)/);
    expect(history.stdout).toContain("escalations doubled (INC-77)");
    expect(at.stdout).toContain(`${prod()} v2`);
    expect(verify.stdout).toMatch(/^✔ ledger .*\n.*\n✔ bundles {4}7 of 7/);
  });
});

describe("verify", () => {
  test("a sound line is green, and from the second time on its first two lines need no network", async () => {
    const first = await story.verify();
    expect(first.against).toEqual([]);
    expect(first.status).toBe(0);
    expect(first.data).toMatchObject({ outcome: "yes", bundles: { named: 7, good: 7, evidence: 2 } });
    const again = await story.verify();
    expect(again).toMatchObject({ status: 0, data: { network: false } });
    expect(again.data?.registry?.map((each) => [each.environment, each.versions, each.read])).toEqual([
      ["dev", 2, 1],
      ["test", 2, 1],
      ["prod", 2, 1],
    ]);
  });

  test("the digest of the first policy is printed, and compared when it is given", async () => {
    const { data } = await story.verify(["--offline"]);
    const digest = data?.ledger.firstPolicy ?? "";
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(await story.verify(["--policy-digest", `sha256:${digest.toUpperCase()}`])).toMatchObject({ status: 0 });
    const other = await story.verify(["--policy-digest", "0".repeat(64)]);
    expect(other.status).toBe(3);
    expect(other.against).toEqual([expect.stringContaining(`opened under policy sha256:${digest}`)]);
    expect((await story.verify(["--policy-digest", digest.slice(0, 12)])).status).toBe(2);
  });

  test.each(["1", "2"])("an export of v%s alone is whole, whichever was rolled back", async (number) => {
    const to = mkdtempSync(join(tmpdir(), "factory-test-export-"));
    try {
      const { line } = story;
      await good(line.run("approver", ["evidence", "export", number, "--to", to]));
      const bin = await signatureJudges(line.variables);
      const { status, stdout } = await runProcess({
        argv: [join(bin, "python"), "-E", "-s", join(to, "verify_all.py"), to],
        cwd: to,
        env: { PATH: "" },
        timeoutMs: 60_000,
      });
      expect(status, stdout).toBe(0);
      expect(stdout).toContain("ok   complete");
    } finally {
      rmSync(to, { recursive: true, force: true });
    }
  });

  test("an alias that was moved by hand", async () => {
    const registry = registryOf(story.line);
    await registry.setAlias(prod(), "champion", "2");
    try {
      const { status, against } = await story.verify();
      expect(status).toBe(3);
      expect(against).toEqual(["alias champion of prod is v2 in the registry, but v1 in the ledger"]);
      const { data } = await statusOf(story.line);
      expect(data.environments[2]?.differences).toEqual(against);
    } finally {
      await registry.setAlias(prod(), "champion", "1");
    }
  });

  test("a version that was made by hand", async () => {
    const registry = registryOf(story.line);
    const trained = await story.line.train("by hand");
    const made = await registry.createFromRun({
      model: prod(),
      tags: { "factory.digest": trained.digest },
      above: 2,
      environment: "prod",
      runId: trained.run,
      loggedModelId: trained.loggedModel,
    });
    const { status, against } = await story.verify();
    await registry.removeVersion(prod(), made.version);
    expect(status).toBe(3);
    expect(against).toEqual([`prod v${made.version} was made by hand: the ledger does not know it`]);
  });

  test.each([
    ["other bytes", "data/weights", "worse"],
    ["a file more", "data/more", "x"],
  ])("bytes of the champion: %s", async (_, path, body) => {
    await writeModelFile(story.line.server.uri, prod(), "1", path, body);
    const { status, against } = await story.verify();
    if (path === "data/weights") await writeModelFile(story.line.server.uri, prod(), "1", path, "one");
    else for (const file of artifacts(server, path)) rmSync(file);
    expect(status).toBe(3);
    expect(against).toEqual([expect.stringMatching(/^the bytes of prod v1 \(champion\) are sha256:/)]);
  });

  test("a champion without bytes", async () => {
    const files = artifacts(server, "data/weights").filter((path) => readFileSync(path, "utf8") === "one");
    for (const file of files) rmSync(file);
    const { status, against } = await story.verify();
    for (const file of files) writeFileSync(file, "one");
    expect(status).toBe(3);
    expect(against.join("\n")).toMatch(/the bytes of prod v1 \(champion\) are /);
  });

  test("tags that were forged do not matter: they are copies", async () => {
    const registry = registryOf(story.line);
    const before = (await registry.version(prod(), "1"))?.tags ?? {};
    await registry.setVersionTags(prod(), "1", { "factory.digest": "0".repeat(64), "factory.bundle": "forged" });
    await registry.setModelTags(prod(), { "factory.rollback": "forged" });
    const { status, against } = await story.verify();
    await registry.setVersionTags(prod(), "1", before);
    expect({ status, against }).toEqual({ status: 0, against: [] });
  });

  test("a ledger that was cut by whole entries: the anchors tell", async () => {
    const { status, against, data } = await changedLedger(
      (text) => `${text.split("\n").slice(0, -3).join("\n")}\n`,
      () => story.verify(),
    );
    expect(status).toBe(3);
    expect(data?.ledger.entries).toBe(17);
    expect(against).toContain(
      "the ledger ends with entry 17, but prod was written to when it had 19: entries are missing",
    );
    expect(against).toContain("alias champion of prod is v1 in the registry, but v2 in the ledger");
  });

  test("of a ledger that lacks entries status says so first, names the way, and holds nothing against anybody", async () => {
    const cut = await changedLedger(
      (text) => `${text.split("\n").slice(0, -2).join("\n")}\n`,
      () => screen(story.line, "status"),
    );
    const [, first = "", way = ""] = cut.stdout.split("\n");
    expect(first).toMatch(
      /^✖ the ledger is not whole: .* but prod was written to when it had 19: entries are missing$/,
    );
    expect(way).toContain("factory ledger restore");
    expect(cut.stdout).toMatch(/rollback of 2 begun, .* {3}perhaps ended/);
    expect(cut.stdout).not.toMatch(/carries on|by hand|in the registry|approved by/);
    const { gone, found } = await changedLedger(
      () => "",
      async () => ({ gone: await screen(story.line, "status"), found: await story.verify() }),
    );
    expect(gone.stdout).toMatch(/not whole: the ledger ends with entry 0, but prod was written to when it had 19/);
    expect(gone.stdout).not.toMatch(/carries on|by hand|in the registry|puts it in force/);
    expect(found.data?.findings.map(({ message, fix }) => `${message} ${fix}`).join("\n")).not.toContain("by hand");
    expect(found.against).toContain("prod v1 is not in what there is of the ledger");
  });

  test.each([
    ["a flipped byte", (text: string) => text.replace("INC-77", "INC-78"), "entry 18"],
    ["a torn rest", (text: string) => `${text}{"v":1,"seq":`, "13 bytes of a line without its end"],
    ["nothing", () => "", "the ledger holds no entry"],
  ])("a ledger with %s", async (_, change, message) => {
    const { status, against } = await changedLedger(change, () => story.verify(["--offline"]));
    expect(status).toBe(3);
    expect(against.join("\n")).toContain(message);
  });

  test("entries that wait for the ledger are not green", async () => {
    const folder = join(story.line.folder, ".factory", "pending");
    mkdirSync(folder);
    writeFileSync(join(folder, "2026-11-25T09-00-00-000Z-rollback.json"), "{}");
    const { status, against } = await story.verify(["--offline"]);
    const { data } = await statusOf(story.line);
    rmSync(folder, { recursive: true });
    expect(status).toBe(3);
    expect(against).toEqual([expect.stringContaining("in .factory/pending wait for the ledger")]);
    expect(data.ledger.pending).toHaveLength(1);
  });
});

describe("verify and what it keeps", () => {
  const bundle = () => one(story.line.folder, "released");
  const offline = () => story.verify(["--offline"]);

  test("a bundle that was changed in the cache is fetched again, and never believed", async () => {
    for (const path of ["decision.jsonl", "bundle.json"]) {
      const file = join(cache, bundle(), path);
      chmodSync(file, 0o600);
      writeFileSync(file, readFileSync(file, "utf8").replace("e", "f"));
      const asked = await offline();
      expect(asked.status, path).toBe(4);
      expect(asked.against.join("\n")).toContain("not in the cache of this machine");
      expect(await story.verify()).toMatchObject({ status: 0, data: { network: true } });
    }
    expect(await offline()).toMatchObject({ status: 0, data: { network: false } });
  });

  test("signatures that were taken out of the cache are asked for again", async () => {
    const evidence = one(story.line.folder, "registered");
    const signatures = join(cache, evidence, "signatures");
    rmSync(signatures, { recursive: true });
    expect(await offline()).toMatchObject({ status: 4 });
    expect(await story.verify()).toMatchObject({ status: 0, data: { network: true } });
    expect(existsSync(signatures)).toBe(true);
  });

  test.each([
    ["a bundle", "released", "decision.jsonl", "decision.jsonl that is stored under"],
    ["evidence", "registered", "model/manifest.sha256", "model/manifest.sha256 that is stored under"],
    ["an index", "registered", "evidence.json", "evidence.json that is stored under"],
  ] as const)("%s that was changed in the store", async (_, kind, path, message) => {
    const digest = one(story.line.folder, kind);
    const files = storedFiles(server, digest, path);
    expect(files.length).toBeGreaterThan(0);
    const before = readFileSync(files[0] ?? "");
    for (const file of files) writeFileSync(file, Buffer.concat([before.subarray(0, -1), Buffer.from("x")]));
    rmSync(join(cache, digest), { recursive: true });
    const { status, against } = await story.verify();
    for (const file of files) writeFileSync(file, before);
    expect(status).toBe(3);
    expect(against.join("\n")).toContain(message);
    expect(existsSync(join(cache, digest))).toBe(false);
    expect(await story.verify()).toMatchObject({ status: 0 });
  });

  test("a bundle that the store has lost", async () => {
    const digest = bundle();
    const files = storedFiles(server, digest, "policy.yaml");
    const before = readFileSync(files[0] ?? "");
    for (const file of files) rmSync(file);
    rmSync(join(cache, digest), { recursive: true });
    const { status, against } = await story.verify();
    for (const file of files) writeFileSync(file, before);
    expect(status).toBe(3);
    expect(against.join("\n")).toContain("policy.yaml is missing in what is stored under");
    expect(await story.verify()).toMatchObject({ status: 0 });
  });
});

describe("a decision that was not one", () => {
  const everyRuleSaysYes = (body: EntryBody<"promotion.started">) => ({ ...body, approvals: [] });

  test.each<[string, (body: EntryBody<"promotion.started">) => EntryBody<"promotion.started">, RegExp]>([
    ["no approval", everyRuleSaysYes, /decided again, approvals: 0 of 1 of role model-risk/],
    [
      "a spent ticket",
      (body) => ({ ...everyRuleSaysYes(body), ticket: "CHG-1" }),
      /decided again, ticket: ticket CHG-1 is spent/,
    ],
    [
      "other rules",
      (body) => ({ ...everyRuleSaysYes(body), rules: "0".repeat(64) }),
      /decided again, rules: policy and evidence give/,
    ],
  ])("by somebody who may sign, with %s: every signature holds, the decision does not", async (_, change, message) => {
    await changedLedger(
      (text) => forgedPromotion(text, story.line.people.ci, change, cache),
      async () => {
        const { status, against } = await story.verify(["--offline"]);
        expect(status).toBe(3);
        expect(against.join("\n")).toMatch(message);
        expect(against.filter((each) => !each.includes("decided again"))).toEqual([]);
      },
    );
  });
});

describe("without a checkout of the project", () => {
  test("policy and name are enough when the ledger is one that others can reach", async () => {
    const ledger = mkdtempSync(join(tmpdir(), "factory-audit-ledger-"));
    execFileSync("git", ["init", "--quiet", "--bare", ledger]);
    const line = makeLine(server, { ledger: { kind: "git", url: ledger, branch: "ledger" } });
    try {
      await line.candidate({ text: "elsewhere" });
      await good(line.promote("1", "test"));
      const elsewhere = { cwd: line.root };
      const ask = (...args: string[]) => line.run("approver", [...args, "--project", "claims-triage"], elsewhere);
      const first = seen(await ask("verify"));
      expect(first).toMatchObject({
        status: 0,
        data: { model: line.model, bundles: { named: 1, good: 1 }, network: true },
      });
      expect(seen(await ask("verify"))).toMatchObject({ status: 0, data: { network: false } });
      expect((await ask("status")).data).toMatchObject({ project: "claims-triage", model: line.model });
      expect((await ask("history")).data).toMatchObject({ changes: [] });
      line.writePolicy((policy) => {
        policy.version += 1;
        policy.ledger = { kind: "git", url: "https://git.example.com/ledger.git", branch: "ledger" };
      });
      const refused = await ask("verify", "--offline");
      expect(refused).toMatchObject({ status: 2, error: { code: "verify.offline" } });
    } finally {
      line.remove();
      rmSync(ledger, { recursive: true });
    }
  });
});

/** These change what cannot be put back: they come last. */
describe("the end of the story", () => {
  test("a version that was deleted", async () => {
    await registryOf(story.line).removeVersion(prod(), "2");
    const { status, against } = await story.verify();
    expect(status).toBe(3);
    expect(against).toEqual(["prod v2 is in the ledger, and not in the registry"]);
    expect(await story.verify(["--offline"])).toMatchObject({ status: 0 });
  });

  test("without its server: the first two lines are green from the cache, the third cannot be told", async () => {
    await server.stop();
    const offline = await story.verify(["--offline"]);
    expect(offline).toMatchObject({
      status: 0,
      data: { outcome: "yes", network: false, registry: null, bundles: { named: 7, good: 7 } },
    });
    const shown = await screen(story.line, "verify", "--offline");
    expect(shown.stdout).toContain("✔ offline    nothing was asked of the network for the first two lines");
    const asked = await screen(story.line, "verify");
    expect(asked.status).toBe(4);
    expect(asked.stdout).toMatch(/✔ ledger .*[\s\S]*✔ bundles .*[\s\S]*\? registry/);
    expect(asked.stderr).toMatch(/^✖ nothing is wrong, but \d things? could not be told$/m);
    // Each problem and each hint once.
    const said = `${asked.stdout}${asked.stderr}`.split("\n").filter((each) => /did not answer|→/.test(each));
    expect(said.length).toBeGreaterThan(0);
    expect(new Set(said).size).toBe(said.length);
    expect(`${asked.stdout}${asked.stderr}`.match(/did not answer/g)).toHaveLength(1);
    const { status, data } = await statusOf(story.line);
    expect(status).toBe(0);
    expect(data.environments[2]).toMatchObject({ champion: { version: "1" }, unanswered: expect.any(String) });
    expect((await historyOf(story.line)).changes).toHaveLength(3);
    rmSync(cache, { recursive: true });
    expect(await story.verify(["--offline"])).toMatchObject({ status: 4 });
  });
});

async function changedLedger<T>(change: (text: string) => string, run: () => Promise<T>): Promise<T> {
  const before = readFileSync(story.line.ledgerPath, "utf8");
  try {
    writeFileSync(story.line.ledgerPath, change(before));
    return await run();
  } finally {
    writeFileSync(story.line.ledgerPath, before);
  }
}

/** Bundle or evidence of the last entry of a kind. */
function one(folder: string, kind: "released" | "registered"): string {
  const lines = readFileSync(join(folder, ".factory", "ledger.jsonl"), "utf8").split("\n");
  const line = lines.findLast((each) => each.includes(`"kind":"${kind}"`)) ?? "";
  return new RegExp(`"${kind === "released" ? "bundle" : "evidence"}":"([0-9a-f]{64})"`).exec(line)?.[1] ?? "";
}
