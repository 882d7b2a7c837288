import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync, appendFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { openLedgerFile } from "../../src/clients/ledger-file.ts";
import { openLedgerGit } from "../../src/clients/ledger-git.ts";
import { EMPTY_HEAD } from "../../src/ledger/entry.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import { makePerson, opened, registered, signedPolicy } from "../support/line.ts";

const root = mkdtempSync(join(tmpdir(), "factory-ledger-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const owner = makePerson("owner@example.com");
const policy = signedPolicy({ people: [owner] });
const actor = { by: owner.address, signer: owner.signer };
const at = (minute: number) => new Date(Date.UTC(2026, 10, 25, 8, minute));
let n = 0;
let folder = "";
beforeEach(() => {
  folder = join(root, `t${++n}`);
  mkdirSync(folder);
});

describe("a branch of a git repository", () => {
  const home = join(root, "home");
  mkdirSync(home);
  const variables = { PATH: process.env.PATH ?? "", HOME: home };
  const bare = () => {
    const path = join(folder, "ledger.git");
    execFileSync("git", ["init", "--bare", "--quiet", path]);
    return path;
  };
  const open = (url: string, cache: string, project = "claims-triage") =>
    openLedgerGit({ url, branch: "ledger", project, cache: join(folder, cache), variables });

  test("is empty before it exists, and takes entries from two clones", async () => {
    const url = bare();
    const one = openLedger(open(url, "one"));
    const two = openLedger(open(url, "two"));
    expect((await one.view()).head).toEqual(EMPTY_HEAD);
    const first = await one.append(opened(policy), actor, EMPTY_HEAD, at(0));
    expect(first).toMatchObject({ seq: 1 });
    expect(await two.append(opened(policy), actor, EMPTY_HEAD, at(0))).toBeUndefined();
    const { head } = await two.view();
    expect(await two.append(registered(1), actor, head, at(1))).toMatchObject({ seq: 2 });
    expect(await one.append(registered(2), actor, head, at(1))).toBeUndefined();
    const view = await one.view();
    expect(view.problems).toEqual([]);
    expect(view.entries.map((each) => each.seq)).toEqual([1, 2]);
    expect(await open(url, "three").listProjects()).toEqual(["claims-triage"]);
  });
});

describe("a file", () => {
  test("takes entries one after the other", async () => {
    const path = join(folder, "a", "b", "ledger.jsonl");
    const ledger = openLedger(openLedgerFile(path));
    const first = await ledger.append(opened(policy), actor, EMPTY_HEAD, at(0));
    expect(first).toMatchObject({ seq: 1 });
    expect(await ledger.append(registered(1), actor, EMPTY_HEAD, at(1))).toBeUndefined();
    expect(readFileSync(path, "utf8").split("\n")).toHaveLength(2);
    expect(readdirSync(join(folder, "a", "b"))).toEqual(["ledger.jsonl"]);
  });
});
