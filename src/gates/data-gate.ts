import { existsSync, mkdirSync } from "node:fs";
import { join, relative } from "node:path";
import { globSync } from "tinyglobby";
import type { DataReport } from "../data/check-data.ts";
import type { CheckVerdict } from "../data/data-check.ts";
import type { Environment } from "../policy/policy.ts";
import type { Project } from "../project/project.ts";
import type { Finding, GateFile, GateSetting, Outcome } from "./gate.ts";
import { isOutside, readPlainFile } from "./plain-file.ts";

const MAX_CONTRACT_BYTES = 4 << 20;

export interface DataOutcome extends Outcome {
  /** SHA-256 of each file that was read, by its path in the project; of a table, the digest of its name and version. */
  data: { path: string; sha256: string }[];
  /** The contracts as they were judged, by their path in the project. */
  contracts?: { path: string; content: Buffer }[];
}

/** What a contract is judged on: a file, or a table of an environment's warehouse; `schema` is for contracts that name none. */
export type DataSource = { path: string } | { environment: Environment; schema: string };

/** Checks one contract against one source; the engine behind it is the caller's. */
export type CheckContract = (request: {
  contractPath: string;
  contractText: string;
  source: DataSource;
  tempFolder: string;
  signal: AbortSignal;
  progress(detail: string): void;
}) => Promise<DataReport>;

/** The contract files that a gate names, relative to the project, sorted. */
function contractFiles(folder: string, gate: NonNullable<Project["gates"]["data"]>): string[] {
  return globSync([gate.contracts].flat(), { cwd: folder, followSymbolicLinks: false, onlyFiles: true })
    .filter((path) => !isOutside(folder, join(folder, path)))
    .sort();
}

/** Judges the project's data by every contract. No contract, or a contract without checks, fails. */
export async function runDataGate(
  gate: NonNullable<Project["gates"]["data"]>,
  setting: GateSetting,
  check: CheckContract,
  place: { environment: Environment; schema: string },
): Promise<DataOutcome> {
  const contracts = contractFiles(setting.folder, gate);
  const named = [gate.contracts].flat().join(", ");
  if (contracts.length === 0)
    return {
      verdict: "fail",
      summary: `no contract matches ${named}`,
      data: [],
      findings: [
        { message: "a data gate with no contract fails", fix: `write one at ${named}, or mend gates.data.contracts` },
      ],
    };
  const inWarehouse = gate.source === WAREHOUSE;
  const path = join(setting.folder, gate.source);
  if (!inWarehouse && !existsSync(path))
    return couldNotTell(`${gate.source} is not there`, {
      message: `the data source ${gate.source} does not exist`,
      fix: "mend gates.data.source in factory.yaml, or bring the file",
    });
  const tempFolder = join(setting.work, "engine");
  mkdirSync(tempFolder, { mode: 0o700 });
  const reports: { contract: string; report: DataReport }[] = [];
  const judged: { path: string; content: Buffer }[] = [];
  const deadline = AbortSignal.timeout(setting.timeoutMs);
  for (const contract of contracts) {
    const contractPath = join(setting.folder, contract);
    const content = readPlainFile(contractPath, MAX_CONTRACT_BYTES, contract);
    judged.push({ path: contract, content });
    try {
      const report = await check({
        contractPath,
        contractText: content.toString("utf8"),
        source: inWarehouse ? place : { path },
        tempFolder,
        signal: AbortSignal.any([setting.signal, deadline]),
        progress: setting.progress,
      });
      reports.push({ contract, report });
    } catch (error) {
      if (!deadline.aborted || setting.signal.aborted) throw error;
      return couldNotTell(`timed out after ${setting.timeoutMs / 1000} s`, {
        message: `${contract} could not be judged in time`,
        fix: "gates.data.timeoutSeconds in factory.yaml",
      });
    }
  }
  const pathOf = ({ source }: DataReport) => (inWarehouse ? source.path : relative(setting.folder, path));
  const data = reports.map(({ report }) => ({ path: pathOf(report), sha256: report.source.digest }));
  const distinct = data.filter((each, i) => data.findIndex((other) => other.sha256 === each.sha256) === i);
  if (distinct.some((each) => distinct.some((other) => other.path === each.path && other !== each)))
    return couldNotTell(`${gate.source} changed while it was checked`, {
      message: `the contracts were not judged on the same ${inWarehouse ? "version of the table" : "bytes"}`,
      fix: `check again when nothing writes to the ${inWarehouse ? "table" : "file"}`,
    });
  return { ...judgeDataReports(reports), files: [checksFile(reports, pathOf)], contracts: judged, data: distinct };
}

const WAREHOUSE = "warehouse";

function couldNotTell(summary: string, finding: Finding): DataOutcome {
  return { verdict: "error", summary, data: [], findings: [finding] };
}

function checksFile(
  reports: readonly { contract: string; report: DataReport }[],
  pathOf: (report: DataReport) => string,
): GateFile {
  const content = reports.map(({ contract, report }) => ({
    ...report,
    contract: { ...report.contract, path: contract },
    source: { ...report.source, path: pathOf(report) },
  }));
  return {
    name: "data/checks.json",
    mediaType: "application/json",
    content: `${JSON.stringify(content, undefined, 2)}\n`,
  };
}

/** The gate's verdict on the reports of all contracts. Pure. */
export function judgeDataReports(
  reports: readonly { contract: string; report: Pick<DataReport, "checks" | "source"> }[],
): Required<Pick<Outcome, "verdict" | "summary" | "findings" | "cases">> {
  const checks = reports.flatMap(({ contract, report }) =>
    report.checks.map((check) => ({ contract, rows: report.source.rows, check })),
  );
  const counted = checks.filter(({ check }) => check.verdict === "pass" || check.blocks);
  const blocking = checks.filter(({ check }) => check.blocks);
  const failed = blocking.filter(({ check }) => check.verdict === "fail");
  const findings = [...failed, ...blocking.filter(({ check }) => check.verdict !== "fail")].flatMap(
    ({ contract, rows, check }) => findingsOf(contract, rows, check),
  );
  const names = reports.map(({ contract }) => contract.replace(/^.*\//, "")).join(", ");
  const base = { findings, cases: counted.length };
  if (failed.length > 0)
    return { ...base, verdict: "fail", summary: `${names}: ${failed.length} of ${counted.length} checks` };
  if (blocking.length > 0)
    return {
      ...base,
      verdict: "error",
      summary: `${names}: ${blocking.length} of ${counted.length} checks could not tell`,
    };
  const empty = reports.find(({ report }) => !report.checks.some((check) => check.verdict === "pass" || check.blocks));
  if (empty !== undefined || counted.length === 0)
    return {
      ...base,
      verdict: "fail",
      summary: `${empty?.contract ?? names}: no check in it`,
      findings: [
        {
          message: "a contract without checks fails",
          fix: "say what must hold: required, unique, ranges, quality rules",
        },
      ],
    };
  return {
    ...base,
    verdict: "pass",
    summary: `${names}: ${counted.length} checks, ${(reports[0]?.report.source.rows ?? 0).toLocaleString("en-US")} rows${tablesOf(reports)}`,
  };
}

/** Which version of which table was read. */
function tablesOf(reports: readonly { report: Pick<DataReport, "source"> }[]): string {
  const tables = reports.flatMap(({ report }) => report.source.table ?? []);
  const shown = [...new Set(tables.map(({ name, version }) => `${name} version ${version}`))];
  return shown.length === 0 ? "" : ` of ${shown.join(", ")}`;
}

function findingsOf(contract: string, rows: number | undefined, check: CheckVerdict): Finding[] {
  const share =
    check.failedRows === undefined || !rows
      ? ""
      : ` of ${rows.toLocaleString("en-US")} (${percent(check.failedRows / rows)})`;
  const count =
    check.failedRows === undefined
      ? check.found
      : `${check.failedRows.toLocaleString("en-US")} row${check.failedRows === 1 ? "" : "s"}${share}`;
  const examples = check.examples
    .slice(0, 3)
    .map(
      (example) =>
        `row ${example.row}${example.values.length === 0 ? "" : `: ${example.values.map((each) => `${each.column} = ${each.value}`).join(", ")}`}`,
    );
  const where = `${contract}${check.line === undefined ? "" : `:${check.line}`}`;
  return [
    {
      message: check.label,
      where,
      detail: [count, ...(examples.length === 0 ? [] : [`e.g. ${examples.join("; ")}`])].join("; "),
      fix: `mend the data; or the rule, if that is wrong: ${where}`,
    },
  ];
}

function percent(share: number): string {
  return `${share >= 0.1 ? (share * 100).toFixed(0) : (share * 100).toPrecision(2)} %`;
}
