import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { deflateSync, inflateSync } from "node:zlib";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { openHistory } from "../../src/clients/git.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "factory-tricks-")));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const variables = { PATH: process.env.PATH ?? "", HOME: root };
let number = 0;
let folder = "";
beforeEach(() => {
  folder = join(root, `repo-${++number}`);
  mkdirSync(join(folder, "src"), { recursive: true });
  git("init", "-q");
  writeFileSync(join(folder, "src/code.py"), "LIMIT = 1\n");
  git("add", ".");
  git("-c", "user.name=A", "-c", "user.email=a@x.ch", "commit", "-qm", "one");
});

function git(...args: string[]): string {
  return execFileSync("git", args, { cwd: folder, env: variables, encoding: "utf8" }).trim();
}
const tamper = () => writeFileSync(join(folder, "src/code.py"), "LIMIT = 2\n");
const state = (of = folder) => openHistory(of, variables, new AbortController().signal).state();

describe("a tree that differs from its commit, though the status of git is empty", () => {
  test("a clean one is clean", async () => {
    expect(await state()).toEqual({ commit: git("rev-parse", "HEAD"), dirty: false });
  });
  test.each(["--skip-worktree", "--assume-unchanged"])("marked %s", async (mark) => {
    git("update-index", mark, "src/code.py");
    tamper();
    expect(git("status", "--porcelain")).toBe("");
    expect(await state()).toMatchObject({ dirty: true, why: expect.stringContaining("src/code.py") });
  });
  test("the index holds the times of the changed file beside the digest of the committed one", async () => {
    const committed = git("ls-files", "-s").split(" ")[1] ?? "";
    tamper();
    git("add", ".");
    const changed = git("ls-files", "-s").split(" ")[1] ?? "";
    const index = join(folder, ".git/index");
    const bytes = execFileSync("python3", [
      "-c",
      "import sys,hashlib;b=open(sys.argv[1],'rb').read()[:-20].replace(bytes.fromhex(sys.argv[2]),bytes.fromhex(sys.argv[3]));sys.stdout.buffer.write(b+hashlib.sha1(b).digest())",
      index,
      changed,
      committed,
    ]);
    writeFileSync(index, bytes);
    expect((await state())?.dirty).toBe(true);
  });
  test("a clean filter of the repository's own configuration", async () => {
    git("config", "filter.hide.clean", "echo 'LIMIT = 1'; cat >/dev/null");
    writeFileSync(join(folder, ".git/info/attributes"), "*.py filter=hide\n");
    tamper();
    expect(await state()).toMatchObject({ dirty: true });
  });
  test("code that an exclude file of this machine ignores", async () => {
    writeFileSync(join(folder, ".git/info/exclude"), "hidden.py\n");
    writeFileSync(join(folder, "src/hidden.py"), "x = 1\n");
    expect(git("status", "--porcelain")).toBe("");
    expect(await state()).toMatchObject({ dirty: true, why: expect.stringContaining("src/hidden.py") });
  });
  test("a project in a folder that the bigger repository ignores", async () => {
    const project = join(folder, "sub");
    mkdirSync(project);
    writeFileSync(join(folder, ".git/info/exclude"), "sub\n");
    writeFileSync(join(project, "factory.yaml"), "factory: 1\n");
    expect(await state(project)).toMatchObject({ dirty: true, why: expect.stringContaining("factory.yaml") });
  });
  test("a working tree that is somewhere else is refused", async () => {
    const other = join(root, `other-${number}`);
    mkdirSync(join(other, "src"), { recursive: true });
    copyFileSync(join(folder, "src/code.py"), join(other, "src/code.py"));
    git("config", "core.worktree", other);
    tamper();
    await expect(state()).rejects.toMatchObject({ code: "git.worktree", exit: 2 });
  });
  test("a subfolder, a linked work tree and a path with a link in it are fine", async () => {
    expect(await state(join(folder, "src"))).toMatchObject({ dirty: false });
    const linked = join(root, `linked-${number}`);
    git("worktree", "add", "-q", linked);
    expect(await state(linked)).toMatchObject({ dirty: false });
  });
});

describe("objects that are others than their ids say, which git itself takes on trust", () => {
  const history = () => openHistory(folder, variables, new AbortController().signal);
  const forge = (id: string, change: (content: string) => string) => {
    const path = join(folder, ".git/objects", id.slice(0, 2), id.slice(2));
    const raw = inflateSync(readFileSync(path)).toString("latin1");
    const content = change(raw.slice(raw.indexOf("\0") + 1));
    const header = `${raw.slice(0, raw.indexOf(" "))} ${content.length}\0`;
    chmodSync(path, 0o644);
    writeFileSync(path, deflateSync(Buffer.from(header + content, "latin1")));
  };
  const bytesOf = (id: string) => Buffer.from(id, "hex").toString("latin1");
  const commit = (message: string, ...parents: string[]) => {
    const as = ["-c", "user.name=B", "-c", "user.email=b@x.ch"];
    const made = git(...as, "commit-tree", "-m", message, ...parents.flatMap((id) => ["-p", id]), "HEAD^{tree}");
    git("reset", "-q", "--hard", made);
    return made;
  };

  test("a folder of the commit with another file in it", async () => {
    const before = git("rev-parse", "HEAD:src/code.py");
    tamper();
    const after = git("hash-object", "-w", "src/code.py");
    forge(git("rev-parse", "HEAD:src"), (content) => content.replace(bytesOf(before), bytesOf(after)));
    git("read-tree", "HEAD");
    expect(git("status", "--porcelain")).toBe("");
    await expect(state()).rejects.toMatchObject({
      code: "git.forged",
      exit: 2,
      message: expect.stringContaining("tree"),
    });
    await expect(state(join(folder, "src"))).rejects.toMatchObject({ code: "git.forged" });
  });

  test("an older commit with another author", async () => {
    const older = commit("two", git("rev-parse", "HEAD"));
    commit("three", older);
    forge(older, (content) => content.replaceAll("b@x.ch", "a@x.ch"));
    expect(git("log", "--format=%ae", "-1", older)).toBe("a@x.ch");
    await expect(history().commits(undefined)).rejects.toMatchObject({ code: "git.forged", exit: 2 });
  });

  test("an older commit without the commits before it", async () => {
    const older = commit("two", git("rev-parse", "HEAD"));
    commit("three", older);
    forge(older, (content) => content.replace(/^parent .*\n/m, ""));
    expect(git("rev-list", "--count", "HEAD")).toBe("2");
    await expect(history().commits(undefined)).rejects.toMatchObject({ code: "git.forged" });
  });

  test("the commit that is approved already, with a later one before it", async () => {
    const approved = git("rev-parse", "HEAD");
    const older = commit("two", approved);
    commit("three", older);
    forge(approved, (content) => content.replace("\nauthor", `\nparent ${older}\nauthor`));
    expect(git("rev-list", "--count", "HEAD", `^${approved}`)).toBe("1");
    await expect(history().commits(approved)).rejects.toMatchObject({ code: "git.forged" });
  });

  test("a file that is read by its id", async () => {
    const id = git("rev-parse", "HEAD:src/code.py");
    expect(await history().text(id)).toBe("LIMIT = 1\n");
    forge(id, () => "LIMIT = 2\n");
    await expect(history().text(id)).rejects.toMatchObject({ code: "git.forged" });
  });
});

test("of two branches only what one of them has not is listed", async () => {
  const first = git("rev-parse", "HEAD");
  const made = (message: string, ...parents: string[]) =>
    git(
      ...["-c", "user.name=A", "-c", "user.email=a@x.ch", "commit-tree", "-m", message],
      ...parents.flatMap((id) => ["-p", id]),
      "HEAD^{tree}",
    );
  const [left, right] = [made("left", first), made("right", first)];
  const merged = made("merged", left, right);
  git("reset", "-q", "--hard", merged);
  const history = openHistory(folder, variables, new AbortController().signal);
  const ids = async (since?: string) => (await history.commits(since)).map(({ id }) => id).sort();
  expect(await ids()).toEqual([first, left, merged, right].sort());
  expect(await ids(left)).toEqual([merged, right].sort());
  expect(await ids(merged)).toEqual([]);
  expect((await history.commits(left))[0]).not.toHaveProperty("parents");
});

describe("what git rewrites before it compares", () => {
  const code = () => join(folder, "src/code.py");
  const commitCode = (text: string | Buffer) => {
    writeFileSync(code(), text);
    git("add", ".");
    git("-c", "user.name=A", "-c", "user.email=a@x.ch", "commit", "-qm", "two");
  };
  /** To git the file is the committed one. */
  const hides = async (attribute: string) => {
    git("add", ".");
    expect(git("status", "--porcelain")).toBe("");
    const why = new RegExp(`src/code\\.py .*attribute ${attribute}\\): take ${attribute} out of .gitattributes`);
    expect(await state()).toMatchObject({ dirty: true, why: expect.stringMatching(why) });
    expect(await state(join(folder, "src"))).toMatchObject({ dirty: true });
  };
  const own = (file: string) => {
    const path = join(root, `attributes-${number}`, file);
    mkdirSync(dirname(path), { recursive: true });
    return path;
  };
  const PLACES: Record<string, (line: string) => void> = {
    "the repository": (line) => writeFileSync(join(folder, ".git/info/attributes"), line),
    "a macro of the repository": (line) => {
      const [pattern, attribute] = line.trim().split(" ");
      writeFileSync(join(folder, ".git/info/attributes"), `[attr]mine ${attribute}\n${pattern} mine\n`);
    },
    "a list that the repository's configuration names": (line) => {
      writeFileSync(own("any"), line);
      git("config", "core.attributesFile", own("any"));
    },
    "the commit": (line) => {
      writeFileSync(join(folder, ".gitattributes"), line);
      git("add", ".gitattributes");
      git("-c", "user.name=A", "-c", "user.email=a@x.ch", "commit", "-qm", "attributes");
    },
    "a list that git was told to ignore": (line) => {
      writeFileSync(join(folder, ".git/info/exclude"), ".gitattributes\n");
      writeFileSync(join(folder, "src/.gitattributes"), line);
    },
  };

  test.each(Object.keys(PLACES))("code between $Id: and $, by %s", async (place) => {
    commitCode('X = "$Id$"\n');
    PLACES[place]?.("*.py ident\n");
    writeFileSync(code(), 'X = "$Id: " + __import__("os").popen("id").read() + "$"\n');
    await hides("ident");
  });
  test.each(Object.keys(PLACES))("code in another encoding, by %s", async (place) => {
    commitCode("X = 1 # =\n");
    PLACES[place]?.("*.py working-tree-encoding=UTF-7\n");
    writeFileSync(code(), "X = 1 # +AD0-\n");
    await hides("working-tree-encoding");
  });
  test("by the user's own list, in the folder for it", async () => {
    commitCode('X = "$Id$"\n');
    writeFileSync(own("git/attributes"), "*.py ident\n");
    writeFileSync(code(), 'X = "$Id: $"\n');
    const given = { ...variables, XDG_CONFIG_HOME: dirname(dirname(own("git/attributes"))) };
    execFileSync("git", ["add", "."], { cwd: folder, env: given });
    const found = await openHistory(folder, given, new AbortController().signal).state();
    expect(found).toMatchObject({ dirty: true, why: expect.stringContaining("attribute ident") });
  });
  test("an attribute that is taken back, or set for no file of the project, changes nothing", async () => {
    mkdirSync(join(folder, "other"));
    writeFileSync(join(folder, "other/code.py"), "X = 1\n");
    commitCode("X = 1\n");
    const line = "*.py ident\nsrc/*.py -ident\n*.ps1 working-tree-encoding=UTF-16LE\n";
    writeFileSync(join(folder, ".git/info/attributes"), line);
    expect(await state(join(folder, "src"))).toEqual({ commit: git("rev-parse", "HEAD"), dirty: false });
    expect(await state(join(folder, "other"))).toMatchObject({ dirty: true });
  });

  test.each<[string, () => void]>([
    ["text", () => PLACES["the repository"]?.("*.py text\n")],
    ["text=auto", () => PLACES["the repository"]?.("*.py text=auto\n")],
    ["eol=crlf", () => PLACES["the repository"]?.("*.py eol=crlf\n")],
    ["core.autocrlf", () => git("config", "core.autocrlf", "true")],
  ])("%s hides the end of a line and nothing else: not one that is an end to Python only", async (_, set) => {
    commitCode("X = 1 # Y = 2\n");
    set();
    writeFileSync(code(), "X = 1 # Y = 2\r\n");
    git("add", ".");
    expect(await state()).toEqual({ commit: git("rev-parse", "HEAD"), dirty: false });
    writeFileSync(code(), "X = 1 #\rY = 2\r\n");
    expect(await state()).toMatchObject({ dirty: true });
    writeFileSync(code(), "X = 1 #\r\nY = 2\r\n");
    expect(await state()).toMatchObject({ dirty: true });
  });
});

describe("what Python could load is in the commit, or the tree is dirty", () => {
  const put = (path: string, text = "x = 1\n") => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const exclude = (...lines: string[]) => writeFileSync(join(folder, ".git/info/exclude"), `${lines.join("\n")}\n`);
  const dirtyBy = async (path: string) => {
    expect(git("status", "--porcelain")).toBe("");
    expect(await state()).toMatchObject({ dirty: true, why: expect.stringContaining(path) });
  };

  test.each([
    "src/pkg/code.cpython-311-x86_64-linux-gnu.so",
    "src/pkg/code.pyd",
    "src/pkg/code.pyc",
    "threadpoolctl.py",
    "mlflow/__init__.py",
    "build/__init__.py",
    "scripts/helper.py",
    "tests/pytest.ini",
    "src/ruff.toml",
    "uv.toml",
    "start.pth",
    "src/pkg/__pycache__/code.py",
    "src/pkg/__pycache__/deeper/code.pyc",
    "src/.venv/code.py",
    "mlruns/0/evil.py",
    "mlruns/0/__pycache__/evil.pyc",
    "mlflow/m-0123456789abcdef0123456789abcdef/code.py",
  ])("%s", async (path) => {
    exclude("*");
    put(path);
    await dirtyBy(path);
  });

  test("ignored by the user's own list", async () => {
    writeFileSync(join(root, `ignore-${number}`), "threadpoolctl.py\n");
    git("config", "core.excludesFile", join(root, `ignore-${number}`));
    put("threadpoolctl.py");
    await dirtyBy("threadpoolctl.py");
  });

  test.each([false, true])("in a repository of its own, with a commit: %s", async (committed) => {
    exclude("mlflow");
    put("mlflow/__init__.py");
    git("init", "-q", "mlflow");
    const inner = ["-C", "mlflow", "-c", "user.name=A", "-c", "user.email=a@x.ch"];
    git("-C", "mlflow", "add", ".");
    if (committed) git(...inner, "commit", "-qm", "one");
    await dirtyBy("mlflow/");
  });

  test("behind a link", async () => {
    exclude("mlflow");
    const elsewhere = join(root, `elsewhere-${number}`);
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, join(folder, "mlflow"));
    await dirtyBy("mlflow");
  });

  // The superuser lists every folder, so that there is nothing to see.
  test.skipIf(process.getuid?.() === 0)("in a folder whose files cannot be listed, and can be read", async () => {
    exclude("mlflow");
    put("mlflow/__init__.py");
    chmodSync(join(folder, "mlflow"), 0o311);
    try {
      await dirtyBy("mlflow/");
    } finally {
      chmodSync(join(folder, "mlflow"), 0o755);
    }
  });

  test("named by a command of the project, whatever it is called", async () => {
    exclude("*");
    put("bin/train");
    expect(await state()).toMatchObject({ dirty: false });
    const run = (...files: string[]) => openHistory(folder, variables, new AbortController().signal).state(files);
    expect(await run("python", "bin/train")).toMatchObject({ dirty: true, why: expect.stringContaining("bin/train") });
    expect(await run("bin", "src/code.py", "nowhere")).toMatchObject({ dirty: false });
  });

  test.each(["Makefile", "makefile", "GNUmakefile"])("a %s", async (name) => {
    exclude("*");
    put(`lib/${name}`);
    expect(await state()).toMatchObject({ dirty: false });
    put(name);
    await dirtyBy(name);
  });

  test("announced to the index and marked as unchanged", async () => {
    put("threadpoolctl.py");
    git("add", "--intent-to-add", "threadpoolctl.py");
    git("update-index", "--assume-unchanged", "threadpoolctl.py");
    expect((await state())?.dirty).toBe(true);
  });

  test("beside a committed file of the same name in other letters", async () => {
    git("config", "core.ignoreCase", "true");
    exclude("*");
    put("src/Code.py");
    await dirtyBy("src/Code.py");
  });

  test("what tools leave behind, data and caches are no code beside the commit", async () => {
    exclude("*");
    for (const path of [
      ".venv/lib/python3.11/site-packages/mlflow/__init__.py",
      ".factory/cache/check/1/candidate/code/a.py",
      ".databricks/bundle/dev/a.py",
      ".pytest_cache/a.py",
      ".mypy_cache/3.11/a.so",
      "src/pkg/__pycache__/code.cpython-311.pyc",
      "mlruns/1/models/m-0123456789abcdef0123456789abcdef/artifacts/code/a.py",
      "mlartifacts/1/models/m-0123456789abcdef0123456789abcdef/artifacts/code/a.so",
      "src/pkg.egg-info/PKG-INFO",
      "dist/pkg-1-py3-none-any.whl",
      "data/claims.csv",
      "data/raw",
    ])
      put(path);
    expect(await state()).toEqual({ commit: git("rev-parse", "HEAD"), dirty: false });
  });
});
