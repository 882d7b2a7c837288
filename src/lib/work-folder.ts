import { randomBytes } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { hostname, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { pid } from "node:process";
import { outsideError } from "./error.ts";
import { sha256 } from "./hash.ts";
import { isSameProcess, processStart } from "./process-identity.ts";

export interface WorkFolder {
  path: string;
  remove(): void;
}

/**
 * A new folder below `base` that only this user can read, for as long as this process needs it. Those that processes of this
 * machine left behind when they were killed are removed first, so that they never pile up. Synchronous: nothing may come between.
 */
export function makeWorkFolder(base: string): WorkFolder {
  mkdirSync(base, { recursive: true, mode: 0o700 });
  removeLeft(base);
  const path = join(base, `${machine()}_${pid}_${encode(processStart(pid) ?? "?")}_${randomBytes(6).toString("hex")}`);
  mkdirSync(path, { mode: 0o700 });
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/**
 * A work folder where the system keeps temporary files, below one folder of this user's. Throws exit 4 when that one is
 * somebody else's: whoever owns it could replace what is in it.
 */
export function makeTemporaryFolder(): WorkFolder {
  const { uid } = userInfo();
  const base = join(tmpdir(), `factory-${uid}`);
  mkdirSync(base, { recursive: true, mode: 0o700 });
  const found = lstatSync(base);
  if (!found.isDirectory() || found.uid !== uid)
    throw outsideError(
      "temporary.owner",
      `${base} is not a folder of yours, and factory keeps temporary files in it`,
      "remove it, or set TMPDIR to a folder of your own",
    );
  return makeWorkFolder(base);
}

function removeLeft(base: string): void {
  for (const name of readdirSync(base)) {
    const [where, owner = "", started = ""] = name.split("_");
    if (where !== machine() || !/^\d+$/.test(owner)) continue;
    if (!isSameProcess(Number(owner), decode(started))) rmSync(join(base, name), { recursive: true, force: true });
  }
}

/** A home folder may be shared by machines, and of the processes of another one nothing is known. */
function machine(): string {
  return sha256(hostname()).slice(0, 12);
}

const encode = (text: string): string => Buffer.from(text).toString("hex");
const decode = (text: string): string => Buffer.from(text, "hex").toString();
