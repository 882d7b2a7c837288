import { isCommitId } from "../lib/commit-id.ts";
import { outsideError } from "../lib/error.ts";
import type { Commit, Signature } from "../people/history.ts";

/**
 * The commits in what `git cat-file --batch` wrote of them, given with one character for each byte. Read as they are stored:
 * `git log` converts a commit from the encoding that it names, headers too, and one that names UTF-7 then has another author.
 * Throws exit 4 for output in another form. The form of a commit: https://git-scm.com/docs/git-commit-tree, gitformat-signature.
 */
export function parseCommits(bytes: string): Commit[] {
  const commits: Commit[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [line = "", id = "", size = ""] = /^([0-9a-f]+) commit (\d+)\n/.exec(bytes.slice(at, at + 128)) ?? [];
    const from = at + line.length;
    at = from + Number(size) + 1;
    if (line === "" || !isCommitId(id) || bytes[at - 1] !== "\n")
      throw outsideError("git.commits", "git cat-file answered in a form that is not understood");
    commits.push(commitOf(id, bytes.slice(from, at - 1)));
  }
  return commits;
}

function commitOf(id: string, bytes: string): Commit {
  const end = bytes.indexOf("\n\n");
  const headers = (end === -1 ? bytes : bytes.slice(0, end)).split("\n");
  const signed = (what: string) =>
    headers.filter((each) => each.startsWith(`${what} `)).map((each) => signatureOf(each.slice(what.length + 1)));
  const [author, ...authors] = signed("author");
  const [committer, ...committers] = signed("committer");
  if (author === undefined || committer === undefined)
    throw outsideError("git.commits", `commit ${id} has no author or no committer`);
  const body = textOf(end === -1 ? "" : bytes.slice(end + 2));
  return { id, author, committer, coAuthors: [...authors, ...committers, ...coAuthorsOf(body)] };
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

function textOf(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString("utf8");
}
