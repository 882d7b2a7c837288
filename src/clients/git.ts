import { existsSync, readFileSync, realpathSync } from "node:fs";
import { join, resolve } from "node:path";
import { isCommitId } from "../lib/commit-id.ts";
import { outsideError, usageError } from "../lib/error.ts";
import { stripControls } from "../lib/redact.ts";
import { type ProcessRequest, type ProcessResult, runProcess } from "../lib/run-process.ts";
import { makeTemporaryFolder } from "../lib/work-folder.ts";
import type { History } from "../people/history.ts";
import { besideCommit } from "./beside-commit.ts";
import { commitsAfter, parseCommits, parseObjects, textOf } from "./raw-commits.ts";
import { rewrittenByGit } from "./rewritten-by-git.ts";

const MAX_LOG_BYTES = 256 << 20;
const TIMEOUT_MS = 120_000;

type Variables = Readonly<Record<string, string>>;
type Output = Pick<ProcessRequest, "input" | "encoding" | "maxOutputBytes">;

/**
 * Settings that a repository's own configuration must not choose: programs that git would start, and files that may tell
 * another history than the commits do. The user's own configuration stays (line endings, large-file filters, safe folders).
 */
const SAFE = [
  "core.fsmonitor=false",
  "core.hooksPath=/dev/null",
  "core.commitGraph=false",
  "core.pager=cat",
  "core.sshCommand=false",
  "core.askPass=false",
  "credential.helper=",
  "core.untrackedCache=false",
  "core.quotePath=true",
  "log.showSignature=false",
  "log.mailmap=false",
  "i18n.logOutputEncoding=UTF-8",
  "status.showUntrackedFiles=all",
  "status.submoduleSummary=false",
  "submodule.recurse=false",
  "core.trustctime=true",
  "core.checkStat=default",
].flatMap((setting) => ["-c", setting]);

/** Reads the git history of a folder. Nothing is written, no hook or helper of the repository runs, no network is used. */
export function openHistory(folder: string, variables: Variables, signal: AbortSignal): History {
  const kept = ["PATH", "HOME", "USER", "LOGNAME", "XDG_CONFIG_HOME", "TMPDIR"];
  const env = {
    ...Object.fromEntries(Object.entries(variables).filter(([name]) => kept.includes(name))),
    LC_ALL: "C",
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_TERMINAL_PROMPT: "0",
    GIT_NO_LAZY_FETCH: "1",
    // No address may be asked, whatever helper the repository names for it: "none" is the name of no protocol.
    GIT_ALLOW_PROTOCOL: "none",
  };
  const gitWith = (variables: Variables, args: readonly string[], more: Output = {}): Promise<ProcessResult> =>
    runProcess({
      maxOutputBytes: 1 << 20,
      ...more,
      argv: ["git", ...SAFE, ...args],
      cwd: folder,
      env: variables,
      timeoutMs: TIMEOUT_MS,
      signal,
    });
  const git = (args: readonly string[], more?: Output) => gitWith(env, args, more);
  const read = async (args: readonly string[], maxOutputBytes = 1 << 20): Promise<string> => {
    const result = await git(args, { maxOutputBytes });
    if (result.status !== 0) throw failed(args, result);
    return result.stdout;
  };
  /** As they are stored, with one character for each byte. */
  const objects = async (ids: string): Promise<string> => {
    const args = ["cat-file", "--batch"];
    const found = await git(args, { input: ids, encoding: "latin1", maxOutputBytes: MAX_LOG_BYTES });
    if (found.status !== 0) throw failed(args, found);
    if (ids.length >= MAX_LOG_BYTES || found.stdout.length >= MAX_LOG_BYTES)
      throw outsideError("git.size", `the history is larger than ${MAX_LOG_BYTES} bytes`);
    return found.stdout;
  };
  return {
    async state(run = []) {
      const found = await git(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]);
      if (found.status !== 0) {
        if (/not a git repository/.test(found.stderr) || found.stderr.trim() === "") return undefined;
        throw failed(["rev-parse"], found);
      }
      await demandOwnTree(folder, read);
      const commit = found.stdout.trim();
      // First of all, since the status of git already starts what is found here.
      const unread = (await programOfRepository(git)) ?? (await submodule(read));
      if (unread !== undefined) return { commit, dirty: true, why: unread };
      const status = await read(["status", "--porcelain", "-z", "--untracked-files=all", "--ignore-submodules=all"]);
      if (status !== "") return { commit, dirty: true, why: notCommitted(status) };
      await demandTrees(commit, read, objects);
      const why = await hiddenDifference(folder, run, (index, args, maxOutputBytes) =>
        gitWith({ ...env, GIT_INDEX_FILE: index }, args, maxOutputBytes === undefined ? {} : { maxOutputBytes }),
      );
      return { commit, dirty: why !== undefined, ...(why !== undefined && { why }) };
    },
    async isAncestor(commit) {
      if (!isCommitId(commit)) return false;
      await demandFullHistory(folder, read);
      const result = await git(["merge-base", "--is-ancestor", commit, "HEAD"]);
      if (result.status === 0) return true;
      if (result.status === 1 || /not a valid commit|Not a valid commit|bad object/i.test(result.stderr)) return false;
      throw failed(["merge-base"], result);
    },
    async commits(since) {
      if (since !== undefined && !isCommitId(since))
        throw usageError("git.commit", `${JSON.stringify(since)} is not a commit id`);
      await demandFullHistory(folder, read);
      const ids = await read(["rev-list", "HEAD", "--"], MAX_LOG_BYTES);
      return commitsAfter(since, parseCommits(await objects(ids)));
    },
    async blobs(commit) {
      if (!isCommitId(commit)) throw usageError("git.commit", `${JSON.stringify(commit)} is not a commit id`);
      const text = await read(["ls-tree", "-r", "-z", commit], MAX_LOG_BYTES);
      if (Buffer.byteLength(text) >= MAX_LOG_BYTES)
        throw outsideError("git.size", `the repository's list of files is larger than ${MAX_LOG_BYTES} bytes`);
      return new Map(
        text.split("\0").flatMap((line): [string, string][] => {
          const [, id, path] = /^\d+ blob ([0-9a-f]+)\t(.+)$/s.exec(line) ?? [];
          return id === undefined || path === undefined ? [] : [[path, id]];
        }),
      );
    },
    async text(blob) {
      if (!isCommitId(blob)) throw usageError("git.blob", `${JSON.stringify(blob)} is not an object id`);
      const [found] = parseObjects(await objects(blob));
      return textOf(found?.bytes ?? "");
    },
  };
}

/** What `git status --porcelain -z` lists, in a few words. A rename has its old name in a field of its own. */
function notCommitted(status: string): string {
  const [first = "", ...others] = status.split("\0").filter((each) => /^[ A-Z?!]{2} /.test(each));
  return `${stripControls(first.slice(3))}${others.length === 0 ? " is" : ` and ${others.length} more are`} not committed`;
}

function failed(args: readonly string[], result: ProcessResult): Error {
  const said = stripControls(result.stderr.trim().split("\n")[0] ?? "");
  if (result.timedOut) return outsideError("git.timeout", `git ${args[0]} did not end in time`);
  const hint = /dubious ownership/.test(said)
    ? "git config --global --add safe.directory <folder>, if you trust it"
    : undefined;
  return outsideError("git.failed", `git ${args[0]} failed: ${said}`, hint);
}

/** Throws exit 2 when git would look at another folder than the one that is judged (core.worktree, a `.git` file). */
async function demandOwnTree(folder: string, read: (args: readonly string[]) => Promise<string>): Promise<void> {
  const [top = "", prefix = ""] = (await read(["rev-parse", "--show-toplevel", "--show-prefix"])).split("\n");
  const seen = resolve(top, prefix);
  if (!existsSync(seen) || realpathSync(seen) !== realpathSync(folder)) {
    throw usageError(
      "git.worktree",
      `the repository of ${folder} has its working tree elsewhere (${top}): whether this folder is what was committed cannot be told`,
      "git config --unset core.worktree",
    );
  }
}

/**
 * Why the working tree is not looked at: a program that the repository's own configuration (of it and of this work tree, with
 * what they include) would have git start. It could read what this process holds. Undefined: there is none. Starts none itself.
 */
async function programOfRepository(
  git: (args: readonly string[]) => Promise<ProcessResult>,
): Promise<string | undefined> {
  const names = "^(filter\\..*\\.(clean|process)|lfs\\.extension\\..*|hook\\..*\\.command)$";
  const query = ["config", "-z", "--show-scope", "--get-regexp", names];
  const configured = await git(query);
  // Status 1 says that there is none; anything else is not known, and is no "none".
  if (configured.status !== 0 && configured.status !== 1) throw failed(query, configured);
  // Pairs: a scope, then the key, a line end and the value.
  const fields = configured.stdout.split("\0");
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [scope, setting = ""] = [fields[i], fields[i + 1]];
    if (scope !== "local" && scope !== "worktree") continue;
    if (/^filter\.lfs\.(?:clean|process)\ngit-lfs (?:clean|filter-process)(?: --skip)?(?: -- %f)?$/.test(setting))
      continue;
    const key = stripControls(setting.split("\n")[0] ?? "");
    return key.startsWith("filter.")
      ? `a content filter in the configuration of the repository (${key}) stands between the files and their commit`
      : `the configuration of the repository names a program (${key}) that git would start`;
  }
  return undefined;
}

/** Why a repository with submodules is not looked at: git would, by the configuration of each of them. Undefined: it has none. */
async function submodule(
  read: (args: readonly string[], max?: number) => Promise<string>,
): Promise<string | undefined> {
  for (const args of [
    ["ls-tree", "-r", "-z", "--full-tree", "HEAD"],
    ["ls-files", "--stage", "-z", "--", ":/"],
  ]) {
    const listed = await read(args, MAX_LOG_BYTES);
    if (Buffer.byteLength(listed) >= MAX_LOG_BYTES)
      throw outsideError("git.size", `the repository's list of files is larger than ${MAX_LOG_BYTES} bytes`);
    if (/(?:^|\0)160000 /.test(listed)) return "the repository has submodules, into which factory does not look";
  }
  return undefined;
}

/**
 * Throws exit 2 when the commit, or a folder in it, is another one than its id says: the files that lie there would be compared with
 * what the commit does not hold. The files themselves are hashed where they are compared.
 */
async function demandTrees(
  commit: string,
  read: (args: readonly string[], max?: number) => Promise<string>,
  objects: (ids: string) => Promise<string>,
): Promise<void> {
  const listed = await read(["ls-tree", "-r", "-d", "-z", "--full-tree", commit], MAX_LOG_BYTES);
  const below = [...listed.matchAll(/(?:^|\0)\d+ tree ([0-9a-f]+)\t/g)].map(([, id = ""]) => id);
  const top = (await read(["rev-parse", "--verify", `${commit}^{tree}`])).trim();
  parseObjects(await objects([...new Set([commit, top, ...below])].map((id) => `${id}\n`).join("")));
}

/**
 * What keeps a difference out of the status of git, or undefined. The user's index is not believed: marks (assume-unchanged,
 * skip-worktree) and times in it hide changes. A fresh one is made from the commit, so that every file is read.
 */
async function hiddenDifference(
  project: string,
  commandFiles: readonly string[],
  gitOn: (index: string, args: readonly string[], max?: number) => Promise<ProcessResult>,
): Promise<string | undefined> {
  const folder = makeTemporaryFolder();
  const index = join(folder.path, "index");
  const run = async (args: readonly string[], max?: number): Promise<ProcessResult> => {
    // Where names differ in the case of their letters only, Python takes the one that is written as it imports it.
    const result = await gitOn(index, ["-c", "core.sparseCheckout=false", "-c", "core.ignoreCase=false", ...args], max);
    if (result.status !== 0) throw failed(args, result);
    return result;
  };
  try {
    await run(["read-tree", "HEAD"]);
    const unlike = (await besideCommit(project, commandFiles, run)) ?? (await rewrittenByGit(run));
    if (unlike !== undefined) return unlike;
    const status = await run([
      "status",
      ...["--porcelain", "-z", "--untracked-files=no", "--ignore-submodules=all", "--", "."],
    ]);
    const [first] = status.stdout.split("\0");
    return first === undefined || first === ""
      ? undefined
      : `${stripControls(first.slice(3))} differs, and the index of git is marked so that its status does not show it`;
  } finally {
    folder.remove();
  }
}

/** Throws exit 2 when the history that git shows is not the one that the commits tell. */
async function demandFullHistory(folder: string, read: (args: readonly string[]) => Promise<string>): Promise<void> {
  const [shallow, grafts = ""] = (
    await read(["rev-parse", "--is-shallow-repository", "--git-path", "info/grafts"])
  ).split("\n");
  if (shallow === "true") {
    throw usageError(
      "git.shallow",
      "the repository is a shallow clone: who changed the code cannot be told",
      "git fetch --unshallow (in CI: check out with full history, fetch-depth: 0)",
    );
  }
  const graftFile = resolve(folder, grafts);
  const grafted = existsSync(graftFile) && readFileSync(graftFile, "utf8").trim() !== "";
  const replaced = (await read(["for-each-ref", "--count=1", "--format=%(refname)", "refs/replace"])).trim() !== "";
  if (grafted || replaced) {
    throw usageError(
      "git.grafted",
      "the repository's history is grafted or replaced: who changed the code cannot be told",
      "remove .git/info/grafts and the refs below refs/replace",
    );
  }
}
