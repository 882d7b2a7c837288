/** One thing that does not hold in signed evidence, a bundle or a statement. */
export interface Flaw {
  /** Stable, such as `signature.key`. */
  code: string;
  /** What, and where. */
  message: string;
}
