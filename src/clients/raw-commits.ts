import { createHash } from "node:crypto";
import { isCommitId } from "../lib/commit-id.ts";
import { outsideError, usageError } from "../lib/error.ts";
import type { Commit, Signature } from "../people/history.ts";

/** An object as it is stored, with one character for each byte. */
export interface RawObject {
  id: string;
  type: string;
  bytes: string;
}

/** A commit with what it was made from. */
export interface RawCommit extends Commit {
  parents: readonly string[];
}

/**
 * The objects in what `git cat-file --batch` wrote of them, given with one character for each byte. Each must be the one that its id names:
 * git takes that on trust in most of what it does, so that whoever can write to `.git` could put another author or another tree into a
 * commit, and only `git fsck` would see it. Throws exit 2 for such a one, exit 4 for output in another form.
 */
export function parseObjects(bytes: string): RawObject[] {
  const objects: RawObject[] = [];
  for (let at = 0; at < bytes.length; ) {
    const header = /^([0-9a-f]+) ([a-z]+) (\d+)\n/.exec(bytes.slice(at, at + 128));
    const [line = "", id = "", type = "", size = ""] = header ?? [];
    const from = at + line.length;
    at = from + Number(size) + 1;
    if (line === "" || !isCommitId(id) || bytes[at - 1] !== "\n")
      throw outsideError("git.objects", "git cat-file answered in a form that is not understood");
    const content = bytes.slice(from, at - 1);
    const hash = createHash(id.length === 64 ? "sha256" : "sha1").update(`${type} ${size}\0`);
    if (hash.update(Buffer.from(content, "latin1")).digest("hex") !== id)
      throw usageError(
        "git.forged",
        `the repository's ${type} ${id.slice(0, 12)} is another one than its id says: it was damaged, or changed by hand`,
        "git fsck tells; clone the repository anew",
      );
    objects.push({ id, type, bytes: content });
  }
  return objects;
}

/**
 * The commits among objects. Read as they are stored: `git log` converts a commit from the encoding that it names, headers too, and one
 * that names UTF-7 then has another author. The form of a commit: https://git-scm.com/docs/git-commit-tree, gitformat-signature.
 */
export function parseCommits(bytes: string): RawCommit[] {
  return parseObjects(bytes).map(({ id, type, bytes: content }) => {
    if (type !== "commit") throw outsideError("git.commits", `${id} is a ${type}, and no commit`);
    return commitOf(id, content);
  });
}

/** All but a commit and those that it was made from; all, when it is none of them. Throws exit 2 where one is missing. Pure. */
export function commitsAfter(since: string | undefined, all: readonly RawCommit[]): Commit[] {
  const byId = new Map(all.map((each) => [each.id, each]));
  const cut = all.flatMap(({ parents }) => parents).find((id) => !byId.has(id));
  if (cut !== undefined)
    throw usageError(
      "git.cut",
      `the repository's history lacks commit ${cut.slice(0, 12)}: who changed the code cannot be told`,
      "clone the repository anew, with its full history",
    );
  const before = new Set<string>();
  const open = since === undefined ? [] : [since];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (before.has(id)) continue;
    before.add(id);
    open.push(...(byId.get(id)?.parents ?? []));
  }
  return all.flatMap(({ parents: _, ...commit }) => (before.has(commit.id) ? [] : [commit]));
}

function commitOf(id: string, bytes: string): RawCommit {
  const end = bytes.indexOf("\n\n");
  const headers = (end === -1 ? bytes : bytes.slice(0, end)).split("\n");
  const valuesOf = (what: string) =>
    headers.filter((each) => each.startsWith(`${what} `)).map((each) => each.slice(what.length + 1));
  const signed = (what: string) => valuesOf(what).map(signatureOf);
  const [author, ...authors] = signed("author");
  const [committer, ...committers] = signed("committer");
  if (author === undefined || committer === undefined)
    throw outsideError("git.commits", `commit ${id} has no author or no committer`);
  const body = textOf(end === -1 ? "" : bytes.slice(end + 2));
  return {
    id,
    author,
    committer,
    coAuthors: [...authors, ...committers, ...coAuthorsOf(body)],
    parents: valuesOf("parent"),
  };
}

/** `Name <address> seconds zone`; what is not written so is nobody's address. */
function signatureOf(bytes: string): Signature {
  const text = textOf(bytes);
  const [, name = text, address = text] = /^([^<>]*?) ?<([^<>]*)> \d+ [+-]\d+$/.exec(text) ?? [];
  return { name, address };
}

/** Every `Co-authored-by` line, wherever it stands in the message, and everybody in it: one who is named was there. */
function coAuthorsOf(body: string): Signature[] {
  return [...body.matchAll(/^[ \t]*co-authored-by[ \t]*:[ \t]*(.*)$/gim)].flatMap(([, line = ""]) => {
    const value = line.trim();
    const named = [...value.matchAll(/([^<>]*)<([^<>]*)>/g)].map(([, name = "", address = ""]) => ({
      name: name.replace(/^[\s,;]+|\s+$/g, ""),
      address,
    }));
    const rest = value.replace(/<[^<>]*>/g, "");
    // An address outside of the brackets is somebody's too; in this form it is nobody's that a policy lists.
    return named.length === 0 || /[<>@]/.test(rest) ? [...named, { name: value, address: value }] : named;
  });
}

/** UTF-8 of which each byte is a character. */
export function textOf(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString("utf8");
}
