import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import type { Person } from "../support/line.ts";
import { root } from "../support/paths.ts";

/** Entries that a process of its own appends, whatever others do at the same time; prints each as `seq:hash` once it is written. */
const WRITER = `
import { createPrivateKey } from "node:crypto";
import { openLedgerFile } from "./src/clients/ledger-file.ts";
import { openLedgerGit } from "./src/clients/ledger-git.ts";
import { formatEntry, parseLine } from "./src/ledger/entry-line.ts";
import { signerOf } from "./src/lib/signing.ts";
import { registered } from "./test/support/line.ts";
const { place, key, by, count, first } = JSON.parse(process.argv[2] ?? "");
const signer = signerOf(createPrivateKey(key));
const store = place.kind === "file" ? openLedgerFile(place.path) : openLedgerGit(place);
for (let done = 0; done < count; ) {
  const { text } = await store.read();
  const last = parseLine(text.subarray(text.lastIndexOf(10, text.length - 2) + 1, text.length - 1));
  if ("problem" in last) throw new Error(last.problem);
  const line = formatEntry(registered(first + done), { seq: last.seq + 1, at: new Date(last.at), by, prev: last.hash }, signer);
  if (!(await store.append(line, last))) continue;
  done++;
  process.stdout.write(line.slice(-66, -2) + "\\n");
}
`;

/** Builds the writer once; it runs without TypeScript. */
export async function buildWriter(folder: string): Promise<string> {
  const out = join(folder, "writer.mjs");
  await build({
    stdin: { contents: WRITER, resolveDir: root, loader: "ts" },
    bundle: true,
    platform: "node",
    format: "esm",
    outfile: out,
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    logLevel: "silent",
  });
  writeFileSync(join(folder, "package.json"), "{}");
  return out;
}

export interface Writing {
  place:
    | { kind: "file"; path: string }
    | { kind: "git"; url: string; branch: string; project: string; cache: string; variables: object };
  person: Person;
  count: number;
  /** Number of its first model. */
  first: number;
}

export interface Written {
  status: number | null;
  signal: NodeJS.Signals | null;
  /** Hashes of entries that were told to be written. */
  hashes: string[];
  stderr: string;
}

/** Runs the writer. `onHash` is called with how many are written so far. */
export function runWriter(
  writer: string,
  { place, person, count, first }: Writing,
  onHash: (written: number, kill: () => void) => void = () => {},
  { uid, maxBlocks }: { uid?: number; maxBlocks?: number } = {},
): Promise<Written> {
  const key = person.privateKey.export({ format: "pem", type: "pkcs8" });
  const argument = JSON.stringify({ place, key, by: person.address, count, first });
  return new Promise((resolve, reject) => {
    const limit = maxBlocks === undefined ? "" : `ulimit -f ${maxBlocks}; `;
    const child = spawn("sh", ["-c", `${limit}exec "$0" "$1" "$2"`, process.execPath, writer, argument], {
      stdio: ["ignore", "pipe", "pipe"],
      ...(uid !== undefined && { uid }),
    });
    let stdout = "";
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
      onHash(stdout.split("\n").length - 1, () => void child.kill("SIGKILL"));
    });
    child.on("error", reject);
    child.on("close", (status, signal) =>
      resolve({ status, signal, hashes: stdout.split("\n").filter((line) => line !== ""), stderr }),
    );
  });
}
