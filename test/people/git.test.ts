import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { openHistory } from "../../src/clients/git.ts";
import { parseCommits } from "../../src/clients/raw-commits.ts";
import { plainName } from "../../src/evidence/evidence-index.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { peopleSince } from "../../src/people/changed-by.ts";
import { strangeFiles } from "../../src/promotion/evidence-of-commit.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "factory-git-")));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const variables = { PATH: process.env.PATH ?? "", HOME: join(root, "home") };
mkdirSync(variables.HOME);
const signal = new AbortController().signal;

let number = 0;
let folder = "";
beforeEach(() => {
  folder = join(root, `repo-${++number}`);
  mkdirSync(folder);
  git("init", "-q", "-b", "main");
});

function git(...args: string[]): string {
  const env = {
    ...variables,
    GIT_AUTHOR_NAME: "A",
    GIT_AUTHOR_EMAIL: "a@x.ch",
    GIT_COMMITTER_NAME: "C",
    GIT_COMMITTER_EMAIL: "c@x.ch",
  };
  return execFileSync("git", args, { cwd: folder, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
}
function commit(message: string, ...more: string[]): string {
  appendFileSync(join(folder, "code.py"), `# ${message}\n`);
  git("add", ".");
  git("commit", "-q", "-m", message, ...more);
  return git("rev-parse", "HEAD");
}
const history = () => openHistory(folder, variables, signal);
const people = async (since?: string) =>
  (await peopleSince(history(), since)).people.map((person) => `${person.address} ${person.changes}`);

test("no repository, no commit, clean, dirty, untracked, ignored", async () => {
  const outside = join(root, "outside");
  mkdirSync(outside, { recursive: true });
  expect(await openHistory(outside, variables, signal).state()).toBeUndefined();
  expect(await history().state()).toBeUndefined();
  const id = commit("one");
  expect(await history().state()).toEqual({ commit: id, dirty: false });
  writeFileSync(join(folder, "new.csv"), "");
  expect(await history().state()).toEqual({ commit: id, dirty: true, why: "new.csv is not committed" });
  writeFileSync(join(folder, ".gitignore"), "new.csv\n");
  commit("ignore");
  expect((await history().state())?.dirty).toBe(false);
  appendFileSync(join(folder, "code.py"), "x");
  expect((await history().state())?.dirty).toBe(true);
});

test("a change that is hidden from git status still makes the tree dirty", async () => {
  commit("one");
  git("update-index", "--assume-unchanged", "code.py");
  appendFileSync(join(folder, "code.py"), "x");
  expect(git("status", "--porcelain")).toBe("");
  expect((await history().state())?.dirty).toBe(true);
});

test("people: authors, committers, co-authors anywhere in the message; since a commit, or all when it is not an ancestor", async () => {
  const first = commit("one\n\nCo-authored-by: B <b@x.ch>\n\nmore text after it");
  commit("two\n\nco-authored-by: D <D+tag@x.ch>\nSigned-off-by: E <e@x.ch>", "--author=F <f@x.ch>");
  expect(await people()).toEqual(["a@x.ch 1", "b@x.ch 1", "c@x.ch 2", "d@x.ch 1", "f@x.ch 1"]);
  expect(await people(first)).toEqual(["c@x.ch 1", "d@x.ch 1", "f@x.ch 1"]);
  expect(await people("f".repeat(40))).toHaveLength(5);
  expect(await history().isAncestor(first)).toBe(true);
  expect(await history().isAncestor("--help")).toBe(false);
});

test("what evidence keeps of the project is what the commit holds, whatever git was told to ignore", async () => {
  const project = join(folder, "models/one");
  const evidence = join(root, `evidence-${number}`);
  const put = (base: string, path: string, text: string) => {
    mkdirSync(dirname(join(base, path)), { recursive: true });
    writeFileSync(join(base, path), text);
  };
  const texts = { "databricks.yml": "bundle: {}\n", "-odd é.yml": "a: 1\r\n", "jobs/extra.yml": "b: 2\n" };
  const sealed: [name: string, text: string][] = Object.entries(texts).map(([path, text]) => [
    `bundle/${plainName(path)}`,
    text,
  ]);
  sealed.push(["project/factory.yaml", "factory: 1\n"], ["contract/contracts/claims.yaml", "version: 1\n"]);
  sealed.push(["model-card/docs/model-card.md", "# Card\n"], ["model-card/by-hand.md", "# In no commit\n"]);
  for (const [path, text] of Object.entries(texts)) put(project, path, text);
  for (const [path, text] of sealed) {
    put(evidence, path, text);
    if (!/^bundle|by-hand/.test(path)) put(project, path.replace(/^[^/]+\//, ""), text);
  }
  put(folder, ".git/info/exclude", "jobs/\n");
  const id = commit("bundle");
  // Whoever changes a file of the evidence writes its digests again.
  const listed = ([path]: [string, string]) => {
    const text = readFileSync(join(evidence, path));
    return { path, mediaType: "text/yaml", bytes: text.length, sha256: sha256(text) };
  };
  const seen = () =>
    strangeFiles(openHistory(project, variables, signal), id, { files: sealed.map(listed), folder: evidence });
  expect(await seen()).toEqual([expect.stringMatching(/^jobs\/extra.yml of the bundle is not what commit/)]);
  git("add", "--force", ".");
  expect(await seen()).toHaveLength(1);
  for (const path of ["bundle/databricks.yml", "project/factory.yaml", "contract/contracts/claims.yaml"])
    put(evidence, path, "other: 1\n");
  put(evidence, "model-card/docs/model-card.md", "# A better one\n");
  expect(await seen()).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^databricks.yml of the bundle/),
      expect.stringMatching(/^factory.yaml of the evidence/),
      expect.stringMatching(/^contracts\/claims.yaml of the evidence/),
      expect.stringMatching(/^docs\/model-card.md of the evidence/),
    ]),
  );
  expect(await seen()).toHaveLength(5);
});

test("a commit on another branch is no ancestor; merged commits all count", async () => {
  const base = commit("base");
  git("switch", "-q", "-c", "side");
  const side = commit("side", "--author=S <s@x.ch>");
  git("switch", "-q", "main");
  commit("main", "--author=M <m@x.ch>");
  expect(await history().isAncestor(side)).toBe(false);
  expect(await people(side)).toEqual(["a@x.ch 1", "c@x.ch 2", "m@x.ch 1"]);
  git("merge", "-q", "-X", "ours", "--no-edit", "side");
  expect(await people(base)).toEqual(["a@x.ch 1", "c@x.ch 3", "m@x.ch 1", "s@x.ch 1"]);
});

test("no mailmap turns one person into another", async () => {
  writeFileSync(join(folder, ".mailmap"), "Z <z@x.ch> <a@x.ch>\n");
  writeFileSync(join(folder, "map"), "Z <z@x.ch> <c@x.ch>\n");
  commit("one");
  git("config", "mailmap.file", join(folder, "map"));
  git("config", "log.mailmap", "true");
  expect(await people()).toEqual(["a@x.ch 1", "c@x.ch 1"]);
});

describe("history that is not whole is an error", () => {
  test("shallow", async () => {
    commit("one");
    commit("two");
    const clone = join(root, `shallow-${number}`);
    git("clone", "-q", "--depth", "1", `file://${folder}`, clone);
    const cut = openHistory(clone, variables, signal);
    await expect(cut.commits(undefined)).rejects.toMatchObject({ code: "git.shallow", exit: 2 });
    await expect(cut.isAncestor("f".repeat(40))).rejects.toMatchObject({ code: "git.shallow" });
    expect(await cut.state()).toBeDefined();
  });

  test("grafted, also seen from a subfolder and a worktree", async () => {
    commit("one");
    const second = commit("two");
    mkdirSync(join(folder, ".git/info"), { recursive: true });
    writeFileSync(join(folder, ".git/info/grafts"), `${second}\n`);
    mkdirSync(join(folder, "sub"));
    git("worktree", "add", "-q", join(root, `tree-${number}`), "-b", "other");
    for (const place of [folder, join(folder, "sub"), join(root, `tree-${number}`)]) {
      await expect(openHistory(place, variables, signal).commits(undefined)).rejects.toMatchObject({
        code: "git.grafted",
      });
    }
  });

  test("replaced", async () => {
    const first = commit("one", "--author=Hidden <hidden@x.ch>");
    const second = commit("two");
    git("replace", "--graft", second);
    expect(git("log", "--format=%H")).not.toContain(first);
    await expect(history().commits(undefined)).rejects.toMatchObject({ code: "git.grafted" });
  });
});

test("a hostile repository starts no program of its own", async () => {
  commit("one");
  const mark = join(root, `mark-${number}`);
  const script = join(folder, ".git/evil.sh");
  writeFileSync(script, `#!/bin/sh\ntouch ${mark}\ncat\n`, { mode: 0o755 });
  mkdirSync(join(folder, ".git/hooks"), { recursive: true });
  for (const hook of ["post-index-change", "reference-transaction", "fsmonitor-watchman"])
    writeFileSync(join(folder, ".git/hooks", hook), `#!/bin/sh\ntouch ${mark}\n`, { mode: 0o755 });
  for (const [key, value] of Object.entries({
    "core.fsmonitor": script,
    "core.pager": script,
    "log.showSignature": "true",
    "gpg.program": script,
    "diff.external": script,
  }))
    git("config", key, value);
  appendFileSync(join(folder, "code.py"), "x");
  await history().state();
  await history().commits(undefined);
  expect(existsSync(mark)).toBe(false);
});

describe("a program of the repository's own configuration is found before git would start it", () => {
  let mark = "";
  let program = "";
  beforeEach(() => {
    mark = join(root, `mark-${number}`);
    program = join(folder, ".git/evil.sh");
    writeFileSync(program, `#!/bin/sh\ntouch ${mark}\nprintf '# one\\n'\n`, { mode: 0o755 });
    commit("one");
    mkdirSync(join(folder, ".git/info"), { recursive: true });
    writeFileSync(join(folder, ".git/info/attributes"), "*.py filter=x\n");
    // As long as before, so that git has to read it.
    writeFileSync(join(folder, "code.py"), "# 0ne\n");
  });

  test.each<[string, () => void]>([
    ["a clean filter", () => git("config", "filter.x.clean", program)],
    ["a filter process", () => git("config", "filter.x.process", program)],
    ["one beside the word git-lfs", () => git("config", "filter.x.clean", `${program} git-lfs clean`)],
    ["one of several lines", () => git("config", "filter.lfs.clean", `git-lfs clean\n${program}`)],
    [
      "one of the work tree",
      () => {
        git("config", "extensions.worktreeConfig", "true");
        git("config", "--worktree", "filter.x.clean", program);
      },
    ],
    [
      "one in an included file",
      () => {
        writeFileSync(join(folder, ".git/more"), `[filter "x"]\n\tclean = ${program}\n`);
        git("config", "include.path", "more");
      },
    ],
  ])("%s", async (_, configure) => {
    configure();
    expect(await history().state()).toMatchObject({ dirty: true, why: expect.stringContaining("filter.") });
    expect(existsSync(mark)).toBe(false);
  });

  test("the mark would appear: git itself starts it", () => {
    git("config", "filter.x.clean", program);
    git("status", "--porcelain");
    expect(existsSync(mark)).toBe(true);
  });

  test("an extension of git-lfs, a hook in the configuration", async () => {
    for (const key of ["lfs.extension.x.clean", "hook.x.command"]) {
      git("config", key, program);
      expect(await history().state()).toMatchObject({ dirty: true, why: expect.stringContaining(key) });
      git("config", "--unset", key);
    }
    expect(existsSync(mark)).toBe(false);
  });

  test("what git-lfs writes into a repository is no such program", async () => {
    git("config", "filter.lfs.clean", "git-lfs clean -- %f");
    git("config", "filter.lfs.process", "git-lfs filter-process");
    expect(await history().state()).toMatchObject({ dirty: true });
    git("checkout", "-q", "code.py");
    expect(await history().state()).toMatchObject({ dirty: false });
  });

  test.each(["in its commit", "in its index only"])("a submodule %s, with a filter of its own", async (where) => {
    git("checkout", "-q", "code.py");
    const outer = folder;
    folder = join(outer, "inner");
    mkdirSync(folder);
    git("init", "-q");
    commit("one");
    git("config", "filter.x.clean", program);
    writeFileSync(join(folder, ".git/info/attributes"), "*.py filter=x\n");
    writeFileSync(join(folder, "code.py"), "# 0ne\n");
    const inner = git("rev-parse", "HEAD");
    folder = outer;
    git("update-index", "--add", "--cacheinfo", `160000,${inner},inner`);
    if (where === "in its commit") git("commit", "-q", "-m", "two");
    const found = await history().state();
    expect(existsSync(mark)).toBe(false);
    expect(found).toMatchObject({ dirty: true, why: expect.stringContaining("has submodules") });
    git("status", "--porcelain");
    expect(existsSync(mark)).toBe(true);
  });
});

test("variables of a surrounding git command do not lead it elsewhere", async () => {
  const id = commit("one");
  const misled = { ...variables, GIT_DIR: "/nowhere", GIT_WORK_TREE: "/nowhere", GIT_INDEX_FILE: "/nowhere/index" };
  expect(await openHistory(folder, misled, signal).state()).toEqual({ commit: id, dirty: false });
});

test("commits in another form are refused, not half read", () => {
  const body = "tree x\nauthor A <a@x.ch> 1 +0000\ncommitter C <c@x.ch> 1 +0000\n\nmsg\n";
  const named = (text: string, type = "commit") =>
    createHash("sha1").update(`${type} ${text.length}\0${text}`).digest("hex");
  const id = named(body);
  const one = `${id} commit ${body.length}\n${body}\n`;
  const unsigned = body.replace("author", "x");
  expect(parseCommits(one + one)).toHaveLength(2);
  for (const broken of [
    one.slice(4),
    one.slice(0, -1),
    one + one.slice(0, 50),
    `${id} missing\n`,
    one.replace("author A", "author B"),
    `${named(unsigned)} commit ${unsigned.length}\n${unsigned}\n`,
    `${named(body, "blob")} blob ${body.length}\n${body}\n`,
  ])
    expect(() => parseCommits(broken), broken).toThrow();
});

describe("whose commit it is, when the commit says it oddly", () => {
  /** A commit object as written, and the branch moved onto it. */
  function stored(headers: string): void {
    const tree = git("write-tree");
    const bytes = Buffer.from(`tree ${tree}\n${headers}\n\nmsg\n`, "latin1");
    const args = ["hash-object", "--literally", "-t", "commit", "-w", "--stdin"];
    const id = execFileSync("git", args, { cwd: folder, env: variables, input: bytes, encoding: "utf8" }).trim();
    git("update-ref", "refs/heads/main", id);
  }
  const committer = "committer C <c@x.ch> 1700000000 +0000";

  test("an encoding in which the name holds another author", async () => {
    // In UTF-7 the name ends with "<bob@x.ch> 1700000000 -0500" and a line end; git log shows that author.
    const name = "Mallory+ACAAPA-bob@x.ch+AD4- 1700000000 -0500+AAo-x";
    const dated = "1700000000 -0500";
    stored(`author ${name} <mallory@x.ch> ${dated}\ncommitter C <c@x.ch> ${dated}\nencoding UTF-7`);
    expect(git("log", "--format=%ae")).not.toBe("mallory@x.ch");
    expect(await people()).toEqual(["c@x.ch 1", "mallory@x.ch 1"]);
  });

  test("a second author", async () => {
    stored(`author A <a@x.ch> 1700000000 +0000\nauthor B <b@x.ch> 1700000000 +0000\n${committer}`);
    expect(await people()).toEqual(["a@x.ch 1", "b@x.ch 1", "c@x.ch 1"]);
  });

  test.each(["A <a@x.ch> <b@x.ch> 1700000000 +0000", "A a@x.ch 1700000000 +0000", "A <a@x.ch>"])(
    "an author who is not one: %s",
    async (author) => {
      stored(`author ${author}\n${committer}`);
      const found = (await peopleSince(history(), undefined)).people;
      expect(found.map((each) => [each.address, each.known])).toContainEqual([author, false]);
    },
  );

  test("a name in Latin-1, and one that is empty", async () => {
    stored(`author J\u00fcrg <j@x.ch> 1700000000 +0000\n${committer}\nencoding ISO-8859-1`);
    expect(await people()).toEqual(["c@x.ch 1", "j@x.ch 1"]);
    stored(`author <a@x.ch> 1700000000 +0000\n${committer}`);
    expect(await people()).toEqual(["a@x.ch 1", "c@x.ch 1"]);
  });

  test("several co-authors on one line", async () => {
    commit("one\n\nCo-authored-by: Carol <carol@x.ch>, Bob <bob@x.ch>");
    expect(await people()).toEqual(["a@x.ch 1", "bob@x.ch 1", "c@x.ch 1", "carol@x.ch 1"]);
    commit("two\n\nCo-authored-by: Carol <carol@x.ch>, dave@x.ch");
    const { people: found } = await peopleSince(history(), git("rev-parse", "HEAD^"));
    expect(found.filter((each) => !each.known).map((each) => each.address)).toEqual(["Carol <carol@x.ch>, dave@x.ch"]);
  });
});
