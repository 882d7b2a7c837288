import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { EntryBody } from "../../src/ledger/entry.ts";
import { runProcess } from "../../src/lib/run-process.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import type { LineWish } from "../support/small-line.ts";
import { signatureJudges } from "../support/uv.ts";
import { placed } from "./endpoint-parts.ts";
import { good, LineInProd, SHORT } from "./line-in-prod.ts";

// What somebody with a listed key and no rights on the registry signs, begun and ended as they like: what does not follow from the chain
// makes no command of others move anything, and takes no rule away.

let server: MlflowServer;
let of: LineInProd | undefined;
beforeAll(async () => {
  server = await startMlflowServer();
}, 300_000);
afterEach(() => of?.remove());
afterAll(() => server?.stop());

const TIME = { timeout: 300_000 };
const told = ["rollback", "--env", "prod", "--reason", "it is down", "--yes"];

/** Two environments, and one approval for the second. */
const APPROVED: NonNullable<LineWish["policy"]> = (policy, people) => {
  SHORT(policy, people);
  const prod = policy.riskTiers?.medium?.prod;
  if (prod !== undefined) prod.approvals = [{ role: "model-risk", count: 1 }];
};

/** A rollback in prod as the author signs it, begun and ended. */
function forgeRollback(line: LineInProd, body: Pick<EntryBody<"rollback.started">, "digest" | "from" | "to">): void {
  const about = { model: line.line.model, environment: "prod", digest: body.digest, reason: "it is down" };
  const started = line.forge(
    "author",
    { kind: "rollback.started", body: { ...about, from: body.from, to: body.to } },
    0,
  );
  line.forge("author", { kind: "rolledback", body: { ...about, started, to: body.to } }, 0);
}

test("a rollback that was ended where none could go is no way to there for whoever is on call", TIME, async () => {
  of = await LineInProd.released(server, "one", "two");
  const { line } = of;
  const bad = placed(of.last("released").body);
  await good(line.rollback("prod"));
  await of.release("three");
  const serves = placed(of.last("released").body);
  forgeRollback(of, { digest: serves.digest, from: serves, to: bad });
  // What does not fit ended nothing: it is given up first, at once, whoever began it.
  expect((await line.run("owner", told)).status).toBe(5);
  const back = await good(line.run("owner", told));
  expect(back.data).toMatchObject({ to: { version: "1" } });
  expect(await of.champion()).toBe("1");
  expect((await line.run("ci", ["verify"])).ran.stdout).toContain("goes back to v2, but v1 was fixed");
});

test(
  "a rollback that was begun about other bytes does not leave the approvals of what it takes away",
  TIME,
  async () => {
    of = await LineInProd.make(server, { policy: APPROVED });
    const { line } = of;
    await of.release("one");
    const to = placed(of.last("released").body);
    const two = await of.release("two");
    const { seq, body } = of.last("released");
    const about = { model: line.model, environment: "prod", digest: to.digest, undoes: seq, reason: "it is down" };
    of.forge("author", { kind: "rollback.started", body: { ...about, from: placed(body), to } });
    expect((await line.run("owner", told)).status).toBe(5);
    await good(line.run("owner", told));
    expect(await of.champion()).toBe("1");
    const again = await line.release(two, "prod");
    expect(again.against.join()).toContain("given before it was rolled back");
    expect(again.status).toBe(3);
  },
);

test("a release that nobody approved, begun and ended, is no way back for a rollback", TIME, async () => {
  of = await LineInProd.make(server, { policy: APPROVED });
  const { line } = of;
  await of.release("one");
  await of.release("two");
  const bad = of.last("released").body;
  const began = of.last("release.started").body;
  await good(line.rollback("prod"));
  await of.release("three");
  const serves = of.last("released").body;
  const begun = of.last("release.started").body;
  // The version that was taken away is released again, and the one that serves after it.
  for (const [body, start, before] of [
    [bad, began, serves],
    [serves, begun, bad],
  ] as const) {
    const way = { rollback: { ...placed(before), signature: "not stated" as const }, champion: placed(before) };
    const started = of.forge("author", { kind: "release.started", body: { ...start, ...way } });
    of.forge("author", { kind: "released", body: { ...body, rollback: way.rollback, started } });
  }
  // What was begun and not ended has to be ended first, as the rollback says.
  const refused = await line.run("owner", told);
  expect([refused.status, refused.against.join()]).toEqual([3, expect.stringContaining("a release of v2 was begun")]);
  await good(line.run("owner", ["promote", "--to", "prod", "--abandon", "--reason", "nobody approved it"]));
  await good(line.run("owner", told));
  expect(await of.champion()).toBe("1");
  expect((await line.run("ci", ["verify"])).ran.stdout).toContain(
    "releases v2 without the approvals of role model-risk that the policy asked for",
  );
});

test(
  "what does not fit stops promotions until a quorum of owners sets it aside, and is named for ever",
  TIME,
  async () => {
    of = await LineInProd.released(server, "one");
    const { line } = of;
    const two = await of.candidate("two");
    const [start, end] = [of.last("release.started").body, of.last("released").body];
    const nowhere = { version: "9", digest: "9".repeat(64) };
    const started = of.forge("author", { kind: "release.started", body: { ...start, ...nowhere } });
    const forged = of.forge("author", {
      kind: "released",
      body: { ...end, ...nowhere, started, bundle: "8".repeat(64) },
    });
    const hash = of.entries().at(-1)?.hash ?? "";
    await good(line.run("owner", ["promote", "--to", "prod", "--abandon", "--reason", "nobody began it"]));

    const refused = await line.promote(two, "prod");
    expect(refused.status).toBe(3);
    expect(refused.against.join()).toContain(
      `entry ${forged} releases v9, which was never promoted there (factory verify`,
    );
    const verify = await line.run("ci", ["verify"]);
    expect([verify.status, verify.ran.stdout.includes(`- { entry: ${hash}, reason:`)]).toEqual([3, true]);

    const setAside = (entry: string, signers?: Parameters<typeof line.writePolicy>[1]) =>
      line.writePolicy((policy) => {
        policy.version = 2;
        policy.setAside = [{ entry, reason: "the author's laptop was stolen" }];
      }, signers);
    // Nobody but the owners can, and no other entry is meant.
    setAside(hash, [line.people.author.signer]);
    expect((await line.promote(two, "prod")).status).toBe(3);
    setAside(of.last("released").prev);
    expect((await line.promote(two, "prod")).status).toBe(3);

    setAside(hash);
    await good(line.promote(two, "prod"));
    await good(line.release(two, "prod"));
    await good(line.rollback("prod"));
    const after = await good(line.run("ci", ["verify"]));
    expect(after.ran.stdout).toContain("the owners of the policy set it aside: the author's laptop was stolen");
    const to = join(line.folder, "..", "for-the-auditor");
    const { data } = await good(line.run("ci", ["evidence", "export", "--all", "--to", to]));
    const python = join(await signatureJudges(line.people.ci.variables), "python");
    const argv = [python, "-E", "-s", "-B", join(to, "verify_all.py"), to, String(data?.firstPolicy)];
    const outside = await runProcess({ argv, cwd: to, env: { PATH: "" }, timeoutMs: 60_000 });
    expect([outside.status, outside.stdout]).toEqual([0, expect.stringContaining("begun and not ended, 1 set aside")]);
  },
);
