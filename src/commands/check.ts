import { existsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import * as z from "zod";
import { contractChecker } from "../check/contract-checker.ts";
import { type CheckReport, checkReport } from "../check/report.ts";
import { runCheck } from "../check/run-check.ts";
import { defineCommand } from "../cli/command.ts";
import { count, MARK, type Style, seconds, table } from "../cli/style.ts";
import type { GateEvent } from "../gates/run-gates.ts";
import { EXIT, FactoryError, usageError } from "../lib/error.ts";
import { writeFileAtomic } from "../lib/files.ts";
import type { Report } from "../lib/progress.ts";
import { gateName } from "../policy/policy.ts";
import { endpointTwins, twinsFix } from "../project/endpoint-twin.ts";
import { openProject } from "../project/read-project.ts";
import { junitOfCheck } from "../reports/junit.ts";
import { warnOfKeys } from "../training/child-environment.ts";
import { recallRun } from "../training/last-run.ts";
import { projectEnvironment } from "../training/project-environment.ts";

const list = z
  .string()
  .transform((text) => text.split(",").map((each) => each.trim()))
  .pipe(z.array(gateName, { error: "gates, separated by commas" }).min(1));

export const command = defineCommand({
  name: "check",
  summary: "run the gates, seal the evidence",
  description:
    "Runs the project's gates: lint, unit, data, model, baseline, docs, secrets. With a run (default: the last one that `factory train` made) " +
    "the model that it logged is judged and the evidence is sealed; without one the project alone is judged, which cannot be registered.\n" +
    "A gate that could not run is an error, never a pass. Exit 0: all pass; 3: a gate failed; 4: a gate could not tell.",
  options: [
    { flags: "--run <id>", description: "judge the model of this run" },
    { flags: "--project-only", description: "judge the project, no run" },
    { flags: "--only <gates>", description: "run these gates only, separated by commas" },
    { flags: "--junit <file>", description: "write the results as JUnit XML too" },
  ],
  examples: ["factory check", "factory check --only data,docs", "factory check --run 3f2c91… --junit gates.xml"],
  input: z.object({
    run: z.string().min(1).optional(),
    projectOnly: z.boolean().default(false),
    only: list.optional(),
    junit: z.string().min(1).optional(),
  }),
  output: checkReport,
  async run(input, context) {
    warnOfKeys(context.keysGiven, context.report);
    const open = openProject(context.cwd);
    if (input.run !== undefined && input.projectOnly)
      throw usageError("flags.contradict", "--run and --project-only contradict each other", "give one of them");
    const junit = input.junit === undefined ? undefined : resolve(context.cwd, input.junit);
    if (junit !== undefined && !existsSync(dirname(junit)))
      throw usageError(
        "junit.folder",
        `--junit: there is no folder ${dirname(junit)}`,
        "make it, or name another file",
      );
    // Said before the gates run, which take their time.
    if (junit !== undefined && existsSync(junit) && !statSync(junit).isFile())
      throw usageError("junit.file", `--junit: ${junit} is no file`, "name a file, such as gates.xml");
    const runId = input.projectOnly ? undefined : (input.run ?? recallRun(open.folder)?.run);
    const contracts = contractChecker(context.clients, context.report);
    const twins = open.policy && endpointTwins(open.project, open.policy.policy);
    if (twins !== undefined) {
      const text = `${twins.environments.join(" and ")} are in one workspace and would share the endpoint ${twins.endpoint}: release will refuse it; ${twinsFix(twins)}`;
      context.report({ type: "note", tone: "warning", text });
    }
    const report = await runCheck(
      { open, runId, only: input.only, factoryVersion: context.version },
      {
        tracking: context.clients.tracking,
        registry: context.clients.registry,
        history: context.clients.history,
        python: () =>
          projectEnvironment(
            open.folder,
            () => context.clients.uv(context.report),
            context.variables,
            context.report,
            context.signal,
          ),
        checkContract: contracts.check,
        report: context.report,
        onGate: drawGate(context.report),
        signal: context.signal,
        now: context.now,
      },
    ).finally(contracts.close);
    if (junit !== undefined) writeFileAtomic(junit, junitOfCheck(report));
    return report.verdict === "error"
      ? { ok: false, data: report, failure: couldNotTell(report) }
      : { ok: report.verdict === "pass", data: report };
  },
  render: renderCheck,
});

function drawGate(report: Report): (event: GateEvent) => void {
  return (event) => {
    switch (event.type) {
      case "gate.started":
        report({ type: "task.started", task: `gate.${event.gate}`, label: `gate ${event.gate}` });
        return;
      case "gate.progress":
        report({ type: "task.advanced", task: `gate.${event.gate}`, done: 0, detail: event.detail });
        return;
      case "gate.finished":
        report({
          type: "task.finished",
          task: `gate.${event.result.gate}`,
          outcome: event.result.verdict === "fail" || event.result.verdict === "error" ? "failed" : "done",
          detail: event.result.summary,
        });
        return;
      default:
        event satisfies never;
    }
  };
}

function couldNotTell(report: CheckReport): FactoryError {
  const errors = report.gates.filter((gate) => gate.verdict === "error");
  return new FactoryError(
    "check.could-not-tell",
    EXIT.outside,
    `Could not tell: ${errors.length} of ${asked(report)} gates ended in an error`,
    {
      problems: errors.flatMap((gate) =>
        (gate.findings.length > 0 ? gate.findings : [{ message: gate.summary }]).map((finding) => ({
          message: `${gate.gate}: ${finding.message}`,
          ...(finding.fix !== undefined && { hint: finding.fix }),
        })),
      ),
    },
  );
}

function asked(report: CheckReport): number {
  return report.gates.filter((gate) => gate.verdict !== "not-evaluated").length;
}

const WORD: Record<CheckReport["gates"][number]["verdict"], string> = {
  pass: `${MARK.pass} pass`,
  fail: `${MARK.fail} fail`,
  error: `${MARK.error} error`,
  "not-evaluated": `${MARK.skipped} not run`,
};

function renderCheck(report: CheckReport, style: Style): string {
  const paint = (gate: CheckReport["gates"][number] | undefined, text: string) =>
    gate === undefined
      ? style.dim(text)
      : gate.verdict === "pass"
        ? style.ok(text)
        : gate.verdict === "not-evaluated"
          ? style.dim(text)
          : style.bad(text);
  const rows = [
    ["gate", "result", "what", "time"],
    ...report.gates.map((gate) => [
      gate.gate,
      WORD[gate.verdict],
      shorten(gate.summary, 74),
      gate.verdict === "not-evaluated" ? "" : seconds(gate.durationMs),
    ]),
  ];
  const drawn = table(rows, (cell, row, column) =>
    row === 0 ? style.dim(cell) : column === 1 ? paint(report.gates[row - 1], cell) : cell,
  ).split("\n");
  const lines = drawn.flatMap((line, row) => [
    `  ${line}`,
    ...(row === 0 ? [] : findingLines(report.gates[row - 1], style)),
  ]);
  return [...lines, closing(report, style)].join("\n");
}

const SHOWN_FINDINGS = 8;

function findingLines(gate: CheckReport["gates"][number] | undefined, style: Style): string[] {
  const found = gate?.verdict === "fail" || gate?.verdict === "error" ? gate.findings : [];
  const lines = found.slice(0, SHOWN_FINDINGS).flatMap((finding) => {
    const where = finding.where === undefined ? "" : style.dim(`  ${finding.where}`);
    const detail = (finding.detail ?? "").split("\n").filter(Boolean);
    return [
      `        ${finding.message}${where}`,
      ...detail.map((line) => style.dim(`          ${shorten(line, 140)}`)),
      ...(finding.fix === undefined ? [] : [`          ${style.dim("fix:")} ${finding.fix}`]),
    ];
  });
  return found.length > SHOWN_FINDINGS
    ? [...lines, style.dim(`        … and ${found.length - SHOWN_FINDINGS} more (--json)`)]
    : lines;
}

function closing(report: CheckReport, style: Style): string {
  const of = asked(report);
  const failed = report.gates.filter((gate) => gate.verdict === "fail").length;
  const errors = report.gates.filter((gate) => gate.verdict === "error").length;
  const evidence =
    report.evidence === undefined
      ? ""
      : style.dim(
          `    evidence: .factory/evidence/${report.evidence.digest.slice(0, 12)}…  (${count(report.evidence.files)} files)`,
        );
  const subject = report.subject === "project" ? "project only" : `run ${report.run?.slice(0, 8)}…`;
  const head =
    report.verdict === "pass"
      ? `${style.ok(`${MARK.pass} The answer is yes`)}: ${of} of ${of} gates pass (${subject}).${evidence}`
      : report.verdict === "fail"
        ? `${style.bad(`${MARK.fail} The answer is no`)}: ${failed} of ${of} gates failed${errors > 0 ? `, ${errors} could not tell` : ""} (${subject}).${evidence}`
        : // The error that follows on stderr is the verdict: it is not said twice.
          style.dim(`  judged: ${subject}.`) + evidence;
  const why =
    report.verdict === "pass" && report.notRegistrable.length > 0
      ? [
          `  ${style.warn(MARK.note)} cannot be registered as it stands:`,
          ...report.notRegistrable.map((reason) => `      ${reason}`),
        ]
      : [];
  const registrable = report.verdict === "pass" && report.subject !== "project" && report.notRegistrable.length === 0;
  return [head, ...why, ...(registrable ? ["  next: factory register"] : [])].join("\n");
}

function shorten(text: string, width: number): string {
  const chars = [...text];
  return chars.length <= width ? text : `${chars.slice(0, width - 1).join("")}…`;
}
