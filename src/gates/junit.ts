import { XMLParser, XMLValidator } from "fast-xml-parser";
import * as z from "zod";
import { stripControls } from "../lib/redact.ts";

/** What a JUnit XML report says, counted from its cases and not from its totals. */
export interface JUnitReport {
  cases: number;
  skipped: number;
  /** Names of the cases that passed, at most `MAX_NAMES`. */
  passed: string[];
  failures: JUnitFailure[];
}

export interface JUnitFailure {
  name: string;
  message: string;
  kind: "failure" | "error";
  /** Where it failed, as pytest tells it. */
  place?: { file: string; line: number };
  /** A file whose tests could not even be listed, as pytest reports it: why. */
  uncollected?: { cause: string | undefined };
}

export const MAX_REPORT_BYTES = 64 << 20;
const MAX_NAMES = 2000;
const MAX_NAME_CHARACTERS = 300;

const text = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const problem = z.union([
  text,
  z.looseObject({ "@message": text.optional(), "@type": text.optional(), "#text": text.optional() }),
]);
const testCase = z.looseObject({
  "@name": text.optional(),
  "@classname": text.optional(),
  failure: z.array(problem).optional(),
  error: z.array(problem).optional(),
  skipped: z.array(z.unknown()).optional(),
});
interface Suite {
  testcase?: z.infer<typeof testCase>[] | undefined;
  testsuite?: (Suite | string)[] | undefined;
}
const suite: z.ZodType<Suite> = z.lazy(() =>
  z.looseObject({
    testcase: z.array(testCase).optional(),
    testsuite: z.array(z.union([suite, z.string()])).optional(),
  }),
);
const document = z.looseObject({
  testsuites: z.union([suite, z.string()]).optional(),
  testsuite: z.array(z.union([suite, z.string()])).optional(),
});

/** Reads a JUnit XML report. Throws an Error that says why when it is not one; entities are not expanded. */
export function parseJUnit(xml: string): JUnitReport {
  if (xml.length > MAX_REPORT_BYTES) throw new Error(`the report is larger than ${MAX_REPORT_BYTES} bytes`);
  if (/<!DOCTYPE|<!ENTITY/i.test(xml)) throw new Error("the report declares a document type, which is not taken");
  const valid = XMLValidator.validate(xml);
  if (valid !== true) throw new Error(`the report is not well-formed XML: ${valid.err.msg} (line ${valid.err.line})`);
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: "@",
    htmlEntities: true,
    parseTagValue: false,
    parseAttributeValue: false,
    isArray: (name) => ["testsuite", "testcase", "failure", "error", "skipped"].includes(name),
  });
  const parsed = document.safeParse(parser.parse(xml));
  if (!parsed.success) throw new Error("the report is not JUnit XML");
  const { testsuites, testsuite } = parsed.data;
  if (testsuites === undefined && testsuite === undefined)
    throw new Error("the report has neither <testsuites> nor <testsuite>");
  const report: JUnitReport = { cases: 0, skipped: 0, passed: [], failures: [] };
  if (typeof testsuites === "object") count(testsuites, report);
  for (const each of testsuite ?? []) if (typeof each === "object") count(each, report);
  return report;
}

function count(node: Suite, report: JUnitReport): void {
  for (const each of node.testcase ?? []) {
    report.cases += 1;
    const name = [each["@classname"], each["@name"]].filter(Boolean).join(" › ");
    const good = each.failure === undefined && each.error === undefined;
    if (good && each.skipped === undefined && report.passed.length < MAX_NAMES)
      report.passed.push(stripControls(name).slice(0, MAX_NAME_CHARACTERS));
    for (const failure of each.failure ?? []) report.failures.push(failureOf(name, "failure", failure));
    for (const error of each.error ?? []) report.failures.push(failureOf(name, "error", error));
    if (each.skipped !== undefined && good) report.skipped += 1;
  }
  for (const child of node.testsuite ?? []) if (typeof child === "object") count(child, report);
}

function failureOf(name: string, kind: JUnitFailure["kind"], found: z.infer<typeof problem>): JUnitFailure {
  const message = messageOf(found);
  const lines = (typeof found === "string" ? found : (found["#text"] ?? "")).split("\n");
  const place = placeIn(lines);
  const uncollected = kind === "error" && message === "collection failure";
  return {
    name,
    message,
    kind,
    ...(place !== undefined && { place }),
    ...(uncollected && { uncollected: { cause: causeIn(lines) } }),
  };
}

/** What pytest marks with an E is what was raised, its last line the error itself. */
function causeIn(lines: readonly string[]): string | undefined {
  return lines
    .findLast((each) => /^E\s+\S/.test(each))
    ?.replace(/^E\s+/, "")
    .slice(0, MAX_NAME_CHARACTERS);
}

/** Python names the place of a syntax error itself; of what was raised it is the last step that is not in a library. */
function placeIn(lines: readonly string[]): JUnitFailure["place"] {
  const syntax = /^E\s+File "([^"]+)", line (\d+)/;
  const step = /^(?!.*site-packages)([^\s:</][^:]*\.py):(\d+): /;
  const found = lines.find((each) => syntax.test(each)) ?? lines.findLast((each) => step.test(each)) ?? "";
  const [, file, line] = syntax.exec(found) ?? step.exec(found) ?? [];
  return file === undefined ? undefined : { file: file.slice(0, MAX_NAME_CHARACTERS), line: Number(line) };
}

function messageOf(found: z.infer<typeof problem>): string {
  const message = typeof found === "string" ? found : (found["@message"] ?? found["#text"] ?? found["@type"] ?? "");
  return message.split("\n")[0]?.slice(0, 300) ?? "";
}
