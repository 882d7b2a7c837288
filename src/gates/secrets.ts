import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runProcess } from "../lib/run-process.ts";
import type { Finding, GateSetting, Outcome } from "./gate.ts";
import { secretsInText } from "./secret-shapes.ts";

const MAX_FILE_BYTES = 64 << 20;
const NOT_WALKED = new Set([".git", ".venv", "node_modules", "__pycache__", ".factory"]);
/** A UTF-16 file would hide every shape behind zero bytes. */
const UTF16_MARKS = [Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])];

/** Looks through every file that git tracks or would add. A file that cannot be read is an error, never a pass. */
export async function judgeSecrets(setting: GateSetting): Promise<Outcome> {
  const files = await filesOf(setting);
  const findings: Finding[] = [];
  const unread: Finding[] = [];
  files.forEach((file, i) => {
    if (i % 500 === 0) setting.progress(`${i} of ${files.length} files`);
    const path = join(setting.folder, file);
    try {
      const stat = lstatSync(path);
      if (!stat.isFile()) return;
      if (stat.size > MAX_FILE_BYTES)
        unread.push({
          message: `larger than ${MAX_FILE_BYTES >> 20} MiB, not looked through`,
          where: file,
          fix: "keep data of that size out of the repository",
        });
      else findings.push(...secretsInText(decode(readFileSync(path)), file));
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT"))
        unread.push({ message: "could not be read", where: file });
    }
  });
  const summary = `${files.length} files`;
  if (findings.length > 0)
    return { verdict: "fail", summary: `${findings.length} found in ${summary}`, findings, cases: files.length };
  if (unread.length > 0) return { verdict: "error", summary, findings: unread, cases: files.length };
  if (files.length === 0) return { verdict: "fail", summary: "no file to look through", cases: 0 };
  return { verdict: "pass", summary, cases: files.length };
}

function decode(bytes: Buffer): string {
  const first = bytes.subarray(0, 2);
  if (UTF16_MARKS[0]?.equals(first)) return bytes.toString("utf16le");
  if (UTF16_MARKS[1]?.equals(first))
    return Buffer.from(bytes.subarray(0, bytes.length & ~1))
      .swap16()
      .toString("utf16le");
  return bytes.toString("latin1");
}

async function filesOf(setting: GateSetting): Promise<string[]> {
  const listed = await runProcess({
    argv: [
      "git",
      "-c",
      "core.fsmonitor=false",
      "-c",
      "core.quotePath=false",
      "ls-files",
      "-z",
      "--cached",
      "--others",
      "--exclude-standard",
    ],
    cwd: setting.folder,
    env: setting.childEnvironment,
    timeoutMs: 60_000,
    signal: setting.signal,
    maxOutputBytes: 64 << 20,
  }).catch(() => undefined);
  setting.signal.throwIfAborted();
  if (listed?.status === 0) return [...new Set(listed.stdout.split("\0").filter((name) => name !== ""))];
  return walk(setting.folder, "");
}

function walk(folder: string, prefix: string): string[] {
  return readdirSync(join(folder, prefix), { withFileTypes: true }).flatMap((entry) => {
    const path = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
    if (entry.isDirectory()) return NOT_WALKED.has(entry.name) ? [] : walk(folder, path);
    return entry.isFile() ? [path] : [];
  });
}
