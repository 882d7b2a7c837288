export interface Signature {
  name: string;
  /** As written in the commit; see `normaliseAddress`. */
  address: string;
}

export interface Commit {
  /** Full hex id. */
  id: string;
  author: Signature;
  committer: Signature;
  coAuthors: readonly Signature[];
}

/** What factory asks of version control. */
export interface History {
  /**
   * The commit that is checked out, and whether the working tree differs from it (untracked files count).
   * `why` says in what it differs. `run`: files that commands of the project name; one that is in no commit is code beside it, whatever
   * it is called. Undefined when there is no repository or no commit yet.
   */
  state(run?: readonly string[]): Promise<{ commit: string; dirty: boolean; why?: string } | undefined>;
  /** Whether the commit is in the history of what is checked out; false for one that is not known. */
  isAncestor(commit: string): Promise<boolean>;
  /** Every commit in the history of what is checked out that is not in `since`'s. Cut or grafted history is an error (exit 2). */
  commits(since: string | undefined): Promise<readonly Commit[]>;
  /** Git's object ids of the files below the folder that the commit holds, by path from the folder. */
  blobs(commit: string): Promise<ReadonlyMap<string, string>>;
  /** The text of a file by its object id. */
  text(blob: string): Promise<string>;
}
