import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { outsideError } from "../lib/error.ts";
import { runProcess } from "../lib/run-process.ts";
import type { Finding, GateSetting, Outcome } from "./gate.ts";
import { readPlainFile } from "./plain-file.ts";
import { searchText } from "./secret-shapes.ts";

const MAX_LIST_BYTES = 64 << 20;
const MAX_FILE_BYTES = 64 << 20;
const PIECES_AT_ONCE = 500;
const NOT_WALKED = new Set([".git", ".venv", "node_modules", "__pycache__", ".factory"]);
/** A UTF-16 file would hide every shape behind zero bytes. */
const UTF16_MARKS = [Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])];

/** Looks through every file that git tracks or would add. A file that cannot be read is an error, never a pass. */
export async function judgeSecrets(setting: GateSetting): Promise<Outcome> {
  const files = await filesOf(setting);
  const findings: Finding[] = [];
  const unread: Finding[] = [];
  const started = performance.now();
  let pieces = 0;
  for (const [i, file] of files.entries()) {
    if (i % 500 === 0) setting.progress(`${i} of ${files.length} files`);
    const path = join(setting.folder, file);
    if (file.includes("\ufffd")) {
      unread.push({
        message: "its name is not valid UTF-8, so it was not looked through",
        where: file,
        fix: "rename it",
      });
      continue;
    }
    try {
      const stat = lstatSync(path);
      if (!stat.isFile()) continue;
      if (stat.size > MAX_FILE_BYTES)
        unread.push({
          message: `larger than ${MAX_FILE_BYTES >> 20} MiB, not looked through`,
          where: file,
          fix: "keep data of that size out of the repository",
        });
      else {
        const bytes = readPlainFile(path, MAX_FILE_BYTES, file);
        for (const text of textsOf(bytes)) {
          for (const found of searchText(text, file)) {
            findings.push(...found);
            if (++pieces % PIECES_AT_ONCE === 0) await breathe(setting, started);
          }
        }
      }
    } catch (error) {
      setting.signal.throwIfAborted();
      if (error instanceof TimeUp)
        return {
          verdict: "error",
          summary: `timed out after ${setting.timeoutMs / 1000} s`,
          findings: [
            {
              message: `${i} of ${files.length} files were looked through`,
              fix: "gates.secrets.timeoutSeconds in factory.yaml",
            },
          ],
          cases: i,
        };
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT"))
        unread.push({ message: "could not be read", where: file });
    }
  }
  const summary = `${files.length} files`;
  if (findings.length > 0)
    return { verdict: "fail", summary: `${findings.length} found in ${summary}`, findings, cases: files.length };
  if (unread.length > 0) return { verdict: "error", summary, findings: unread, cases: files.length };
  if (files.length === 0) return { verdict: "fail", summary: "no file to look through", cases: 0 };
  return { verdict: "pass", summary, cases: files.length };
}

class TimeUp extends Error {}

/** Lets an interruption through, and ends a search that takes too long. */
async function breathe(setting: GateSetting, startedMs: number): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  setting.signal.throwIfAborted();
  if (performance.now() - startedMs > setting.timeoutMs) throw new TimeUp();
}

/** The ways to read the bytes as text. Zero bytes between letters (UTF-16 or UTF-32 without its mark) would hide every shape. */
function textsOf(bytes: Buffer): string[] {
  const first = bytes.subarray(0, 2);
  const even = bytes.subarray(0, bytes.length & ~1);
  const text = bytes.toString("latin1");
  return [
    text,
    ...(bytes.includes(0) ? [text.replaceAll("\0", "")] : []),
    // A mark adds a reading and takes none away: two bytes in front must not hide the rest.
    ...(UTF16_MARKS[0]?.equals(first) ? [even.toString("utf16le")] : []),
    ...(UTF16_MARKS[1]?.equals(first) ? [Buffer.from(even).swap16().toString("utf16le")] : []),
  ];
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
    maxOutputBytes: MAX_LIST_BYTES,
  }).catch(() => undefined);
  setting.signal.throwIfAborted();
  if (listed === undefined || listed.status !== 0) return walk(setting.folder, "");
  if (Buffer.byteLength(listed.stdout) >= MAX_LIST_BYTES)
    throw outsideError("secrets.list", "git lists more files than can be looked through");
  // A submodule or a repository in the repository is listed as one name: what is in it is shipped with the rest.
  const names = new Set(
    listed.stdout.split("\0").flatMap((name) => {
      if (name === "") return [];
      const plain = name.replace(/\/$/, "");
      return isFolder(join(setting.folder, plain)) ? walk(setting.folder, plain) : [plain];
    }),
  );
  return [...names];
}

function isFolder(path: string): boolean {
  try {
    return lstatSync(path).isDirectory();
  } catch {
    return false;
  }
}

function walk(folder: string, prefix: string): string[] {
  return readdirSync(join(folder, prefix), { withFileTypes: true }).flatMap((entry) => {
    const path = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
    if (entry.isDirectory()) return NOT_WALKED.has(entry.name) ? [] : walk(folder, path);
    return entry.isFile() ? [path] : [];
  });
}
