import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import type { Prompts } from "../../src/cli/prompts.ts";
import { runCli } from "../../src/cli/run.ts";
import { openMlflow } from "../../src/clients/mlflow/open-mlflow.ts";
import { realClients } from "../../src/clients.ts";
import { COMMANDS } from "../../src/commands.ts";
import { viewOf } from "../../src/ledger/view.ts";
import { readApproval } from "../../src/promotion/facts-of-approvals.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import { makeLine, type SmallLine, type TrainedRun } from "../support/small-line.ts";

// Somebody at a terminal signs what stood in the question that they said yes to, and nothing else.

let server: MlflowServer;
beforeAll(async () => {
  server = await startMlflowServer();
});
afterAll(() => server?.stop());

let line: SmallLine;
let run: TrainedRun;
beforeEach(async () => {
  line = makeLine(server);
  run = await line.train();
  await line.check(run);
  expect((await line.register()).against).toEqual([]);
  expect((await line.promote("1", "test")).against).toEqual([]);
  return () => line.remove();
});

/** The approver at a terminal; each question is answered by what is called with its number, from 1. */
async function atTerminal(answer: (question: number) => Promise<"yes" | "no">, ...flags: string[]) {
  const asked: string[] = [];
  const said = { out: "", err: "" };
  const { home, signer, variables } = line.people.approver;
  const prompts: Prompts = {
    interactive: true,
    ask: () => Promise.reject(new Error("nothing to type")),
    secret: () => Promise.reject(new Error("no secret")),
    async choose({ message }) {
      asked.push(message);
      return answer(asked.length);
    },
  };
  const folder = (name: string) => join(home, name);
  const places = {
    config: folder("config"),
    data: folder("data"),
    cache: folder("cache"),
    templates: folder("templates"),
    schemas: folder("schemas"),
    program: folder("program"),
    node: process.execPath,
  };
  const { signal } = new AbortController();
  const sink = (name: "out" | "err") => ({
    write: (text: string) => {
      said[name] += text;
    },
    terminal: true,
    columns: 200,
  });
  const status = await runCli(COMMANDS, {
    argv: ["approve", "1", "--to", "prod", ...flags],
    cwd: line.folder,
    variables,
    secrets: [],
    keysGiven: [],
    places,
    version: "0.0.0",
    clients: async () => realClients({ variables, places, signal, version: "0.0.0" }),
    signer: async () => signer,
    keyPassphrase: () => undefined,
    signal,
    stdout: sink("out"),
    stderr: sink("err"),
    prompts: async () => prompts,
    stdinTerminal: true,
    now: () => new Date(),
    monotonicMs: () => performance.now(),
  });
  return { status, asked, ...said };
}

const signed = () =>
  viewOf(readFileSync(line.ledgerPath)).entries.flatMap((entry) =>
    entry.kind === "approved" && entry.by === "approver@example.com" ? [readApproval(entry.body.envelope)] : [],
  );
const digestIn = (what: "evidence" | "policy", text: string | undefined) =>
  new RegExp(`${what} +sha256:([0-9a-f]{64})`).exec(text ?? "")?.[1];

it("--quiet leaves nothing out of the question, and what is signed stood in it", async () => {
  const { status, asked, out } = await atTerminal(async () => "yes", "--quiet");
  expect(status, out).toBe(0);
  expect(asked).toHaveLength(1);
  for (const text of [line.model, run.digest, "approver@example.com", "model-risk", "author@example.com", "all pass"])
    expect(asked[0]).toContain(text);
  const [approval, ...others] = signed();
  expect(others).toEqual([]);
  for (const text of [approval?.evidence, approval?.rules, approval?.policy, approval?.notAfter])
    expect(asked[0]).toContain(String(text));
});

it("newer evidence that came while somebody thought is asked about anew", async () => {
  const newer = async (question: number) => {
    if (question > 1) return "no";
    await line.check(run);
    expect((await line.register()).against).toEqual([]);
    return "yes";
  };
  const { status, asked, out } = await atTerminal(newer);
  expect(asked).toHaveLength(2);
  expect(digestIn("evidence", asked[1])).not.toBe(digestIn("evidence", asked[0]));
  expect(asked[1]).toContain("The ledger moved meanwhile");
  expect([status, out]).toEqual([3, expect.stringContaining("nothing was signed")]);
  expect(signed()).toEqual([]);
});

it("so is a policy that was adopted meanwhile, and a yes to that signs that", async () => {
  const adopt = async (question: number): Promise<"yes" | "no"> => {
    if (question > 1) return "yes";
    line.writePolicy((policy) => {
      policy.version = 2;
    });
    await line.check(await line.train());
    expect((await line.register()).against).toEqual([]);
    return "yes";
  };
  const { status, asked, out } = await atTerminal(adopt);
  expect(status, out).toBe(0);
  expect(asked).toHaveLength(2);
  expect(digestIn("policy", asked[1])).not.toBe(digestIn("policy", asked[0]));
  expect(signed().map((each) => each?.policy)).toEqual([digestIn("policy", asked[1])]);
  expect(digestIn("policy", out)).toBe(digestIn("policy", asked[1]));
});

it("what changes nothing of it is not asked about again: it is signed to the letter", async () => {
  const other = async () => {
    expect((await line.approve("1", "prod", "second")).against).toEqual([]);
    return "yes" as const;
  };
  const { status, asked, out } = await atTerminal(other);
  expect(status, out).toBe(0);
  expect(asked).toHaveLength(1);
  const notAfter = signed()[0]?.notAfter;
  expect(asked[0]).toContain(String(notAfter));
  expect(out).toContain(String(notAfter));
});

it("what would be refused by the time of the answer is not signed, and what is signed is of that moment", async () => {
  const registry = openMlflow(server.uri, { variables: {} }).registry;
  const byHand = async () => {
    await registry.removeAlias(`test.${line.model}`, "challenger");
    return "yes" as const;
  };
  const refused = await atTerminal(byHand);
  expect([refused.status, refused.out]).toEqual([3, expect.stringContaining("alias challenger of test is none")]);
  expect(signed()).toEqual([]);
  await registry.setAlias(`test.${line.model}`, "challenger", "1");
  let answered = 0;
  const slow = async () => {
    await setTimeout(1500);
    answered = Date.now();
    return "yes" as const;
  };
  expect((await atTerminal(slow)).status).toBe(0);
  const entry = viewOf(readFileSync(line.ledgerPath)).entries.at(-1);
  expect(Date.parse(entry?.at ?? "")).toBeGreaterThan(answered - 1000);
});
