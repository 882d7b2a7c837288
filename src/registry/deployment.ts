/** A registry that runs a job for each new version, whose approval task waits for a tag on that version. */
export interface DeploymentApprovals {
  /**
   * Sets the tag that each approval task of the job looks for, and lets a run go on that waits for it. Safe to repeat. `job`: the
   * registered model's. What stands in the way of the run is told, not thrown: the tag is there.
   */
  approve(at: { model: string; version: string; job: string }): Promise<DeploymentRun>;
  /** Takes those tags away, and says which there were. A task that has passed is not undone by it. */
  withdraw(at: { model: string; version: string }): Promise<readonly string[]>;
  /** Names of the approval tasks that the tags of a version let pass. */
  approved(tags: Readonly<Record<string, string>>): readonly string[];
}

/** How the job of a version stands after it was told. */
export interface DeploymentRun {
  /** The approval tasks that were told: each is the name of a tag. */
  tasks: readonly string[];
  /** `goes on`: it waited and does no longer, or has yet to come to its approval. `none`: this version has no run. */
  run: "goes on" | "waits" | "over" | "none";
  /** What stands in the way, or what is odd. */
  why?: string;
  fix?: string;
}
