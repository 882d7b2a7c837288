/** The official program that deploys bundles, logged in to one workspace. */
export interface BundleCli {
  /** Name and version: `databricks 1.13.0`. */
  tool: string;
  /** Origin of the workspace. */
  host: string;
  /** Asks the workspace whether it would take the bundle. Throws exit 4 with what it says, by file and line where it does. */
  validate(run: BundleRun): Promise<void>;
  /** Deploys. Throws exit 4; what was deployed until then stays. */
  deploy(run: BundleRun): Promise<void>;
}

export interface BundleRun {
  /** Holds databricks.yml. */
  folder: string;
  target: string;
  variables: Readonly<Record<string, string>>;
}
