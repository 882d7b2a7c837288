import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { runProcess } from "../../src/lib/run-process.ts";

const folder = mkdtempSync(join(tmpdir(), "factory-mask-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const mask = (lines: string): string => lines.replaceAll("hunter2-hunter2", "••••");

async function logOf(script: string): Promise<string> {
  const logFile = join(folder, `${script.length}.log`);
  await runProcess({ argv: [process.execPath, "-e", script], cwd: folder, env: {}, logFile, mask });
  return readFileSync(logFile, "utf8");
}

describe("a masked log", () => {
  it.each([
    ["whole lines", `console.log("a hunter2-hunter2 b"); console.log("é")`, "a •••• b\né\n"],
    [
      "a secret in two writes",
      `process.stdout.write("x hunter2-"); setTimeout(() => process.stdout.write("hunter2 y\\n"), 150)`,
      "x •••• y\n",
    ],
    ["a last line that does not end", `process.stdout.write("z hunter2-hunter2")`, "z ••••"],
    [
      "a character in two writes",
      `process.stdout.write(Buffer.from([0xc3])); setTimeout(() => process.stdout.write(Buffer.from([0xa9, 0x0a])), 150)`,
      "é\n",
    ],
  ])("%s", async (_, script, expected) => {
    expect(await logOf(script)).toBe(expected);
  });

  it("keeps what came before a timeout, masked", async () => {
    const logFile = join(folder, "timeout.log");
    const script = `process.stdout.write("hunter2-hunter2 and more"); setTimeout(() => {}, 60000)`;
    const result = await runProcess({
      argv: [process.execPath, "-e", script],
      cwd: folder,
      env: {},
      logFile,
      mask,
      timeoutMs: 1500,
    });
    expect(result.timedOut).toBe(true);
    expect(readFileSync(logFile, "utf8")).toBe("•••• and more");
  });
});
