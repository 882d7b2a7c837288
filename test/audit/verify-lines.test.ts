import { expect, test } from "vitest";
import { makeStyle } from "../../src/cli/style.ts";
import { renderVerify, type Verified } from "../../src/cli/verify-lines.ts";

const fix = "start it: factory local start";
const silent = (environment: string, more = "connection refused"): Verified["findings"][number] => ({
  part: "registry",
  verdict: "cannot tell",
  environment,
  message: `the registry of ${environment} did not answer: ${more}`,
  fix,
});

/** What stands below the parts, a line each. */
function below(findings: Verified["findings"]): string[] {
  const data: Verified = {
    outcome: "cannot tell",
    project: "claims-triage",
    model: "claims.triage",
    ledger: {
      place: "",
      entries: 1,
      head: "",
      tornBytes: 0,
      pending: [],
      firstPolicy: null,
      policy: null,
      pilot: false,
    },
    bundles: { named: 0, good: 0, evidence: 0 },
    registry: [],
    network: true,
    findings,
  };
  const text = renderVerify(data, makeStyle(false, 100));
  return text
    .slice(text.indexOf("\n\n") + 2)
    .split("\n")
    .map((line) => line.trim());
}

test("registries that fail alike are one line, and a hint stands once", () => {
  const object: Verified["findings"][number] = { part: "bundles", verdict: "cannot tell", message: "not read", fix };
  expect(below([silent("dev"), silent("test"), object, silent("prod", "no such host")])).toEqual([
    "? the registry of dev, test did not answer: connection refused",
    "? not read",
    "? the registry of prod did not answer: no such host",
    `→ ${fix}`,
  ]);
});

test("what differs by verdict, by hint or has none stays apart, problems first", () => {
  const note = { part: "ledger" as const, verdict: "note" as const, message: "worth knowing" };
  const no = {
    part: "registry" as const,
    verdict: "no" as const,
    environment: "prod",
    message: "v2 of prod is gone",
    fix,
  };
  expect(below([note, silent("dev"), { ...note, message: "another" }, no])).toEqual([
    "✖ v2 of prod is gone",
    `→ ${fix}`,
    "? the registry of dev did not answer: connection refused",
    `→ ${fix}`,
    "! worth knowing",
    "! another",
  ]);
});
