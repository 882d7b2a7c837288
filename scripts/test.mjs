// `npm test`: installs, builds, runs the suites, prints minutes per suite and a closing line from the runner's own report.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { ready, root } from "./lib/ready.mjs";

const deep = process.argv.includes("--deep");
const rest = process.argv.slice(2).filter((arg) => arg !== "--deep");
ready();
const reportPath = join(root, "test-results", "vitest.json");
mkdirSync(join(root, "test-results"), { recursive: true });
rmSync(reportPath, { force: true });
const started = Date.now();
// Says which part of the long tables is run, where not all of them are.
const seed = process.env.FACTORY_TEST_SEED ?? new Date(started).toISOString().slice(0, 13);
if (!deep) process.stdout.write(`seed ${seed}: FACTORY_TEST_SEED=${seed} repeats this part of the long tables\n`);
const args = [
  join(root, "node_modules/vitest/vitest.mjs"),
  "run",
  "--reporter=default",
  "--reporter=json",
  `--outputFile.json=${reportPath}`,
  ...rest,
];
const child = spawn(process.execPath, args, {
  cwd: root,
  stdio: ["ignore", "inherit", "inherit"],
  env: { ...process.env, FACTORY_TEST_SEED: seed, ...(deep && { FACTORY_TEST_DEEP: "1" }) },
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("close", (code) => {
  const { passed, failed, skipped } = summarise();
  process.exitCode = code === 0 && failed === 0 && passed > 0 ? 0 : 1;
  process.stdout.write(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`);
});

function summarise() {
  let report;
  try {
    report = JSON.parse(readFileSync(reportPath, "utf8"));
  } catch {
    process.stdout.write("the test runner left no report\n");
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const suites = new Map();
  for (const file of report.testResults) {
    const suite = relative(join(root, "test"), file.name).split("/")[0];
    const row = suites.get(suite) ?? { tests: 0, ms: 0 };
    row.tests += file.assertionResults.length;
    row.ms += Math.max(0, file.endTime - file.startTime);
    suites.set(suite, row);
  }
  process.stdout.write("\nsuite              tests   minutes\n");
  for (const [suite, row] of [...suites].sort((a, b) => b[1].ms - a[1].ms)) {
    process.stdout.write(
      `${suite.padEnd(18)} ${String(row.tests).padStart(5)}   ${(row.ms / 60_000).toFixed(2).padStart(7)}\n`,
    );
  }
  process.stdout.write(
    `${"in all (wall)".padEnd(18)} ${String(report.numTotalTests).padStart(5)}   ${((Date.now() - started) / 60_000).toFixed(2).padStart(7)}\n`,
  );
  // A file that could not even be collected has no failed test of its own.
  const broken = report.testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.every((each) => each.status !== "failed"),
  ).length;
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}
