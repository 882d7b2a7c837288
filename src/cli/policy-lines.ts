import type { Style } from "./style.ts";

/** Who may sign a policy file, and what comes before: under a version that is in force with another text no signature counts. */
export function maySignLines(
  maySign: readonly string[],
  version: number,
  inForce: number | undefined,
  style: Style,
): string[] {
  if (maySign.length === 0) return [];
  const raise =
    inForce !== undefined && version <= inForce ? `raise version in policy.yaml to ${inForce + 1}; then ` : "";
  return [style.dim(`  ${raise}may sign: ${maySign.join(", ")}: factory policy sign`)];
}
