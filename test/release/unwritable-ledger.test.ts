import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import { alias, good, LineInProd, SHORT } from "./line-in-prod.ts";

// Rollbacks while the ledger cannot be written, is gone or is missing: what is done, what is said when somebody asks for the same or for more,
// and what becomes of the record of it.

let server: MlflowServer;
let of: LineInProd;
let folder: string;
let bare: string;
beforeAll(async () => {
  server = await startMlflowServer();
  folder = mkdtempSync(join(tmpdir(), "factory-ledger-"));
}, 300_000);
afterEach(() => of?.remove());
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await server?.stop();
});

const TIME = { timeout: 300_000 };
const told = (reason: string, ...more: string[]) => ["rollback", "--env", "prod", "--reason", reason, "--yes", ...more];

/** A line whose ledger is in a git repository of its own. */
async function inGit(...texts: string[]): Promise<void> {
  bare = join(mkdtempSync(join(folder, "of-")), "ledger.git");
  execFileSync("git", ["init", "--bare", "--quiet", bare]);
  of = await LineInProd.make(server, {
    policy: SHORT,
    ledger: { kind: "git", url: `file://${bare}`, branch: "ledger" },
  });
  for (const text of texts) await of.release(text);
}
const entriesInGit = () =>
  execFileSync("git", ["-C", bare, "show", `ledger:${of.line.project}.jsonl`], { encoding: "utf8" })
    .trim()
    .split("\n");

test("a ledger that can be read and not be written stops no rollback", TIME, async () => {
  await inGit("one", "two");
  const { line } = of;
  const hook = join(bare, "hooks", "pre-receive");
  writeFileSync(hook, "#!/bin/sh\necho 'read-only maintenance' >&2\nexit 1\n", { mode: 0o755 });
  const back = await good(line.run("ci", told("bad two")));
  expect(back.data).toMatchObject({ outcome: "unrecorded", from: { version: "2" }, to: { version: "1" } });
  expect(back.ran.stderr).toMatch(/did not take an entry.*going on without the ledger/s);
  expect(await of.champion()).toBe("1");
  const again = await good(line.run("ci", told("bad two")));
  expect(again.data).toMatchObject({ outcome: "unrecorded", resumed: true, to: { version: "1" } });
  const colleague = await line.run("owner", told("it is down"));
  expect(colleague.status).toBe(3);
  expect(colleague.against.join()).toContain("serves since the rollback of ci@example.com");
  expect(await of.champion()).toBe("1");
  rmSync(hook);
  const before = entriesInGit().length;
  await of.candidate("three");
  expect(
    entriesInGit()
      .slice(before)
      .map((text) => /"kind":"([^"]*)"/.exec(text)?.[1]),
  ).toEqual(["rollback.started", "rolledback", "registered"]);
  expect(of.pending()).toEqual([]);
  expect((await line.run("ci", ["verify"])).against).toEqual([]);
});

test("without the ledger the same again is done already, and --further goes one version further", TIME, async () => {
  await inGit("one", "two", "three");
  const { line } = of;
  renameSync(bare, `${bare}.gone`);
  await good(line.run("ci", told("bad three")));
  expect(await of.champion()).toBe("2");
  const planned = await good(line.run("ci", told("bad three", "--dry-run")));
  expect(planned.data).toMatchObject({ outcome: "planned", again: true });
  expect((await good(line.run("ci", told("bad three")))).data).toMatchObject({ resumed: true, to: { version: "2" } });
  const colleague = await line.run("owner", told("bad three"));
  expect(colleague.status).toBe(3);
  expect(colleague.against.join()).toMatch(
    /v2 serves since the rollback of ci@example.com at .* \(not in the ledger yet\)/,
  );
  // By hand on the bad one again: the same command puts it back.
  await of.registry.setAlias(`prod.${line.model}`, "champion", "3");
  expect((await line.run("owner", told("bad three"))).against.join()).toContain(
    "only the ledger knows the way back from v3",
  );
  await good(line.run("ci", told("bad three")));
  expect(await of.champion()).toBe("2");
  const further = await good(line.run("ci", told("bad three", "--further")));
  expect(further.data).toMatchObject({ outcome: "unrecorded", from: { version: "2" }, to: { version: "1" } });
  expect(await of.champion()).toBe("1");
  expect((await line.run("owner", told("worse"))).status).toBe(3);
  renameSync(`${bare}.gone`, bare);
  const before = entriesInGit().length;
  await of.candidate("four");
  expect(entriesInGit()).toHaveLength(before + 5);
  expect((await line.run("ci", ["verify"])).against).toEqual([]);
  expect((await good(line.run("ci", told("all bad", "--further")))).data).toMatchObject({
    outcome: "rolledback",
    to: "none",
  });
});

test("a ledger that is missing judges no record of a rollback", TIME, async () => {
  of = await LineInProd.released(server, "one", "two", "three");
  const { line } = of;
  of.ledgerGone();
  await of.cut(alias, ...told("bad three"));
  await good(line.run("ci", told("bad three")));
  expect((await good(line.run("ci", told("bad three")))).data).toMatchObject({ resumed: true });
  const [file = ""] = of.pending();
  await line.check(await line.train("four"));
  const refused = await line.register();
  expect(refused.status).toBe(4);
  expect(refused.error).toMatchObject({ code: "ledger.missing" });
  expect(refused.error?.message).toContain(file);
  expect(refused.ran.stderr + refused.ran.stdout).toContain("factory ledger restore FILE");
  expect((await good(line.run("ci", told("bad two", "--further")))).data).toMatchObject({ to: { version: "1" } });
  expect(of.pending()).toHaveLength(2);
  await good(line.run("ci", ["ledger", "restore", `${line.ledgerPath}.kept`]));
  const before = line.ledger().length;
  // A dry run puts nothing there, and says what a run would put there.
  const planned = await line.rollback("prod", "--dry-run");
  for (const version of ["v3", "v2"])
    expect(planned.ran.stderr).toContain(
      `the rollback of ${version} in prod that waits would be written into the ledger first`,
    );
  expect(line.ledger()).toHaveLength(before);
  await good(line.register());
  expect(
    line
      .ledger()
      .slice(before)
      .map((each) => each.kind),
  ).toEqual(["rollback.started", "rolledback", "rollback.started", "rolledback", "registered"]);
});

test("a reason that holds a secret is refused before anything moves", TIME, async () => {
  of = await LineInProd.released(server, "one", "two");
  const { line } = of;
  of.ledgerGone();
  for (const more of [["--dry-run"], []]) {
    const refused = await line.run("ci", told("leaked dapi0123456789abcdef0123456789abcdef", ...more));
    expect(refused.status).toBe(2);
    expect(refused.error?.code).toBe("ledger.secret");
  }
  expect(await of.champion()).toBe("2");
  of.ledgerBack();
  await line.check(await line.train("three"));
  await good(line.register());
});

test(
  "after a change of the policy that prod has not seen, the earlier file is asked for, and taken",
  TIME,
  async () => {
    of = await LineInProd.released(server, "one", "two");
    const { line } = of;
    const policy = join(line.root, "policy.yaml");
    const earlier = join(line.root, "earlier.yaml");
    writeFileSync(earlier, readFileSync(policy));
    line.writePolicy((draft) => {
      draft.version += 1;
    });
    await of.candidate("three");
    of.ledgerGone();
    const refused = await line.run("ci", told("bad two"));
    expect(refused.status).toBe(3);
    const digest = execFileSync("sha256sum", [earlier], { encoding: "utf8" }).split(" ")[0] ?? "";
    expect(refused.ran.stdout).toContain(`--policy FILE, of which sha256sum says ${digest}`);
    expect((await good(line.run("ci", told("bad two", "--policy", earlier)))).data).toMatchObject({
      to: { version: "1" },
    });
    expect(await of.champion()).toBe("1");
  },
);
