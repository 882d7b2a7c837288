import { outsideError } from "../lib/error.ts";
import { stripControls } from "../lib/redact.ts";
import type { ProcessResult } from "../lib/run-process.ts";

const MAX_LIST_BYTES = 64 << 20;

/**
 * Attributes by which git compares another text than the one that lies there: `ident` forgets all between `$Id:` and `$`, a working-tree
 * encoding reads other characters than Python does. Line ends (`text`, `eol`, core.autocrlf) may differ, which Python takes for the same,
 * and filters are looked for where their programs are named.
 *
 * Asked from the top of the repository: in a folder below it, git before 2.42 looks such a path up as if that folder were the top.
 */
const REWRITING = [
  { name: "ident", places: [":(top,attr:ident)"] },
  {
    name: "working-tree-encoding",
    // Any value; true and false are an error to git itself.
    places: [":/", ":(top,exclude,attr:!working-tree-encoding)", ":(top,exclude,attr:-working-tree-encoding)"],
  },
];

/**
 * Why a project's files, though git finds no difference, may be others than the commit holds; undefined: they may not. Git looks the
 * attributes up where its status does, so it does not matter who set them: the commit, the repository, the user or the system.
 */
export async function rewrittenByGit(
  git: (args: readonly string[], maxOutputBytes: number) => Promise<ProcessResult>,
): Promise<string | undefined> {
  for (const { name, places } of REWRITING) {
    const { stdout } = await git(["ls-files", "-z", "--", ...places], MAX_LIST_BYTES);
    if (Buffer.byteLength(stdout) >= MAX_LIST_BYTES)
      throw outsideError("git.size", `the list of files with the attribute ${name} is too long`);
    const rewritten = stdout.split("\0").find((path) => path !== "" && !path.startsWith("../"));
    if (rewritten === undefined) continue;
    const path = stripControls(rewritten);
    return `git rewrites ${path} before it compares it with the commit (attribute ${name}): take ${name} out of .gitattributes, .git/info/attributes or your own attributes file, and commit the file as it is: git check-attr --all -- ${path}`;
  }
  return undefined;
}
