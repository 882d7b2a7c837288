import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { platform } from "node:process";

/** One living process, as the system lists it. */
export interface ProcessEntry {
  pid: number;
  group: number;
  /** When it started, in the system's own words: with the pid, the identity of a process. */
  started: string;
}

let boot: string | undefined;

/** Identity of the running system; start times of Linux processes count from it. */
function bootId(): string {
  boot ??= readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim().slice(0, 8);
  return boot;
}

/** When a living process started; undefined when there is none with this pid, or only its remains (a zombie). */
export function processStart(pid: number): string | undefined {
  return platform === "linux" ? linuxProcess(pid)?.started : psProcesses(["-p", String(pid)])[0]?.started;
}

/** True when the process with this pid is still the one that started then, not a later one with the same number. */
export function isSameProcess(pid: number, started: string): boolean {
  return processStart(pid) === started;
}

/** All living processes of a process group. */
export function processesOfGroup(group: number): ProcessEntry[] {
  return listProcesses().filter((each) => each.group === group);
}

/** All living processes. */
export function listProcesses(): ProcessEntry[] {
  if (platform !== "linux") return psProcesses(["-ax"]);
  return readdirSync("/proc").flatMap((name) => {
    const entry = /^\d+$/.test(name) ? linuxProcess(Number(name)) : undefined;
    return entry === undefined ? [] : [entry];
  });
}

/** True when the process was started with this variable, `NAME=value`. Where the system does not show it: undefined. */
export function startedWith(pid: number, assignment: string): boolean | undefined {
  if (platform !== "linux") return undefined;
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(assignment);
  } catch {
    return false;
  }
}

/** The command line of a process, for messages only. */
export function commandLineOf(pid: number): string | undefined {
  try {
    const text =
      platform === "linux"
        ? readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")
        : ps(["-o", "command=", "-p", String(pid)]);
    return text.trim() === "" ? undefined : text.trim().slice(0, 200);
  } catch {
    return undefined;
  }
}

function linuxProcess(pid: number): ProcessEntry | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold anything, so fields count from the last one.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, , group] = fields;
    if (state === "Z" || state === "X" || group === undefined) return undefined;
    return { pid, group: Number(group), started: `${bootId()}:${fields[19] ?? ""}` };
  } catch {
    return undefined;
  }
}

function psProcesses(selection: readonly string[]): ProcessEntry[] {
  let text: string;
  try {
    text = ps([...selection, "-o", "pid=,pgid=,stat=,lstart="]);
  } catch {
    return [];
  }
  return text.split("\n").flatMap((line) => {
    const [, pid, group, state, started] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.+?)\s*$/.exec(line) ?? [];
    if (pid === undefined || started === undefined || state?.startsWith("Z")) return [];
    return [{ pid: Number(pid), group: Number(group), started }];
  });
}

function ps(args: readonly string[]): string {
  return execFileSync("ps", [...args], {
    encoding: "utf8",
    env: { PATH: "/bin:/usr/bin", LC_ALL: "C", TZ: "UTC" },
    stdio: ["ignore", "pipe", "ignore"],
  });
}
