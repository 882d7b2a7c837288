import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { LedgerStore, StoredChain } from "../ledger/store.ts";
import { type FactoryError, outsideError, usageError } from "../lib/error.ts";
import { type GitBranch, type GitBranchRequest, openGitBranch } from "./git-branch.ts";
import { endsWith, splitTorn } from "./ledger-bytes.ts";

/** How often an append starts again since others write to the same branch. */
const TRIES = 50;
/** How often in a row no answer may come. */
const LOST = 3;
const MAX_PAUSE_MS = 250;

/**
 * The chain of a project in a branch of a git repository: the file `<project>.jsonl` at its root. An append is a commit on the
 * head that was just fetched, pushed without force: when the push is refused since the head has moved, the chain is looked at
 * again. What was seen of a chain once must be there for ever: a branch whose history was rewritten, or a file that lost
 * lines, is an error (exit 4).
 */
export function openLedgerGit(request: GitBranchRequest & { project: string }): LedgerStore {
  const { project, signal } = request;
  if (!/^[a-z][a-z0-9_-]{0,62}$/.test(project))
    throw usageError("ledger.project", `${JSON.stringify(project)} is no name of a project`);
  const branch = openGitBranch(request);
  const name = `${project}.jsonl`;
  const fetch = async (): Promise<Fetched> => {
    const head = await branch.fetch();
    const chain = head === undefined ? splitTorn(Buffer.alloc(0)) : await chainAt(branch, head, name);
    await demandOnlyAppended(branch, project, name, head, chain.text);
    return { head, chain };
  };
  return {
    place: `${branch.place}, ${name}`,
    local: false,
    read: () => branch.locked(async () => (await fetch()).chain),
    append: (line, expected) =>
      branch.locked(async () => {
        const made: string[] = [];
        let lost = 0;
        for (let attempt = 0; attempt < TRIES; attempt++) {
          const { head, chain } = await fetch().catch((thrown: unknown) => {
            throw made.length === 0 ? thrown : notKnown(branch.place, thrown);
          });
          // An answer may have been lost after the push was done; others may have written after it.
          for (const commit of made) if (head !== undefined && (await branch.isAncestor(commit, head))) return true;
          if (!endsWith(chain.text, expected)) return false;
          const bytes = Buffer.concat([chain.text, Buffer.from(`${line}\n`)]);
          const commit = await branch.commit(head, name, bytes, `${project}: entry ${expected.seq + 1}`);
          made.push(commit);
          const pushed = await branch.push(commit);
          if (pushed.is === "done") {
            await branch.note(`seen/${project}`, commit);
            return true;
          }
          if (pushed.is === "refused")
            throw outsideError(
              "ledger.denied",
              `${branch.place} did not take an entry: ${pushed.why}`,
              "check that you may push to that branch, and what its protection asks for",
            );
          lost = pushed.is === "lost" ? lost + 1 : 0;
          if (pushed.is === "lost" && lost >= LOST) throw notKnown(branch.place, pushed.why);
          await sleep(randomInt(MAX_PAUSE_MS), undefined, signal === undefined ? {} : { signal });
        }
        throw outsideError("ledger.busy", `${branch.place} moved ${TRIES} times in a row`, "run it again");
      }),
  };
}

interface Fetched {
  head: string | undefined;
  chain: StoredChain;
}

async function chainAt(branch: GitBranch, commit: string, name: string): Promise<StoredChain> {
  const file = (await branch.files(commit)).find((each) => each.name === name);
  return splitTorn(file === undefined ? Buffer.alloc(0) : await branch.bytes(file));
}

/** Compares with what this machine saw last, and notes what it sees now. */
async function demandOnlyAppended(
  branch: GitBranch,
  project: string,
  name: string,
  head: string | undefined,
  text: Buffer,
): Promise<void> {
  const seen = await branch.noted(`seen/${project}`);
  if (seen === head) return;
  if (seen !== undefined) {
    if (head === undefined) throw rewritten(branch, "the branch is not there any more");
    if (!(await branch.isAncestor(seen, head)))
      throw rewritten(
        branch,
        `commit ${seen.slice(0, 12)}, its head when it was last seen from here, is not in it any more`,
      );
    const before = (await chainAt(branch, seen, name)).text;
    if (!text.subarray(0, before.length).equals(before))
      throw rewritten(branch, `lines that ${name} had in commit ${seen.slice(0, 12)} are not in it any more`);
  }
  if (head !== undefined) await branch.note(`seen/${project}`, head);
}

function rewritten(branch: GitBranch, what: string): FactoryError {
  return outsideError(
    "ledger.rewritten",
    `the history of ${branch.place} was rewritten: ${what}`,
    `find out who did that and put it back: ${branch.folder} still holds what was there (git log refs/factory/seen/…). If it was ` +
      "agreed on, remove that folder, and factory starts from what is there now",
  );
}

function notKnown(place: string, cause: unknown): FactoryError {
  return outsideError(
    "ledger.unknown",
    `no answer from ${place}: whether the entry was written is not known`,
    "run the same command again when it can be reached: it looks first",
    cause,
  );
}
