import { existsSync, lstatSync, rmSync } from "node:fs";
import { isAbsolute, join, relative } from "node:path";
import { FactoryError, messageOf } from "../lib/error.ts";
import { type ProcessResult, runProcess } from "../lib/run-process.ts";
import { commandWords } from "../project/project.ts";
import type { Finding, GateFile, GateSetting, Outcome } from "./gate.ts";
import { type JUnitFailure, type JUnitReport, MAX_REPORT_BYTES, parseJUnit } from "./junit.ts";
import { demandInside, readPlainFile, readTail } from "./plain-file.ts";

export interface CommandGate {
  name: string;
  run: string | readonly string[];
  /** Where the runner writes its report, in the project; without it pytest is asked to write one. */
  junit?: string | undefined;
  /** More variables for the child, such as FACTORY_METRICS. */
  variables?: Readonly<Record<string, string>>;
}

export interface CommandOutcome extends Outcome {
  cases: number;
  findings: Finding[];
  files: GateFile[];
}

/** Runs a gate's command and judges the JUnit report that it wrote during this run. Nothing is read from its text output. */
export async function runCommandGate(gate: CommandGate, setting: GateSetting): Promise<CommandOutcome> {
  const report = gate.junit === undefined ? join(setting.work, "junit.xml") : join(setting.folder, gate.junit);
  const log = join(setting.work, "output.log");
  if (gate.junit !== undefined) demandInside(setting.folder, report, `junit: ${gate.junit}`);
  rmSync(report, { force: true });
  const words = commandWords(gate.run);
  const options =
    gate.junit === undefined ? { PYTEST_ADDOPTS: `--junitxml=${shellQuote(report)} -p no:cacheprovider` } : {};
  const startedMs = Date.now();
  let seen = 0;
  let result: ProcessResult;
  try {
    result = await runProcess({
      argv: words,
      cwd: setting.folder,
      env: { ...setting.childEnvironment, ...options, ...gate.variables },
      timeoutMs: setting.timeoutMs,
      signal: setting.signal,
      logFile: log,
      onLine: (line) =>
        setting.progress(`${++seen} lines of output${line.length > 0 && line.length < 60 ? `: ${line}` : ""}`),
    });
  } catch (error) {
    if (setting.signal.aborted || !(error instanceof FactoryError)) throw error;
    return {
      verdict: "error",
      summary: "could not be started",
      cases: 0,
      files: [],
      findings: [{ message: messageOf(error), ...(error.hint !== undefined && { fix: error.hint }) }],
    };
  }
  if (result.timedOut) {
    return {
      verdict: "error",
      summary: `timed out after ${setting.timeoutMs / 1000} s`,
      cases: 0,
      files: [],
      findings: [
        {
          message: `${words.join(" ")} did not end in time`,
          fix: `gates.${gate.name}.timeoutSeconds in factory.yaml`,
          detail: lastLines(log),
        },
      ],
    };
  }
  const read = readReport(report, startedMs);
  if (typeof read === "string") {
    return {
      verdict: "error",
      summary: `${words[0]} ended with ${result.status ?? "a signal"} and left no usable report`,
      cases: 0,
      files: [],
      findings: [
        {
          message: read,
          detail: lastLines(log),
          fix:
            gate.junit === undefined
              ? "the command must run pytest, or name its report: junit: PATH"
              : `the command must write ${gate.junit}`,
        },
      ],
    };
  }
  const files: GateFile[] = [{ name: `${gate.name}/junit.xml`, content: read.content, mediaType: "application/xml" }];
  return { ...judgeReport(read.report, result.status, setting.folder), files };
}

/** The verdict on a report and the exit status of what wrote it; files are named from `folder`. Pure. */
export function judgeReport(
  report: JUnitReport,
  status: number | undefined,
  folder: string,
): Omit<CommandOutcome, "files"> {
  const ran = report.cases - report.skipped;
  const findings = report.failures.map((each) => findingOf(each, folder));
  const skipped = report.skipped === 0 ? "" : `, ${report.skipped} skipped`;
  if (findings.length > 0)
    return {
      verdict: "fail",
      summary: `${failedText(report)}${skipped}`,
      cases: report.cases,
      findings,
    };
  if (report.cases === 0)
    return {
      verdict: "fail",
      summary: "no tests were collected",
      cases: 0,
      findings: [
        { message: "a gate with no tests in it fails", fix: "write a test, or mend the path in factory.yaml" },
      ],
    };
  if (ran === 0)
    return {
      verdict: "fail",
      summary: `all ${report.cases} tests were skipped`,
      cases: report.cases,
      findings: [{ message: "a gate whose tests are all skipped fails" }],
    };
  if (status !== 0)
    return {
      verdict: "error",
      summary: `ended with ${status ?? "a signal"}, though its report shows no failure`,
      cases: report.cases,
      findings: [{ message: "exit status and report disagree: which is right cannot be told" }],
    };
  return { verdict: "pass", summary: `${ran} tests${skipped}`, cases: report.cases, findings: [] };
}

function findingOf({ name, message, kind, place, uncollected }: JUnitFailure, folder: string): Finding {
  return {
    message: name === "" ? kind : name,
    detail: uncollected?.cause ?? message,
    ...(place !== undefined && {
      where: `${isAbsolute(place.file) ? relative(folder, place.file) : place.file}:${place.line}`,
    }),
  };
}

/** A file that could not be collected is no test that failed: none of its tests ran. */
function failedText({ cases, failures }: JUnitReport): string {
  const uncollected = failures.filter((each) => each.uncollected !== undefined).length;
  const failed = failures.length - uncollected;
  const files = `${uncollected} ${uncollected === 1 ? "file" : "files"} could not be collected`;
  if (uncollected === 0) return `${failed} of ${cases} tests failed`;
  if (failed > 0) return `${failed} of ${cases - uncollected} tests failed, ${files}`;
  return cases === uncollected ? `${files}: no test ran` : files;
}

function readReport(path: string, startedMs: number): { report: JUnitReport; content: Buffer } | string {
  if (!existsSync(path)) return "no JUnit report was written";
  const stat = lstatSync(path);
  if (!stat.isFile()) return "the JUnit report is not a plain file";
  // File systems keep times to the second at worst.
  if (stat.mtimeMs < startedMs - 2000) return "the JUnit report is older than this run";
  try {
    const content = readPlainFile(path, MAX_REPORT_BYTES, "the JUnit report");
    return { report: parseJUnit(content.toString("utf8")), content };
  } catch (error) {
    return messageOf(error);
  }
}

/** The end of a log, for a person. */
export function lastLines(path: string, lines = 5): string {
  if (!existsSync(path)) return "";
  return readTail(path, 64 << 10)
    .trimEnd()
    .split("\n")
    .slice(-lines)
    .join("\n");
}

/** pytest splits PYTEST_ADDOPTS as a shell would; a path with blanks or quotes must arrive as one word. */
function shellQuote(path: string): string {
  return isAbsolute(path) && /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'"'"'`)}'`;
}
