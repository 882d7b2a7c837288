import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openMlflow } from "../../../src/clients/mlflow/open-mlflow.ts";
import { type MlflowServer, startMlflowServer } from "../../support/mlflow-server.ts";
import { type Clones, type Handed, makeClones } from "./clones.ts";

let server: MlflowServer;
let clones: Clones;
let first: Handed;
let second: Handed;

beforeAll(async () => {
  server = await startMlflowServer();
  clones = makeClones(server, (policy) => {
    const { prod } = policy.riskTiers?.medium ?? {};
    if (prod !== undefined) prod.approvals = [{ role: "model-risk", count: 2 }];
  });
  clones.tickets({
    "CHG-1": { state: "approved", environment: "prod", summary: "first release" },
    "CHG-2": { state: "approved", environment: "prod", summary: "second release" },
  });
  clones.pull("author", "approver", "second", "ci");
});
afterAll(async () => {
  clones?.remove();
  await server?.stop();
});

const registry = () => openMlflow(server.uri, { variables: {} }).registry;
const aliases = async (environment: string) =>
  (await registry().model(`${environment}.${clones.model}`))?.aliases ?? {};
const versions = async (environment: string) => registry().versions(`${environment}.${clones.model}`);
const kinds = () => clones.chain().map(({ kind, by }) => `${kind} ${by.replace("@example.com", "")}`);

describe("author, approvers and CI on their own machines", () => {
  it("CI registers what the author checked, from a plain copy of the evidence", async () => {
    first = await clones.handOver({ text: "first" });
    const said = await clones.run("ci", ["register", "--evidence", first.folder]);
    expect(said.status, said.ran.stdout + said.ran.stderr).toBe(0);
    expect(said.data).toMatchObject({ outcome: "registered", version: "1", digest: first.digest, entry: 2 });
    expect(kinds()).toEqual(["opened ci", "registered ci"]);
  });

  it("an approver without the project sees and refuses to sign what is not promoted that far yet", async () => {
    const early = await clones.run("approver", [
      "approve",
      `${clones.model}/1`,
      "--to",
      "prod",
      "--ticket",
      "CHG-1",
      "--yes",
    ]);
    expect(early.status).toBe(3);
    expect(early.against).toContainEqual(expect.stringMatching(/^order: it does not stand in test/));
    expect(clones.chain()).toHaveLength(2);
    const moved = await clones.run("ci", ["promote", "1", "--to", "test", "--yes"]);
    expect(moved.status, moved.ran.stdout + moved.ran.stderr).toBe(0);
    expect(kinds().slice(2)).toEqual(["promotion.started ci", "promoted ci"]);
  });

  it("two approvers at once: one order, both approvals in", async () => {
    const ask = ["approve", `${clones.model}/1`, "--to", "prod", "--ticket", "CHG-1", "--yes"];
    const said = await clones.together(() => Promise.all([clones.run("approver", ask), clones.run("second", ask)]));
    for (const each of said) expect(each.status, each.ran.stdout + each.ran.stderr).toBe(0);
    expect(kinds().slice(4).sort()).toEqual(["approved approver", "approved second"]);
    expect(said.map((each) => each.data?.entry).sort()).toEqual([5, 6]);
  });

  it("two promoters at once: one winner, the other is told that the world changed", async () => {
    const ask = ["promote", "1", "--to", "prod", "--ticket", "CHG-1", "--yes"];
    const said = await clones.together(() => Promise.all([clones.run("ci", ask), clones.run("author", ask)]));
    expect(said.map((each) => each.status).sort(), said.map((each) => each.ran.stdout).join("\n")).toEqual([0, 5]);
    const loser = said.find((each) => each.status === 5);
    expect(loser?.error?.message).toMatch(/was faster: prod is held by entry 7|the ledger moved/);
    expect(kinds().slice(6)).toEqual([
      expect.stringMatching(/^promotion\.started (?:ci|author)$/),
      expect.stringMatching(/^promoted (?:ci|author)$/),
    ]);
    expect(await versions("prod")).toHaveLength(1);
    expect(await aliases("prod")).toEqual({ challenger: "1" });
  });

  it("CI releases, the author rolls back, and everybody sees the same", async () => {
    const released = await clones.run("ci", ["release", "1", "--env", "prod", "--yes"]);
    expect(released.status, released.ran.stdout + released.ran.stderr).toBe(0);
    expect(await aliases("prod")).toEqual({ champion: "1" });
    const back = await clones.run("author", [
      ...["rollback", "--env", "prod", "--reason", "escalations doubled", "--incident", "INC-7", "--yes"],
    ]);
    expect(back.status, back.ran.stdout + back.ran.stderr).toBe(0);
    expect(await aliases("prod")).toEqual({});
    const named = ["--project", clones.project];
    for (const args of [["ledger", "show"], ["history"], ["status"]]) {
      const seen = await Promise.all([
        clones.run("author", args),
        clones.run("ci", args),
        clones.run("approver", [...args, ...named]),
        clones.run("owner", [...args, ...named]),
      ]);
      const [reference, ...others] = seen.map((each) => ({ status: each.status, data: { ...each.data, now: "" } }));
      expect(reference?.status, args.join(" ")).toBe(0);
      for (const each of others) expect(each, args.join(" ")).toEqual(reference);
    }
    expect(kinds().slice(8)).toEqual([
      "release.started ci",
      "released ci",
      "rollback.started author",
      "rolledback author",
    ]);
  });
});

describe("who signed the evidence, and which policy counts", () => {
  it("evidence that the author registered goes to test and not to prod, until CI has signed it too", async () => {
    second = await clones.handOver({ text: "second" });
    const registered = await clones.run("author", ["register", "--evidence", second.folder]);
    expect(registered.status, registered.ran.stdout + registered.ran.stderr).toBe(0);
    const moved = await clones.run("ci", ["promote", "2", "--to", "test", "--yes"]);
    expect(moved.status, moved.ran.stdout + moved.ran.stderr).toBe(0);
    const before = clones.chain();
    const ask = [`${clones.model}/2`, "--to", "prod", "--ticket", "CHG-2", "--yes"];
    const signer =
      "evidence signer: prod accepts evidence signed by ci@example.com; this was signed by author@example.com";
    const approved = await clones.run("approver", ["approve", ...ask]);
    expect(approved.status).toBe(3);
    expect(approved.against).toEqual([signer]);
    const promoted = await clones.run("ci", ["promote", ...ask]);
    expect(promoted.status).toBe(3);
    expect(promoted.against).toContain(signer);
    expect(clones.chain()).toEqual(before);
    expect(await versions("prod")).toHaveLength(1);

    const again = await clones.run("ci", ["register", "--evidence", second.folder]);
    expect(again.status, again.ran.stdout + again.ran.stderr).toBe(0);
    expect(again.data).toMatchObject({ version: "2", again: true });
    const later = await clones.run("approver", ["approve", ...ask, "--dry-run"]);
    expect(later.status, later.ran.stdout + later.ran.stderr).toBe(0);
  });

  it("a policy that adds a person is adopted by the next writing command", async () => {
    await clones.changePolicy((policy) => {
      policy.version = 2;
      policy.people = {
        ...policy.people,
        "new@example.com": { keys: [{ key: `ed25519:${"A".repeat(43)}=`, from: "2026-01-01" }] },
      };
    });
    clones.pull("ci");
    const third = await clones.handOver({ text: "third" });
    const said = await clones.run("ci", ["register", "--evidence", third.folder]);
    expect(said.status, said.ran.stdout + said.ran.stderr).toBe(0);
    expect(kinds().slice(-2)).toEqual(["policy.adopted ci", "registered ci"]);
  });

  it("one that was edited by hand is not, nor is an older signed one that was put back", async () => {
    const folder = clones.policyOf("ci");
    const path = join(folder, "policy.yaml");
    const text = readFileSync(path, "utf8");
    const before = clones.chain();
    const refused = async (pattern: RegExp): Promise<void> => {
      for (const args of [
        ["promote", "3", "--to", "test", "--yes"],
        ["register", "--evidence", second.folder],
      ]) {
        const said = await clones.run("ci", args);
        expect(said.status, said.ran.stdout + said.ran.stderr).toBe(3);
        expect(said.against.join("\n")).toMatch(pattern);
      }
      expect(clones.chain()).toEqual(before);
    };
    writeFileSync(path, text.replace('"count": 2', '"count": 1'));
    await refused(/a changed policy needs a higher version/);
    writeFileSync(path, text.replace('"count": 2', '"count": 1').replace('"version": 2', '"version": 3'));
    await refused(/signed/);
    clones.git(folder, "ci", "checkout", "--quiet", "HEAD~1", "--", "policy.yaml", "policy.sigs.jsonl");
    expect(readFileSync(path, "utf8")).toContain('"version": 1');
    await refused(/older than/);
    clones.git(folder, "ci", "checkout", "--quiet", "HEAD", "--", "policy.yaml", "policy.sigs.jsonl");
    expect((await clones.run("ci", ["promote", "3", "--to", "test", "--yes"])).status).toBe(0);
  });
});
