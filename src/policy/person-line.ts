/** The line that a new key needs under `people` in policy.yaml, with its indent. Pure. */
export function personLine(entry: { address: string; kind: "person" | "service"; key: string; from: string }): string {
  const address = /^[a-z0-9][a-z0-9._@-]*$/.test(entry.address) ? entry.address : JSON.stringify(entry.address);
  const kind = entry.kind === "service" ? "kind: service, " : "";
  return `  ${address}: { ${kind}keys: [{ key: "${entry.key}", from: ${entry.from} }] }`;
}
