import { normaliseAddress } from "../policy/address.ts";
import type { Commit, History } from "./history.ts";

export interface Changer {
  /** Normalised address; for an unknown one, the text as written. */
  address: string;
  /** False when the address is not plain ASCII with an @: no policy entry can stand for it. */
  known: boolean;
  /** Commits that this person wrote, committed or co-wrote. */
  changes: number;
}

export interface ChangedBy {
  /** Everyone after this commit is listed; undefined: the whole history. */
  since: string | undefined;
  /** Number of commits looked at. */
  commits: number;
  /** Sorted by address. */
  people: readonly Changer[];
}

/** The people of the commits, each commit counted once per person. */
export function changedBy(commits: readonly Commit[], since: string | undefined): ChangedBy {
  const people = new Map<string, Changer>();
  for (const commit of commits) {
    const here = new Map<string, boolean>();
    for (const { address } of [commit.author, commit.committer, ...commit.coAuthors]) {
      const normal = normaliseAddress(address);
      // An unknown address keeps a mark before it, so that it can never meet a known one in this map.
      here.set(normal ?? `?${address}`, normal !== undefined);
    }
    for (const [key, known] of here) {
      const before = people.get(key)?.changes ?? 0;
      people.set(key, { address: known ? key : key.slice(1), known, changes: before + 1 });
    }
  }
  const sorted = [...people.values()].sort((a, b) =>
    a.address < b.address ? -1 : a.address > b.address ? 1 : Number(a.known) - Number(b.known),
  );
  return { since, commits: commits.length, people: sorted };
}

/**
 * Who changed the code since the commit of the champion; the whole history when there is none, or when it is not an ancestor
 * of what is checked out.
 */
export async function peopleSince(history: History, champion: string | undefined): Promise<ChangedBy> {
  const since = champion !== undefined && (await history.isAncestor(champion)) ? champion : undefined;
  return changedBy(await history.commits(since), since);
}
