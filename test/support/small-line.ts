import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { openHistory } from "../../src/clients/git.ts";
import { openMlflow } from "../../src/clients/mlflow/open-mlflow.ts";
import type { EvidenceFacts, GateFact } from "../../src/evidence/facts.ts";
import { type Attachment, type SealedEvidence, sealEvidence } from "../../src/evidence/seal.ts";
import type { Metric } from "../../src/gates/metrics.ts";
import { parseLine } from "../../src/ledger/entry-line.ts";
import { type Envelope, envelopeLine, signEnvelope } from "../../src/lib/dsse.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { sendHttp } from "../../src/lib/http.ts";
import type { Signer } from "../../src/lib/signing.ts";
import { parseYaml } from "../../src/lib/yaml-document.ts";
import { peopleSince } from "../../src/people/changed-by.ts";
import { keyPath, makeKey, writeKeyFile } from "../../src/people/key-file.ts";
import { policySchema } from "../../src/policy/policy.ts";
import { policyStatement } from "../../src/policy/policy-statement.ts";
import { projectSchema } from "../../src/project/project.ts";
import { metricsFor } from "../../src/project/rules.ts";
import { factory, makeHome, type Ran, type RunOptions } from "./factory.ts";

export const GATES = ["lint", "unit", "data", "model", "baseline", "docs", "secrets"] as const;
/** Who takes part in every line. `author` changed the code; `owner` signs the policy. */
const STAFF = { author: "person", owner: "person", approver: "person", second: "person", ci: "service" } as const;
export type Name = keyof typeof STAFF;

export type PolicyDraft = z.input<typeof policySchema>;
export type ProjectDraft = z.input<typeof projectSchema>;

/** Somebody with a home of their own, and a key in it; a service is given its key by a variable. */
export interface LinePerson {
  address: string;
  signer: Signer;
  home: string;
  variables: Record<string, string>;
}

export interface LineWish {
  /** Default: a name that no other line on the server has. */
  model?: string;
  ledger?: PolicyDraft["ledger"];
  /** Changes the policy before its owner signs it. */
  policy?: (policy: PolicyDraft, people: Record<Name, LinePerson>) => void;
  project?: (project: ProjectDraft) => void;
  /** Through which address the line reaches the server, when it is a proxy. */
  through?: string;
  /** Further variables of every process. */
  variables?: Record<string, string>;
  /** Whether logged models say what they take and give, as Unity Catalog asks for. */
  signed?: boolean;
}

/** What of a check is otherwise than in one where all is well. */
export interface CheckWish {
  facts?: Partial<EvidenceFacts>;
  gates?: readonly GateFact[];
  metrics?: readonly Metric[];
  /** Replaces the factory.yaml that was checked; a candidate has it in its commit. */
  project?: string;
  /** Instead of all attachments that are usual. */
  attachments?: readonly Attachment[];
}

export interface TrainedRun {
  run: string;
  digest: string;
  loggedModel: string;
  /** Text of the model's manifest. */
  manifest: string;
}

const answer = z.object({
  ok: z.boolean(),
  data: z.record(z.string(), z.unknown()).optional(),
  error: z
    .object({
      code: z.string(),
      message: z.string(),
      problems: z.array(z.object({ message: z.string() })).default([]),
    })
    .optional(),
});
const verdicts = z.array(z.object({ rule: z.string(), verdict: z.string(), why: z.string() })).default([]);

export type LineAnswer = z.infer<typeof answer> & {
  status: number | null;
  ran: Ran;
  verdicts: z.infer<typeof verdicts>;
  /** `rule: why` of every verdict that is no, and of every problem of an error. */
  against: string[];
};

/** A project, its policy and its people, on a server that others use too; what is left out is as it should be. */
export interface SmallLine {
  server: { uri: string };
  /** Holds policy.yaml, policy.sigs.jsonl and tickets.yaml. */
  root: string;
  /** The project: a git repository with one commit. */
  folder: string;
  ledgerPath: string;
  project: string;
  model: string;
  people: Record<Name, LinePerson>;
  /** Everybody's variables without a key. */
  variables: Record<string, string>;
  git(...args: string[]): string;
  commit(): string;
  /** Writes the policy, and its owner signs it; `signers` signs it instead. */
  writePolicy(change: (policy: PolicyDraft) => void, signers?: readonly Signer[]): void;
  policy(): PolicyDraft;
  tickets(tickets: Record<string, unknown>): void;
  /** A run with a small logged model; another text, another digest. */
  train(text?: string, tags?: Record<string, string>): Promise<TrainedRun>;
  /** Seals what a check of the run would find; all gates pass. */
  check(run: TrainedRun, wish?: CheckWish): Promise<SealedEvidence>;
  /** Runs the built program as this person, in the project; with --json. */
  run(who: Name, args: readonly string[], options?: Partial<RunOptions>): Promise<LineAnswer>;
  register(who?: Name, ...more: string[]): Promise<LineAnswer>;
  approve(number: string, to: string, who?: Name, ...more: string[]): Promise<LineAnswer>;
  promote(number: string, to: string, ...more: string[]): Promise<LineAnswer>;
  release(number: string, env: string, ...more: string[]): Promise<LineAnswer>;
  rollback(env: string, ...more: string[]): Promise<LineAnswer>;
  /** Train, check, register: its number in the first environment. Throws when it is refused. */
  candidate(wish?: CheckWish & { text?: string }): Promise<string>;
  /** The entries of a ledger in a file. */
  ledger(): { seq: number; kind: string; by: string }[];
  remove(): void;
}

/** Makes a line. Nothing is registered yet, and the ledger is not opened. */
export function makeLine(server: { uri: string }, wish: LineWish = {}): SmallLine {
  const home = makeHome();
  const root = join(home.folder, "work");
  const folder = join(root, "project");
  mkdirSync(folder, { recursive: true });
  const project = "claims-triage";
  const model = wish.model ?? `claims.m${randomBytes(6).toString("hex")}`;
  const variables = { ...home.variables, ...wish.variables };
  const people: Record<Name, LinePerson> = {
    author: person("author", home.folder, variables),
    owner: person("owner", home.folder, variables),
    approver: person("approver", home.folder, variables),
    second: person("second", home.folder, variables),
    ci: person("ci", home.folder, variables),
  };
  const uri = wish.through ?? server.uri;
  const policyPath = join(root, "policy.yaml");
  const readPolicyDraft = (): PolicyDraft => policySchema.parse(JSON.parse(readFileSync(policyPath, "utf8")));
  const sign = (draft: PolicyDraft, signers: readonly Signer[]): void => {
    const text = `${JSON.stringify(draft, null, 2)}\n`;
    const policy = parseYaml(text, "policy.yaml", policySchema);
    const statement = policyStatement(policy, sha256(text));
    const envelopes: Envelope[] = signers.map((signer) => signEnvelope(statement, signer));
    writeFileSync(policyPath, text);
    writeFileSync(join(root, "policy.sigs.jsonl"), envelopes.map(envelopeLine).join(""));
  };
  const first = draftPolicy(uri, people, wish.ledger);
  wish.policy?.(first, people);
  sign(first, [people.owner.signer]);
  const projectDraft = draftProject(project, model);
  wish.project?.(projectDraft);
  const projectText = `${JSON.stringify(projectDraft, null, 2)}\n`;
  writeFileSync(join(folder, "factory.yaml"), projectText);
  writeFileSync(join(folder, ".gitignore"), ".factory/\n");
  const git = (...args: string[]) => execFileSync("git", args, { cwd: folder, env: variables, encoding: "utf8" });
  git("init", "--quiet", "--initial-branch", "main");
  git("add", ".");
  git("commit", "--quiet", "--message", "First");
  const commit = () => git("rev-parse", "HEAD").trim();
  const { tracking } = openMlflow(uri, { variables: {} });

  const line: SmallLine = {
    server: { uri },
    root,
    folder,
    ledgerPath: join(folder, ".factory", "ledger.jsonl"),
    project,
    model,
    people,
    variables,
    git,
    commit,
    writePolicy(change, signers = [people.owner.signer]) {
      const draft = readPolicyDraft();
      change(draft);
      sign(draft, signers);
    },
    policy: readPolicyDraft,
    tickets(tickets) {
      writeFileSync(join(root, "tickets.yaml"), JSON.stringify({ factory: 1, tickets }));
    },
    async train(text = randomBytes(8).toString("hex"), tags = {}) {
      const experimentId = await tracking.ensureExperiment(project);
      const run = await tracking.createRun({
        experimentId,
        name: "train",
        startedAt: new Date(),
        tags: {
          "factory.project": project,
          "factory.dirty": "false",
          "factory.commit": commit(),
          "factory.lock": "d".repeat(64),
          ...tags,
        },
      });
      const logged = await logModel(uri, experimentId, run.id, text, wish.signed === true ? SIGNATURE : "");
      await tracking.finishRun(run.id, "FINISHED", new Date());
      return { run: run.id, ...logged };
    },
    check: (trained, check = {}) => sealed(line, trained, projectText, check),
    async run(who, args, options = {}) {
      const ran = await factory([...args, "--json"], {
        cwd: folder,
        variables: people[who].variables,
        ...options,
      });
      return answerOf(ran);
    },
    register: (who = "ci", ...more) => line.run(who, ["register", ...more]),
    approve: (number, to, who = "approver", ...more) =>
      line.run(who, ["approve", number, "--to", to, "--yes", ...more]),
    promote: (number, to, ...more) => line.run("ci", ["promote", number, "--to", to, "--yes", ...more]),
    release: (number, env, ...more) => line.run("ci", ["release", number, "--env", env, "--yes", ...more]),
    rollback: (env, ...more) =>
      line.run("ci", ["rollback", "--env", env, "--reason", "escalations doubled", "--yes", ...more]),
    async candidate({ text, ...check } = {}) {
      const path = join(folder, "factory.yaml");
      const before = readFileSync(path, "utf8");
      // The commit has to hold what was checked.
      const written = (content: string, message: string) => {
        if (check.project === undefined) return;
        writeFileSync(path, content);
        git("commit", "--quiet", "--all", "--message", message);
      };
      written(check.project ?? "", "Another factory.yaml");
      await line.check(await line.train(text), check);
      const said = await line.register();
      written(before, "The factory.yaml of before");
      const version = z.object({ version: z.string() }).safeParse(said.data);
      if (said.status !== 0 || !version.success)
        throw new Error(`not registered: ${said.ran.stdout}${said.ran.stderr}`);
      return version.data.version;
    },
    ledger: () =>
      readFileSync(join(folder, ".factory", "ledger.jsonl"), "utf8")
        .split("\n")
        .filter((text) => text !== "")
        .map((text) => {
          const entry = parseLine(Buffer.from(text));
          if ("problem" in entry) throw new Error(entry.problem);
          return { seq: entry.seq, kind: entry.kind, by: entry.by };
        }),
    remove: home.remove,
  };
  return line;
}

function person(name: Name, folder: string, variables: Record<string, string>): LinePerson {
  const home = join(folder, name);
  const config = join(home, "config", "factory");
  mkdirSync(join(home, "config"), { recursive: true });
  const { signer, pem } = makeKey(undefined);
  const path = keyPath(config, "default");
  writeKeyFile(path, pem);
  return {
    address: `${name}@example.com`,
    signer,
    home,
    variables: {
      ...variables,
      HOME: home,
      XDG_CONFIG_HOME: join(home, "config"),
      XDG_CACHE_HOME: join(home, "cache"),
      ...(STAFF[name] === "service" && { FACTORY_SIGNING_KEY: pem }),
    },
  };
}

function draftPolicy(
  uri: string,
  people: Record<Name, LinePerson>,
  ledger: PolicyDraft["ledger"] = { kind: "file" },
): PolicyDraft {
  const environment = (name: string) => ({ name, catalog: name, registry: { kind: "mlflow" as const, uri } });
  const listed = Object.entries(STAFF).map(([name, kind]) => {
    const one = Object.values(people).find((each) => each.address === `${name}@example.com`);
    const keys = one === undefined ? [] : [{ key: one.signer.publicKey, from: "2026-01-01" }];
    return [`${name}@example.com`, { ...(kind === "service" && { kind }), keys, aliases: [`${name}-on-git`] }];
  });
  return {
    factory: 1,
    version: 1,
    organisation: "Example Mutual",
    timezone: "UTC",
    ledger,
    environments: [environment("dev"), environment("test"), environment("prod")],
    productLines: { claims: { capacity: 4, owner: "owner@example.com" } },
    projects: { "claims-triage": { productLine: "claims", riskTier: "medium", owner: "owner@example.com" } },
    roles: { "policy-owner": ["owner@example.com"], "model-risk": ["approver@example.com", "second@example.com"] },
    people: Object.fromEntries(listed),
    riskTiers: {
      medium: {
        test: { gates: ["unit", "model"] },
        prod: {
          gates: [...GATES],
          approvals: [{ role: "model-risk", count: 1 }],
          approvalTtl: "P7D",
          evidenceTtl: "P14D",
        },
      },
    },
    tickets: { system: "file", path: "tickets.yaml" },
  };
}

function draftProject(project: string, model: string): ProjectDraft {
  return {
    factory: 1,
    project,
    policy: "../policy.yaml",
    model: { name: model, train: "python train.py" },
    gates: { unit: { run: "true" }, model: { run: "true", metrics: [{ name: "roc_auc", min: 0.62 }] } },
  };
}

/** One gate that passed a moment ago. */
export function passed(gate: string, at: Date = new Date(), more: Partial<GateFact> = {}): GateFact {
  return {
    gate,
    verdict: "pass",
    summary: `${gate} passed`,
    findings: [],
    cases: 1,
    startedAt: at.toISOString(),
    finishedAt: at.toISOString(),
    durationMs: 1,
    ...more,
  };
}

async function sealed(
  line: SmallLine,
  trained: TrainedRun,
  projectText: string,
  { facts = {}, gates, metrics, project = projectText, attachments }: CheckWish,
): Promise<SealedEvidence> {
  const at = new Date();
  const history = await peopleSince(openHistory(line.folder, line.variables, new AbortController().signal), undefined);
  const measured: readonly Metric[] = metrics ?? [
    { name: "roc_auc", value: 0.67, n: 900, model: "candidate", dataset: "c".repeat(64) },
  ];
  const usual: Attachment[] = [
    { kind: "project", name: "factory.yaml", content: project },
    {
      kind: "metrics",
      name: "model-metrics.json",
      content: JSON.stringify({ schema: "factory.metrics/v1", metrics: measured }),
      gate: "model",
    },
    { kind: "model", name: "manifest.sha256", content: trained.manifest },
  ];
  return sealEvidence(
    {
      v: 1,
      factory: { version: "0.1.0" },
      project: line.project,
      run: { id: trained.run, experiment: line.project },
      model: { name: line.model, digest: trained.digest },
      commit: line.commit(),
      dirty: false,
      rules: {},
      data: [],
      lock: "d".repeat(64),
      seed: 7,
      train: ["python", "train.py"],
      thresholds: limitsIn(attachments ?? usual),
      champion: "first release",
      people: { since: null, commits: history.commits, people: [...history.people] },
      started: at.toISOString(),
      finished: at.toISOString(),
      ...facts,
    },
    gates ?? GATES.map((name) => passed(name, at)),
    attachments ?? usual,
    join(line.folder, ".factory", "evidence"),
  );
}

/** The limits that the sealed factory.yaml sets in the first environment; a file that is none sets none. */
function limitsIn(attachments: readonly Attachment[]): EvidenceFacts["thresholds"] {
  const text = attachments.find(({ kind }) => kind === "project")?.content.toString() ?? "";
  const parsed = projectSchema.safeParse(JSON.parse(text === "" ? "{}" : text));
  return z.json().parse(parsed.success ? JSON.parse(JSON.stringify(metricsFor(parsed.data, "dev"))) : []);
}

export const SIGNATURE = `signature:
  inputs: '[{"type": "double", "name": "amount", "required": true}]'
  outputs: '[{"type": "double", "required": true}]'
`;

/** A logged model of two small files, as training leaves it. */
async function logModel(uri: string, experimentId: string, runId: string, text: string, signature: string) {
  const call = async (method: "POST" | "PATCH", path: string, json: unknown) => {
    const reply = await sendHttp({ method, url: `${uri}/api/2.0/mlflow/${path}`, json });
    if (reply.status !== 200) throw new Error(`${method} ${path}: ${reply.status} ${reply.text}`);
    return reply.text;
  };
  const made = await call("POST", "logged-models", {
    experiment_id: experimentId,
    name: "model",
    source_run_id: runId,
  });
  const id = /"model_id":\s*"(m-[0-9a-f]{32})"/.exec(made)?.[1] ?? "";
  const place = /"artifact_uri":\s*"mlflow-artifacts:\/([^"]+)"/.exec(made)?.[1] ?? "";
  const mlmodel = `flavors:\n  python_function:\n    loader_module: tiny\n${signature}`;
  const files = { MLmodel: mlmodel, "data/weights": text };
  for (const [path, body] of Object.entries(files)) await putArtifact(uri, `${place}/${path}`, body);
  await call("PATCH", `logged-models/${id}`, { model_id: id, status: "LOGGED_MODEL_READY" });
  const manifest = Object.entries(files)
    .map(([path, body]) => `${sha256(body)}  ${path}\n`)
    .join("");
  return { loggedModel: id, manifest, digest: sha256(manifest) };
}

/** Writes one artifact beside factory, as anyone can who reaches the server; `path` is below the root of artifacts. */
export async function putArtifact(uri: string, path: string, body: string): Promise<void> {
  const to = path.replace(/^\/+/, "").split("/").map(encodeURIComponent).join("/");
  const reply = await sendHttp({
    method: "PUT",
    url: `${uri}/api/2.0/mlflow-artifacts/artifacts/${to}`,
    body: Buffer.from(body),
  });
  if (reply.status !== 200) throw new Error(`PUT ${path}: ${reply.status} ${reply.text}`);
}

export function answerOf(ran: Ran): LineAnswer {
  let said: z.infer<typeof answer>;
  try {
    said = answer.parse(JSON.parse(ran.stdout));
  } catch (cause) {
    throw new Error(`no answer in stdout (status ${ran.status}): ${ran.stdout.slice(0, 500)}\n${ran.stderr}`, {
      cause,
    });
  }
  const judged = z.object({ verdicts }).safeParse(said.data);
  const all = judged.success ? judged.data.verdicts : [];
  const reasons = z.object({ reasons: z.array(z.string()) }).safeParse(said.data);
  return {
    ...said,
    status: ran.status,
    ran,
    verdicts: all,
    against: [
      ...all.filter((each) => each.verdict === "no").map((each) => `${each.rule}: ${each.why}`),
      ...(reasons.success ? reasons.data.reasons : []),
      ...(said.error === undefined ? [] : [said.error.message, ...said.error.problems.map((each) => each.message)]),
    ],
  };
}
