import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { acquireLock, lockHolder } from "../../src/lib/lock.ts";
import { isSameProcess, processStart } from "../../src/lib/process-identity.ts";
import { bystander } from "./world.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "factory-lock-"));
  path = join(folder, "lock");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const request = (waitMs = 0) => ({ path, what: "the thing", waitMs });

it("is held by one, then by the next", async () => {
  const release = await acquireLock(request());
  expect(lockHolder(path)).toBe(process.pid);
  await expect(acquireLock(request())).rejects.toMatchObject({ code: "lock.held", exit: 4 });
  const waited: number[] = [];
  const second = acquireLock({ ...request(5000), onWait: (pid) => waited.push(pid) });
  await sleep(150);
  release();
  (await second)();
  expect(waited).toEqual([process.pid]);
  expect(existsSync(path)).toBe(false);
});

it("of many at once lets exactly one in at a time, also over a stale lock", async () => {
  writeFileSync(path, staleText(999_999_999, "x"));
  let inside = 0;
  let most = 0;
  const one = async () => {
    const release = await acquireLock(request(20_000));
    most = Math.max(most, ++inside);
    await sleep(2);
    inside--;
    release();
  };
  await Promise.all(Array.from({ length: 20 }, one));
  expect(most).toBe(1);
});

it("takes over from a dead process, a re-used pid and a broken file, not from the living or another machine", async () => {
  const other = bystander();
  try {
    const started = processStart(other.pid) ?? "";
    for (const stale of [staleText(999_999_999, "x"), staleText(other.pid, "0:1"), "", "not a lock\n"]) {
      writeFileSync(path, stale);
      (await acquireLock(request()))();
    }
    writeFileSync(path, staleText(other.pid, started));
    await expect(acquireLock(request())).rejects.toThrow(`process ${other.pid}`);
    writeFileSync(path, staleText(999_999_999, "x", `${hostname()}-other`));
    await expect(acquireLock(request())).rejects.toThrow("on ");
    expect(readFileSync(path, "utf8")).toContain("-other");
  } finally {
    other.kill();
  }
});

it("ends waiting on an abort", async () => {
  const release = await acquireLock(request());
  const abort = new AbortController();
  const waiting = acquireLock({ ...request(60_000), signal: abort.signal });
  setTimeout(() => abort.abort(new Error("stop")), 50);
  await expect(waiting).rejects.toThrow("stop");
  release();
});

it("knows a process by its start, not its pid alone", async () => {
  const other = bystander();
  const started = processStart(other.pid) ?? "";
  expect(isSameProcess(other.pid, started)).toBe(true);
  expect(isSameProcess(process.pid, started)).toBe(false);
  other.kill();
  await sleep(100);
  expect(isSameProcess(other.pid, started)).toBe(false);
});

function staleText(pid: number, started: string, host = hostname()): string {
  return `${pid}\n${started}\n${host}\nabc\n`;
}
