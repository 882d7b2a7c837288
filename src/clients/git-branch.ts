import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { variablesFor } from "../lib/child-variables.ts";
import { outsideError, usageError } from "../lib/error.ts";
import { fileError } from "../lib/file-error.ts";
import { sha256 } from "../lib/hash.ts";
import { acquireLock } from "../lib/lock.ts";
import { stripControls } from "../lib/redact.ts";
import { type ProcessResult, runProcess } from "../lib/run-process.ts";

const TIMEOUT_MS = 120_000;
const LOCK_WAIT_MS = 180_000;
/** No command of git that changes a ref takes this long; one that was killed leaves its lock for ever. */
const GIT_LOCK_STALE_MS = 5 * 60_000;
/** Far more than a chain of small entries ever takes. */
const MAX_FILE_BYTES = 256 << 20;

export interface GitBranchRequest {
  url: string;
  branch: string;
  /** A folder for private copies, one for each address and branch. */
  cache: string;
  variables: Readonly<Record<string, string>>;
  signal?: AbortSignal | undefined;
}

/** What a push came to: done; refused since the branch has moved; refused for good; or no answer came. */
export type Pushed = { is: "done" | "moved" } | { is: "refused" | "lost"; why: string };

/** A branch of a repository, used through a private bare copy of it. Nothing is ever forced. */
export interface GitBranch {
  /** For messages. */
  readonly place: string;
  /** The private copy. */
  readonly folder: string;
  /** Runs alone among the processes that use the same copy. */
  locked<T>(run: () => Promise<T>): Promise<T>;
  /** The head of the branch as it is now; undefined when there is no such branch. Throws exit 4 when it cannot be reached. */
  fetch(): Promise<string | undefined>;
  /** The files at the root of a commit. */
  files(commit: string): Promise<readonly GitFile[]>;
  bytes(file: GitFile): Promise<Buffer>;
  /** A commit on `parent` in which one file at the root has these bytes; it is not pushed. */
  commit(parent: string | undefined, name: string, bytes: Uint8Array, message: string): Promise<string>;
  push(commit: string): Promise<Pushed>;
  isAncestor(commit: string, of: string): Promise<boolean>;
  /** A commit that was noted under a name in the private copy. */
  noted(name: string): Promise<string | undefined>;
  note(name: string, commit: string): Promise<void>;
}

export interface GitFile {
  name: string;
  plain: boolean;
  id: string;
  size: number;
}

/**
 * Settings that decide what git starts, and what it reaches. The user's own configuration stays otherwise, since it says how
 * servers are reached (credential helpers, certificates, proxies, ssh). The private copy has none of its own but these.
 */
const SETTINGS = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.attributesFile=/dev/null",
  "core.commitGraph=false",
  "commit.gpgSign=false",
  "push.gpgSign=false",
  "push.followTags=false",
  "push.recurseSubmodules=no",
  "fetch.recurseSubmodules=false",
  "fetch.prune=false",
  "maintenance.auto=false",
  "gc.autoDetach=false",
  "protocol.allow=never",
  ...["https", "http", "ssh", "file"].map((name) => `protocol.${name}.allow=always`),
].flatMap((setting) => ["-c", setting]);

const SIGNATURE = { NAME: "factory", EMAIL: "factory@invalid" };

/** Throws a usage error (exit 2) for an address that holds credentials or that git would take for something else. */
export function openGitBranch({ url, branch, cache, variables, signal }: GitBranchRequest): GitBranch {
  refuseAddress(url, branch);
  const folder = join(cache, sha256(`${url}\n${branch}`).slice(0, 32));
  const place = `${url} (branch ${branch})`;
  const base = {
    // How a person or a CI job lets git reach a server. No other variable gets to git: many of them change what it does.
    ...variablesFor("git", variables),
    LC_ALL: "C",
    TZ: "UTC",
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_TERMINAL_PROMPT: "0",
    ...Object.fromEntries(
      Object.entries(SIGNATURE).flatMap(([part, value]) => [
        [`GIT_AUTHOR_${part}`, value],
        [`GIT_COMMITTER_${part}`, value],
      ]),
    ),
  };
  const run = (args: readonly string[], more: { env?: Record<string, string>; max?: number } = {}) =>
    runProcess({
      argv: ["git", ...SETTINGS, ...args],
      cwd: folder,
      env: { ...base, ...more.env },
      timeoutMs: TIMEOUT_MS,
      ...(signal !== undefined && { signal }),
      ...(more.max !== undefined && { maxOutputBytes: more.max, encoding: "latin1" }),
    });
  let ready: Promise<void> | undefined;
  const prepare = async (): Promise<void> => {
    const made = await run(["init", "--bare", "--quiet", "--template=", "--", folder]);
    if (made.status !== 0) throw failed("init", made, url, place);
  };
  /** In the private copy, whatever folder git would find. */
  const git = async (args: readonly string[], more: { env?: Record<string, string>; max?: number } = {}) => {
    ready ??= prepare();
    await ready;
    return run(args, { ...more, env: { GIT_DIR: folder, ...more.env } });
  };
  const read = async (args: readonly string[], more?: { env?: Record<string, string>; max?: number }) => {
    const result = await git(args, more);
    if (result.status !== 0) throw failed(args[0] ?? "", result, url, place);
    return result.stdout;
  };
  return {
    place,
    folder,
    async locked(work) {
      let release = () => {};
      try {
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        const lock = { path: `${folder}.lock`, what: `the copy of ${place}`, waitMs: LOCK_WAIT_MS };
        release = await acquireLock({ ...lock, ...(signal !== undefined && { signal }) });
        removeLeft(folder);
        return await work();
      } catch (thrown) {
        throw fileError(thrown, folder);
      } finally {
        release();
      }
    },
    async fetch() {
      const args = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--refmap="];
      const result = await git([...args, "--", url, `+refs/heads/${branch}:refs/factory/fetched`]);
      if (result.status === 0) return (await read(["rev-parse", "--verify", "refs/factory/fetched^{commit}"])).trim();
      if (/^fatal: couldn't find remote ref /m.test(result.stderr)) return undefined;
      throw failed("fetch", result, url, place);
    },
    async files(commit) {
      const listed = await read(["ls-tree", "-z", "--long", commit], { max: 64 << 20 });
      return listed.split("\0").flatMap((row) => {
        const [, mode = "", id = "", size = "", name = ""] = /^(\d+) \S+ ([0-9a-f]+) +(\d+|-)\t(.*)$/s.exec(row) ?? [];
        return name === "" ? [] : [{ name, plain: /^100/.test(mode), id, size: Number(size) }];
      });
    },
    async bytes({ name, plain, id, size }) {
      if (!plain) throw outsideError("git.file", `${name} in ${place} is no plain file`);
      if (size > MAX_FILE_BYTES)
        throw outsideError("git.size", `${name} in ${place} has ${size} bytes, more than ${MAX_FILE_BYTES}`);
      const bytes = Buffer.from(await read(["cat-file", "blob", id], { max: MAX_FILE_BYTES + 1 }), "latin1");
      if (bytes.length !== size) throw outsideError("git.file", `${name} in ${place} could not be read whole`);
      return bytes;
    },
    async commit(parent, name, bytes, message) {
      const temporary = join(folder, `factory-${randomBytes(6).toString("hex")}`);
      const env = { GIT_INDEX_FILE: `${temporary}.index` };
      try {
        writeFileSync(temporary, bytes, { mode: 0o600, flag: "wx" });
        const blob = (await read(["hash-object", "-w", "--no-filters", "--", temporary])).trim();
        await read(parent === undefined ? ["read-tree", "--empty"] : ["read-tree", parent], { env });
        await read(["update-index", "--add", "--cacheinfo", `100644,${blob},${name}`], { env });
        const tree = (await read(["write-tree"], { env })).trim();
        const on = parent === undefined ? [] : ["-p", parent];
        return (await read(["commit-tree", "--no-gpg-sign", ...on, "-m", message, tree])).trim();
      } finally {
        for (const path of [temporary, `${temporary}.index`, `${temporary}.index.lock`]) rmSync(path, { force: true });
      }
    },
    async push(commit) {
      const flags = ["--porcelain", "--no-verify", "--no-signed", "--no-follow-tags", "--recurse-submodules=no"];
      const result = await git(["push", ...flags, "--", url, `${commit}:refs/heads/${branch}`]);
      return result.status === 0 ? { is: "done" } : pushed(result);
    },
    async isAncestor(commit, of) {
      const result = await git(["merge-base", "--is-ancestor", commit, of]);
      if (result.status === 0 || result.status === 1) return result.status === 0;
      throw failed("merge-base", result, url, place);
    },
    async noted(name) {
      const result = await git(["rev-parse", "--verify", "--quiet", `refs/factory/${name}^{commit}`]);
      return result.status === 0 ? result.stdout.trim() : undefined;
    },
    async note(name, commit) {
      await read(["update-ref", `refs/factory/${name}`, commit]);
      // Its own small objects are packed now and then; nothing depends on it.
      await git(["gc", "--auto", "--quiet"]);
    },
  };
}

/** What was left by processes that were killed: files of a commit that was being made, and locks of git that nobody holds any more. */
function removeLeft(folder: string): void {
  for (const name of readdirSync(folder))
    if (/^factory-[0-9a-f]{12}(?:\.index(?:\.lock)?)?$/.test(name)) rmSync(join(folder, name), { force: true });
  const refs = join(folder, "refs");
  const below = existsSync(refs) ? readdirSync(refs, { recursive: true, encoding: "utf8" }) : [];
  for (const path of ["packed-refs", ...below.map((name) => join("refs", name))]) {
    const lock = join(folder, path.endsWith(".lock") ? path : `${path}.lock`);
    const since = statSync(lock, { throwIfNoEntry: false })?.mtimeMs;
    if (since !== undefined && Date.now() - since > GIT_LOCK_STALE_MS) rmSync(lock, { force: true });
  }
}

function refuseAddress(url: string, branch: string): void {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const secret = parsed !== undefined && (parsed.password !== "" || (isHttp(parsed) && parsed.username !== ""));
  if (secret)
    throw usageError(
      "git.credentials",
      "the address of the git repository holds credentials",
      "leave them to git: a credential helper, or ssh",
    );
  if (/^-|::|[^\x21-\x7e]/.test(url) || url === "" || /^-|[^\x21-\x7e]|^$/.test(branch))
    throw usageError("git.address", `${JSON.stringify(url)} with branch ${JSON.stringify(branch)} is no address`);
}

function isHttp({ protocol }: URL): boolean {
  return protocol === "http:" || protocol === "https:";
}

/** What `git push --porcelain` says of one branch: `! <from>:<to> <what> (<why>)`. */
function pushed({ stdout, stderr, timedOut }: ProcessResult): Pushed {
  const row = /^!\t\S+\t(.*)$/m.exec(stdout)?.[1];
  const why = stripControls(row ?? (timedOut ? "no answer in time" : lastLine(stderr)));
  if (row === undefined || /^\[remote failure\]/.test(row)) return { is: "lost", why };
  // Two pushes at the same moment: one finds the branch locked, or changed under its hands.
  const race =
    /^\[remote rejected\] \((?:cannot lock ref|failed to (?:update|lock) ref|incorrect old value|reference already exists|stale info|fetch first)/i;
  return /^\[rejected\]/.test(row) || race.test(row)
    ? { is: "moved" }
    : { is: "refused", why: `${why} ${said(stderr)}`.trim() };
}

/** What the server's hooks said to the person. */
function said(stderr: string): string {
  const lines = stderr.split("\n").flatMap((line) => /^remote: (.*\S)/.exec(line)?.[1] ?? []);
  return stripControls(lines.slice(0, 5).join(" "));
}

function lastLine(text: string): string {
  const lines = text.trim().split("\n");
  return lines.find((line) => line.startsWith("fatal: ")) ?? lines.at(-1) ?? "";
}

function failed(what: string, result: ProcessResult, url: string, place: string): Error {
  if (result.timedOut)
    return outsideError("git.timeout", `git ${what} on ${place} did not end in ${TIMEOUT_MS / 1000} s`);
  return outsideError(
    "git.failed",
    `git ${what} on ${place} failed: ${stripControls(lastLine(result.stderr))}`,
    `check that you may read and write that repository: git ls-remote ${url}`,
  );
}
