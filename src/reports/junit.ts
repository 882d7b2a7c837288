import { XMLBuilder } from "fast-xml-parser";
import type { CheckReport } from "../check/report.ts";
import { stripControls } from "../lib/redact.ts";

/** The results of a check as JUnit XML: one case a gate; an error or a gate that was not evaluated is never a passed case. */
export function junitOfCheck(report: CheckReport): string {
  const cases = report.gates.map((gate) => {
    const message = stripControls(gate.summary);
    const text = stripControls(
      gate.findings
        .map((finding) => [finding.message, finding.where, finding.detail, finding.fix].filter(Boolean).join("\n"))
        .join("\n\n"),
    );
    const outcome =
      gate.verdict === "pass"
        ? {}
        : gate.verdict === "fail"
          ? { failure: { "@message": message, "#text": text } }
          : gate.verdict === "error"
            ? { error: { "@message": message, "#text": text } }
            : { skipped: { "@message": message } };
    return {
      "@classname": "factory.check",
      "@name": gate.gate,
      "@time": (gate.durationMs / 1000).toFixed(3),
      ...outcome,
    };
  });
  const of = (verdict: string) => String(report.gates.filter((gate) => gate.verdict === verdict).length);
  const suite = {
    "@name": `factory check ${report.project}`,
    "@tests": String(cases.length),
    "@failures": of("fail"),
    "@errors": of("error"),
    "@skipped": of("not-evaluated"),
    testcase: cases,
  };
  const builder = new XMLBuilder({
    ignoreAttributes: false,
    attributeNamePrefix: "@",
    format: true,
    suppressEmptyNode: true,
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n${builder.build({ testsuites: { testsuite: suite } })}`;
}
