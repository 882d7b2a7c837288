import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import * as z from "zod";
import { FactoryError, messageOf } from "../lib/error.ts";
import { runProcess } from "../lib/run-process.ts";
import type { Finding, GateSetting, Outcome } from "./gate.ts";
import { readPlainFile } from "./plain-file.ts";

const MAX_REPORT_BYTES = 64 << 20;

const diagnostics = z.array(
  z.looseObject({
    code: z.string().nullish(),
    message: z.string(),
    filename: z.string(),
    location: z.looseObject({ row: z.int() }).nullish(),
  }),
);

/** Lints with the project's own ruff, read from its JSON report; the format is judged by ruff's exit status. */
export async function judgeLint(setting: GateSetting): Promise<Outcome> {
  if (!existsSync(join(setting.folder, "pyproject.toml")))
    return { verdict: "error", summary: "no pyproject.toml: nothing says how to lint", findings: [] };
  const reportPath = join(setting.work, "ruff.json");
  const ruff = (...args: string[]) =>
    runProcess({
      argv: ["uv", "run", "--frozen", "ruff", ...args],
      cwd: setting.folder,
      env: setting.childEnvironment,
      timeoutMs: setting.timeoutMs,
      signal: setting.signal,
      maxOutputBytes: 8 << 20,
    });
  try {
    const listed = await ruff("check", "--show-files", ".");
    if (listed.timedOut) return timedOut(setting);
    if (listed.status !== 0) return broken(`ruff ended with ${listed.status ?? "a signal"}`, listed.stderr);
    const files = listed.stdout.split("\n").filter((line) => line.trim() !== "").length;
    if (files === 0) return { verdict: "fail", summary: "no Python file to lint", findings: [] };
    setting.progress(`${files} files`);
    const linted = await ruff(
      "check",
      "--no-fix",
      "--no-cache",
      "--output-format",
      "json",
      "--output-file",
      reportPath,
      ".",
    );
    if (linted.timedOut) return timedOut(setting);
    if (linted.status !== 0 && linted.status !== 1)
      return broken(`ruff ended with ${linted.status ?? "a signal"}`, linted.stderr);
    if (!existsSync(reportPath)) return broken("ruff wrote no report", linted.stderr);
    const content = readPlainFile(reportPath, MAX_REPORT_BYTES, "ruff's report");
    const findings: Finding[] = diagnostics.parse(JSON.parse(content.toString("utf8"))).map((each) => ({
      message: [each.code, each.message].filter(Boolean).join(" "),
      where: `${relative(setting.folder, each.filename)}${each.location ? `:${each.location.row}` : ""}`,
    }));
    if ((linted.status === 0) !== (findings.length === 0))
      return broken("ruff's exit status and its report disagree", linted.stderr);
    const formatted = await ruff("format", "--no-cache", "--check", ".");
    if (formatted.timedOut) return timedOut(setting);
    if (formatted.status === 1) findings.push({ message: "files are not formatted", fix: "uv run ruff format" });
    else if (formatted.status !== 0) {
      const summary = `ruff format ended with ${formatted.status ?? "a signal"}`;
      // A file that cannot be parsed was found above, with its place: that is an answer, and format's trouble follows from it.
      if (findings.length === 0) return broken(summary, formatted.stderr || formatted.stdout);
      findings.push({ message: `${summary}: whether the files are formatted cannot be told` });
    }
    const report = { name: "lint/ruff.json", content, mediaType: "application/json" };
    return {
      verdict: findings.length === 0 ? "pass" : "fail",
      summary: findings.length === 0 ? `ruff: ${files} files` : `ruff: ${findings.length} findings in ${files} files`,
      findings,
      cases: files,
      files: [report],
    };
  } catch (error) {
    if (setting.signal.aborted) throw error;
    return broken(messageOf(error), "", error instanceof FactoryError ? error.hint : undefined);
  }
}

function timedOut(setting: GateSetting): Outcome {
  const summary = `timed out after ${setting.timeoutMs / 1000} s`;
  return {
    verdict: "error",
    summary,
    findings: [{ message: summary, fix: "gates.lint.timeoutSeconds in factory.yaml" }],
  };
}

function broken(summary: string, stderr: string, fix?: string): Outcome {
  return {
    verdict: "error",
    summary,
    findings: [{ message: gist(stderr) || summary, ...(fix !== undefined && { fix }) }],
  };
}

/** The first lines that tell what is wrong, and where; warnings before them and the drawing after them do not. */
function gist(output: string): string {
  const lines = output.split("\n").filter((each) => /[\p{L}\d]/u.test(each) && !/^warning\b/i.test(each));
  return lines
    .slice(0, 2)
    .map((each) => each.trim())
    .join("\n");
}
