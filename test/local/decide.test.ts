import { describe, expect, it } from "vitest";
import { compareVersions, judgeServer, loopbackPort, planDatabase, planStart } from "../../src/local/decide.ts";
import type { ServerFacts, ServerRecord } from "../../src/local/server.ts";

const at = "2026-11-20T16:02:00.000Z";
const server = (phase: "starting" | "running", pid: number | undefined = 100): ServerRecord => ({
  v: 1,
  identity: "0123456789abcdef",
  mlflow: "3.17.2",
  process: { port: 5210, phase, at, ...(pid !== undefined && { pid, started: "b:1" }) },
});
const { process: _, ...stopped } = server("running");
const facts = (over: Partial<ServerFacts>): ServerFacts => ({
  record: server("running"),
  leaderLives: true,
  processes: [100, 101],
  busy: false,
  answer: "ours",
  port: 5210,
  portHolder: undefined,
  ...over,
});
const gone = { leaderLives: false, processes: [] };

describe("the state of a server", () => {
  it.each<[string, Partial<ServerFacts>, string, RegExp]>([
    ["never started", { record: undefined, ...gone, answer: "none" }, "stopped", /no server runs here/],
    ["stopped", { record: stopped, ...gone, answer: "none" }, "stopped", /no server runs here/],
    [
      "stopped, its port taken",
      { record: stopped, ...gone, answer: "other", portHolder: "process 7 (x)" },
      "stopped",
      /process 7 \(x\)/,
    ],
    ["all well", {}, "running", /port 5210/],
    [
      "starting, by a living factory",
      { record: server("starting"), busy: true, answer: "none" },
      "starting",
      /since 2026/,
    ],
    [
      "start cut off",
      { record: server("starting"), answer: "ours" },
      "crashed",
      /cut off at 2026.*; 2 processes of it still run$/,
    ],
    [
      "start cut off before the pid was known",
      { record: server("starting", undefined), leaderLives: false, processes: [101], answer: "none" },
      "crashed",
      /1 process of it still runs/,
    ],
    [
      "leader killed",
      { leaderLives: false, processes: [101] },
      "crashed",
      /main process 100 is gone; 1 process of it still runs/,
    ],
    ["all killed, or the pid used again", { ...gone, answer: "none" }, "crashed", /process 100 is gone/],
    [
      "all killed, a stranger on the port",
      { ...gone, answer: "other", portHolder: "process 7 (x)" },
      "foreign",
      /port 5210.*process 7 \(x\)/,
    ],
    ["lives, a stranger on the port", { answer: "other" }, "foreign", /port 5210/],
    ["lives, silent", { answer: "none" }, "unresponsive", /process 100 lives/],
  ])("%s", (_name, over, state, message) => {
    const verdict = judgeServer(facts(over));
    expect(verdict.state).toBe(state);
    expect(verdict.message).toMatch(message);
    if (!["running", "starting", "stopped"].includes(state)) expect(verdict.hint).toMatch(/factory local/);
  });
});

describe("what a start does", () => {
  it.each<[string, Partial<ServerFacts>, number | undefined, object]>([
    ["running, no port asked", {}, undefined, { do: "nothing" }],
    ["running, its port asked", {}, 5210, { do: "nothing" }],
    ["running, another port asked", {}, 5300, { do: "refuse", code: "local.other-port" }],
    [
      "stopped",
      { record: stopped, ...gone, answer: "none" },
      undefined,
      { do: "start", port: 6000, cleanFirst: false },
    ],
    [
      "stopped, a port asked",
      { record: stopped, ...gone, answer: "none" },
      5300,
      { do: "start", port: 5300, cleanFirst: false },
    ],
    ["left over", { leaderLives: false, processes: [101] }, undefined, { do: "start", port: 6000, cleanFirst: true }],
    [
      "cut off, though it answers",
      { record: server("starting"), busy: true },
      undefined,
      { do: "start", port: 6000, cleanFirst: true },
    ],
  ])("%s", (_name, over, asked, plan) => {
    expect(planStart(facts(over), asked, 6000)).toMatchObject(plan);
  });
});

describe("the database", () => {
  it.each<[boolean, string | undefined, string, string]>([
    [false, undefined, "3.17.2", "open"],
    [false, "99.0.0", "3.17.2", "open"],
    [true, "3.17.2", "3.17.2", "open"],
    [true, undefined, "3.17.2", "back-up"],
    [true, "3.9.0", "3.17.2", "back-up"],
    [true, "3.17.2rc1", "3.17.2", "back-up"],
    [true, "3.18.0", "3.17.2", "refuse"],
    [true, "10.0.0", "3.17.2", "refuse"],
  ])("exists %s, written by %s, opened by %s: %s", (exists, wrote, mlflow, verdict) => {
    expect(planDatabase(exists, wrote, mlflow).do).toBe(verdict);
  });

  it("orders versions by number, a pre-release before its release", () => {
    const ordered = ["2.9", "3.5.1", "3.17.2rc0", "3.17.2", "3.17.10", "10.0"];
    expect([...ordered].reverse().sort(compareVersions)).toEqual(ordered);
    expect(compareVersions("3.17", "3.17.0")).toBe(0);
  });
});

it.each([
  ["http://127.0.0.1:5210", 5210],
  ["http://localhost:80/", 80],
  ["http://[::1]:6000", 6000],
  ["http://mlflow.example.com:5210", undefined],
  ["https://127.0.0.1:5210", undefined],
  ["http://127.0.0.1.example.com:1", undefined],
  ["nonsense", undefined],
])("the port on this machine of %s is %s", (uri, port) => {
  expect(loopbackPort(uri)).toBe(port);
});
