import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openLedgerFile } from "../../src/clients/ledger-file.ts";
import { openLedgerGit } from "../../src/clients/ledger-git.ts";
import { EMPTY_HEAD } from "../../src/ledger/entry.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import { viewOf } from "../../src/ledger/view.ts";
import { chainOf, makePerson, opened, registered, signedPolicy } from "../support/line.ts";
import { buildWriter, runWriter } from "./world.ts";

const root = mkdtempSync(join(tmpdir(), "factory-ledger-"));
chmodSync(root, 0o755);
const owner = makePerson("owner@example.com");
const actor = { by: owner.address, signer: owner.signer };
const chain = chainOf(
  [opened(signedPolicy({ people: [owner] })), registered(1), registered(2)].map((fact) => ({ fact, by: owner })),
);
const [first] = chain.lines;
const at = (minute: number) => new Date(Date.UTC(2026, 10, 25, 8, minute));
const range = (n: number) => Array.from({ length: n }, (_, i) => i);
let writer = "";
let folder = "";
let path = "";
let n = 0;

beforeAll(async () => {
  writer = await buildWriter(root);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeEach(() => {
  folder = join(root, `t${++n}`);
  mkdirSync(folder);
  path = join(folder, "ledger.jsonl");
});

describe("a file", () => {
  test("is made with its folders, and takes an entry only on the head that was expected", async () => {
    path = join(folder, "a", "b", "ledger.jsonl");
    const ledger = openLedger(openLedgerFile(path));
    expect(await ledger.view()).toMatchObject({ entries: [], head: EMPTY_HEAD, problems: [], policy: undefined });
    expect(await ledger.append(opened(signedPolicy({ people: [owner] })), actor, EMPTY_HEAD, at(0))).toMatchObject({
      seq: 1,
    });
    const { head } = await ledger.view();
    expect(await ledger.append(registered(1), actor, EMPTY_HEAD, at(1))).toBeUndefined();
    expect(await ledger.append(registered(1), actor, { ...head, seq: 2 }, at(1))).toBeUndefined();
    expect(await ledger.append(registered(1), actor, head, at(1))).toMatchObject({ seq: 2 });
    expect(readFileSync(path, "utf8").split("\n")).toHaveLength(3);
    expect(readdirSync(join(folder, "a", "b"))).toEqual(["ledger.jsonl"]);
  });

  test("what a reader would refuse is not written", async () => {
    const stranger = makePerson("stranger@example.com");
    const ledger = openLedger(openLedgerFile(path));
    writeFileSync(path, chain.text);
    const { head } = await ledger.view();
    const refusals: [Promise<unknown>, { code: string; exit: number }][] = [
      [
        ledger.append(registered(3), { by: stranger.address, signer: stranger.signer }, head, at(5)),
        { code: "ledger.refused", exit: 2 },
      ],
      [
        ledger.append(registered(3), { by: "other@example.com", signer: owner.signer }, head, at(5)),
        { code: "ledger.refused", exit: 2 },
      ],
      [
        ledger.append(registered(3), actor, head, new Date(Date.UTC(2026, 10, 25, 7, 50))),
        { code: "clock.behind", exit: 4 },
      ],
    ];
    for (const [refused, error] of refusals) await expect(refused).rejects.toMatchObject(error);
    expect(readFileSync(path)).toEqual(chain.text);
    writeFileSync(path, chain.text.toString().replace("run1", "run9"));
    await expect(openLedger(openLedgerFile(path)).append(registered(3), actor, head, at(5))).rejects.toMatchObject({
      code: "ledger.broken",
      exit: 5,
    });
  });

  test("a torn rest is told, then set aside, and is never lost", async () => {
    const torn = chain.text.subarray(0, chain.text.length - 40);
    writeFileSync(path, torn);
    const ledger = openLedger(openLedgerFile(path));
    const view = await ledger.view();
    expect(view).toMatchObject({ problems: [], head: { seq: 2 } });
    const rest = torn.subarray(torn.lastIndexOf("\n") + 1);
    expect(view.tornBytes).toBe(rest.length);
    expect(readFileSync(path)).toEqual(torn);
    expect(await ledger.append(registered(3), actor, view.head, at(5))).toMatchObject({ seq: 3 });
    const beside = readdirSync(folder).filter((name) => name.startsWith("ledger.jsonl.torn-"));
    expect(beside.map((name) => readFileSync(join(folder, name)))).toEqual([rest]);
    expect(await ledger.view()).toMatchObject({ problems: [], tornBytes: 0, head: { seq: 3 } });
  });

  test("a symbolic link is not followed, neither of the file nor of its folder, and a pipe is not waited for", async () => {
    const real = join(folder, "real");
    mkdirSync(real);
    writeFileSync(join(real, "ledger.jsonl"), chain.text);
    symlinkSync(join(real, "ledger.jsonl"), path);
    symlinkSync(real, join(folder, "linked"));
    execFileSync("mkfifo", [join(folder, "pipe.jsonl")]);
    for (const place of [path, join(folder, "linked", "ledger.jsonl"), join(folder, "pipe.jsonl")]) {
      const store = openLedgerFile(place);
      await expect(store.read()).rejects.toMatchObject({ code: "ledger.link", exit: 4 });
      await expect(store.append(first ?? "", EMPTY_HEAD)).rejects.toMatchObject({ code: "ledger.link", exit: 4 });
    }
    expect(readFileSync(join(real, "ledger.jsonl"))).toEqual(chain.text);
  });

  test("8 processes with 50 entries each: one chain, all in it, none lost", async () => {
    writeFileSync(path, `${first}\n`);
    const runs = await Promise.all(
      range(8).map((i) =>
        runWriter(writer, { place: { kind: "file", path }, person: owner, count: 50, first: 100 * i + 1 }),
      ),
    );
    expect(runs.map(({ status, stderr }) => [status, stderr])).toEqual(runs.map(() => [0, ""]));
    const view = viewOf(readFileSync(path));
    expect(view.problems).toEqual([]);
    expect(view.entries.map((entry) => entry.seq)).toEqual(range(401).map((i) => i + 1));
    expect(
      view.entries
        .slice(1)
        .map((entry) => entry.hash)
        .sort(),
    ).toEqual(runs.flatMap((run) => run.hashes).sort());
    expect(readdirSync(folder)).toEqual(["ledger.jsonl"]);
  }, 300_000);

  test("kill -9 in the middle: what was told to be written is there, the rest is whole or torn, and the next one goes on", async () => {
    writeFileSync(path, `${first}\n`);
    const told: string[] = [];
    for (const round of range(6)) {
      const { hashes, signal, stderr } = await runWriter(
        writer,
        { place: { kind: "file", path }, person: owner, count: 1000, first: 1000 * round + 1 },
        (written, kill) => written > 5 + round && kill(),
      );
      expect([signal, stderr]).toEqual(["SIGKILL", ""]);
      told.push(...hashes);
    }
    const ledger = openLedger(openLedgerFile(path));
    const { head, entries, problems } = await ledger.view();
    expect(problems).toEqual([]);
    const there = new Set(entries.map((entry) => entry.hash));
    expect(told.filter((hash) => !there.has(hash))).toEqual([]);
    expect(told.length).toBeGreaterThan(30);
    expect(await ledger.append(registered(9999), actor, head, at(30))).toMatchObject({ seq: head.seq + 1 });
  });

  test("a file that may not grow: the entry is taken back whole, and the error says what failed", async () => {
    writeFileSync(path, `${first}\n`);
    // `ulimit -f` counts in blocks of 512 bytes or of 1024, as the shell has it.
    const run = await runWriter(
      writer,
      { place: { kind: "file", path }, person: owner, count: 100, first: 1 },
      undefined,
      { maxBlocks: 16 },
    );
    expect(run.status).not.toBe(0);
    expect(run.stderr).toContain(`the ledger ${path} could not be used: EFBIG`);
    expect(run.hashes.length).toBeGreaterThan(1);
    expect(await openLedger(openLedgerFile(path)).view()).toMatchObject({
      problems: [],
      tornBytes: 0,
      head: { hash: run.hashes.at(-1) },
    });
  });

  test("a folder that may not be written says so, and can be read", async () => {
    writeFileSync(path, `${first}\n`);
    chmodSync(folder, 0o555);
    const run = await runWriter(
      writer,
      { place: { kind: "file", path }, person: owner, count: 1, first: 1 },
      undefined,
      // The permissions of a folder do not bind root.
      process.getuid?.() === 0 ? { uid: 65_534 } : {},
    );
    chmodSync(folder, 0o755);
    expect(run.status).not.toBe(0);
    expect(run.stderr).toContain(`${path} may not be written (EACCES)`);
    expect(readdirSync(folder)).toEqual(["ledger.jsonl"]);
  });
});

describe("a branch of a git repository", () => {
  const home = join(root, "home");
  const variables = { PATH: process.env.PATH ?? "", HOME: home };
  let url = "";
  const git = (...args: string[]) =>
    execFileSync("git", ["-C", url, ...args], { env: variables, encoding: "utf8" }).trim();
  const request = (cache: string, project = "claims-triage") => ({
    url,
    branch: "ledger",
    project,
    cache: join(folder, cache),
    variables,
  });
  const open = (cache: string, project?: string) => openLedgerGit(request(cache, project));

  beforeEach(() => {
    mkdirSync(home, { recursive: true });
    url = join(folder, "ledger.git");
    execFileSync("git", ["init", "--bare", "--quiet", url]);
  });

  test("is empty before it exists; several projects share it; files beside the chains stay", async () => {
    const one = open("one");
    const two = open("two");
    expect(await one.read()).toEqual({ text: Buffer.alloc(0), torn: Buffer.alloc(0) });
    expect(await one.append(first ?? "", EMPTY_HEAD)).toBe(true);
    expect(await two.append(first ?? "", EMPTY_HEAD)).toBe(false);
    expect(await open("two", "claims-other").append(first ?? "", EMPTY_HEAD)).toBe(true);
    expect(await one.append(chain.lines[1] ?? "", { seq: 1, hash: chain.entries[0]?.hash ?? "" })).toBe(true);
    expect((await two.read()).text.toString()).toBe(`${chain.lines.slice(0, 2).join("\n")}\n`);
    expect(git("log", "--format=%an %ae %s", "ledger").split("\n")).toEqual([
      "factory factory@invalid claims-triage: entry 2",
      "factory factory@invalid claims-other: entry 1",
      "factory factory@invalid claims-triage: entry 1",
    ]);
  });

  test("4 clones with 10 entries each: one chain, all in it, none lost", async () => {
    expect(await open("first").append(first ?? "", EMPTY_HEAD)).toBe(true);
    const runs = await Promise.all(
      range(4).map((i) =>
        runWriter(writer, {
          place: { kind: "git", ...request(`clone${i}`) },
          person: owner,
          count: 10,
          first: 100 * i + 1,
        }),
      ),
    );
    expect(runs.map(({ status, stderr }) => [status, stderr])).toEqual(runs.map(() => [0, ""]));
    const { text } = await open("first").read();
    const view = viewOf(text);
    expect(view.problems).toEqual([]);
    expect(view.entries.map((entry) => entry.seq)).toEqual(range(41).map((i) => i + 1));
    expect(
      view.entries
        .slice(1)
        .map((entry) => entry.hash)
        .sort(),
    ).toEqual(runs.flatMap((run) => run.hashes).sort());
    expect(git("rev-list", "--count", "ledger")).toBe("41");
    expect(git("rev-list", "--count", "--merges", "ledger")).toBe("0");
  }, 300_000);

  test("the answer to a push is lost: the entry is found, and not written again", async () => {
    // The server takes the push, then drops the line before it answers.
    writeFileSync(join(url, "hooks", "post-receive"), "#!/bin/sh\nkill -9 $PPID\n", { mode: 0o755 });
    const store = open("one");
    expect(await store.append(first ?? "", EMPTY_HEAD)).toBe(true);
    expect((await store.read()).text.toString()).toBe(`${first}\n`);
    expect(git("rev-list", "--count", "ledger")).toBe("1");
  });

  test("a server that refuses says why", async () => {
    writeFileSync(join(url, "hooks", "pre-receive"), "#!/bin/sh\necho only owners write here >&2\nexit 1\n", {
      mode: 0o755,
    });
    await expect(open("one").append(first ?? "", EMPTY_HEAD)).rejects.toMatchObject({
      code: "ledger.denied",
      exit: 4,
      message: expect.stringContaining("only owners write here"),
    });
  });

  test("a branch whose history was rewritten, deleted, or whose file lost lines, is told by whoever saw it before", async () => {
    const store = open("one");
    await store.append(first ?? "", EMPTY_HEAD);
    const before = git("rev-parse", "ledger");
    await store.append(chain.lines[1] ?? "", { seq: 1, hash: chain.entries[0]?.hash ?? "" });
    const now = git("rev-parse", "ledger");
    const rewritten = { code: "ledger.rewritten", exit: 4 };
    git("update-ref", "refs/heads/ledger", before);
    await expect(store.read()).rejects.toMatchObject(rewritten);
    await expect(
      store.append(chain.lines[1] ?? "", { seq: 1, hash: chain.entries[0]?.hash ?? "" }),
    ).rejects.toMatchObject(rewritten);
    git("update-ref", "-d", "refs/heads/ledger");
    await expect(store.read()).rejects.toMatchObject(rewritten);
    const cut = git(
      "-c",
      "user.name=x",
      "-c",
      "user.email=x@x",
      "commit-tree",
      "-p",
      now,
      "-m",
      "cut",
      `${before}^{tree}`,
    );
    git("update-ref", "refs/heads/ledger", cut);
    await expect(store.read()).rejects.toMatchObject(rewritten);
    git("update-ref", "refs/heads/ledger", now);
    expect((await store.read()).text.toString().split("\n")).toHaveLength(3);
    // Somebody who never saw it cannot know: anchors can.
    git("update-ref", "refs/heads/ledger", cut);
    expect((await open("new").read()).text.toString()).toBe(`${first}\n`);
  });

  test("no program of the user's configuration or of the cached copy runs, and nothing is signed", async () => {
    const trap = join(folder, "trap");
    const hooks = join(folder, "hooks");
    mkdirSync(hooks);
    const plant = (name: string) =>
      writeFileSync(join(hooks, name), `#!/bin/sh\ntouch ${trap}\nexit 1\n`, { mode: 0o755 });
    // Hooks of a server would be the server's own business, and a repository at a path is a server of this user.
    for (const name of ["pre-push", "fsmonitor", "gpg"]) plant(name);
    writeFileSync(
      join(home, ".gitconfig"),
      `[core]\n hooksPath = ${hooks}\n fsmonitor = ${hooks}/fsmonitor\n[commit]\n gpgSign = true\n[push]\n gpgSign = if-asked\n[gpg]\n program = ${hooks}/gpg\n[user]\n name = Somebody\n email = somebody@example.com\n`,
    );
    try {
      const store = open("one");
      expect(await store.append(first ?? "", EMPTY_HEAD)).toBe(true);
      const copies = readdirSync(join(folder, "one"));
      for (const name of ["reference-transaction", "post-index-change"]) plant(name);
      for (const copy of copies) cpSync(hooks, join(folder, "one", copy, "hooks"), { recursive: true });
      for (const name of ["reference-transaction", "post-index-change"]) rmSync(join(hooks, name));
      expect(await store.append(chain.lines[1] ?? "", { seq: 1, hash: chain.entries[0]?.hash ?? "" })).toBe(true);
    } finally {
      rmSync(join(home, ".gitconfig"));
    }
    expect(existsSync(trap)).toBe(false);
    expect(git("log", "--format=%an|%GS", "ledger")).toBe("factory|\nfactory|");
  });

  test.each<[string, string]>([
    ["ext::sh -c touch%20pwned", "git.address"],
    ["--upload-pack=touch pwned", "git.address"],
    ["", "git.address"],
    ["https://user:secret@example.com/x.git", "git.credentials"],
    ["https://token@example.com/x.git", "git.credentials"],
    ["ssh://git:secret@example.com/x.git", "git.credentials"],
  ])("the address %s is refused", (address, code) => {
    expect(() => openLedgerGit({ ...request("one"), url: address })).toThrow(
      expect.objectContaining({ code, exit: 2 }),
    );
  });

  test("a repository that cannot be reached, a project that is no name, a chain that is no plain file", async () => {
    await expect(openLedgerGit({ ...request("one"), url: join(folder, "missing.git") }).read()).rejects.toMatchObject({
      code: "git.failed",
      exit: 4,
      hint: expect.stringContaining(`git ls-remote ${join(folder, "missing.git")}`),
    });
    expect(() => open("one", "../claims")).toThrow(expect.objectContaining({ code: "ledger.project", exit: 2 }));
    const blob = execFileSync("git", ["-C", url, "hash-object", "-w", "--stdin"], {
      input: "/etc/passwd",
      encoding: "utf8",
    }).trim();
    const tree = execFileSync("git", ["-C", url, "mktree"], {
      input: `120000 blob ${blob}\tclaims-triage.jsonl\n`,
      encoding: "utf8",
    }).trim();
    git(
      "update-ref",
      "refs/heads/ledger",
      git("-c", "user.name=x", "-c", "user.email=x@x", "commit-tree", "-m", "link", tree),
    );
    await expect(open("two").read()).rejects.toMatchObject({ code: "git.file", exit: 4 });
  });
});
