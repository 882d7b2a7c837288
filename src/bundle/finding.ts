/** One thing that is wrong, or looks wrong, in a bundle's files. */
export interface BundleFinding {
  /** An error: the bundle would not deploy, or not as it is meant. A warning is shown and stops nothing. */
  severity: "error" | "warning";
  message: string;
  /** Relative to the bundle's folder. */
  file: string;
  line?: number;
  /** Dotted path inside the file: `targets.prod.mode`. */
  path: string;
  hint?: string;
}

export type Path = readonly (string | number)[];

/** `jobs.train.tasks[0].task_key` */
export function pathText(path: Path): string {
  return path.map((key, i) => (typeof key === "number" ? `[${key}]` : i === 0 ? key : `.${key}`)).join("");
}
