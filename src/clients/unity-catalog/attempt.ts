import { hostname } from "node:os";
import { pid } from "node:process";
import { sha256 } from "../../lib/hash.ts";
import { isSameProcess, processStart } from "../../lib/process-identity.ts";

/** This process, told apart from every other one on every machine. */
export function thisAttempt(): string {
  return `${machine()}_${pid}_${Buffer.from(processStart(pid) ?? "?").toString("hex")}`;
}

/** Whether the process that an attempt names is at work no more; undefined: it is on another machine. */
export function isOver(attempt: string): boolean | undefined {
  const [where, process = "", started = ""] = attempt.split("_");
  if (where !== machine() || !/^\d+$/.test(process)) return undefined;
  return !isSameProcess(Number(process), Buffer.from(started, "hex").toString());
}

const machine = (): string => sha256(hostname()).slice(0, 12);
