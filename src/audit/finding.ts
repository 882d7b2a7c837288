/** Something that a look at the line found. */
export interface Finding {
  part: "ledger" | "bundles" | "registry";
  /** `no`: it does not hold. `cannot tell`: nobody answered, or it was not looked at. `note`: worth knowing, and no problem. */
  verdict: "no" | "cannot tell" | "note";
  environment?: string;
  /** One sentence: what, and where. */
  message: string;
  /** Of a bundle that was not obtained: its entry, and what it has in common with others that were not. */
  missing?: { entry: number; cause: string };
  /** What to do. */
  fix?: string;
}

/** Any problem is a no, even beside what could not be told. Pure. */
export function outcomeOf(findings: readonly Finding[]): "yes" | "no" | "cannot tell" {
  if (findings.some((each) => each.verdict === "no")) return "no";
  return findings.some((each) => each.verdict === "cannot tell") ? "cannot tell" : "yes";
}
