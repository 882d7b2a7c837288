import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import * as z from "zod";
import { openLedgerFile } from "../../src/clients/ledger-file.ts";
import { type Approval, approvalStatement } from "../../src/evidence/approval.ts";
import { signStatement } from "../../src/evidence/signed-statement.ts";
import { type Entry, type EntryBody, type Fact, printHead } from "../../src/ledger/entry.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import type { Envelope } from "../../src/lib/dsse.ts";
import { sendHttp } from "../../src/lib/http.ts";
import type { MlflowServer } from "../support/mlflow-server.ts";
import type { LinePerson, Name, SmallLine } from "../support/small-line.ts";

const DUMP = `
import hashlib, os, sqlite3, sys
root = sys.argv[1]
for line in sqlite3.connect(os.path.join(root, "mlflow.db")).iterdump():
    print(line)
for folder, folders, names in os.walk(os.path.join(root, "artifacts")):
    folders.sort()
    for name in sorted(names):
        path = os.path.join(folder, name)
        print(os.path.relpath(path, root), hashlib.sha256(open(path, "rb").read()).hexdigest())
`;

/** Everything that a refusal must leave as it is: the server's whole database and disk, ledger, policy, working tree. */
export async function everything(server: MlflowServer, line: SmallLine): Promise<{ server: string; files: string[] }> {
  const { stdout } = await promisify(execFile)(join(server.bin, "python"), ["-c", DUMP, server.folder], {
    maxBuffer: 1 << 28,
  });
  return { server: stdout, files: filesBelow(line.root) };
}

function filesBelow(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes("/.git/"))
    .map((path) => `${path} ${createHash("sha256").update(readFileSync(path)).digest("hex")}`)
    .sort();
}

/** Appends what somebody with a key and a program of their own could append; refused by a reader, it is an error here. */
export async function forge(line: SmallLine, who: Name, fact: Fact, at = new Date()): Promise<Entry> {
  const ledger = openLedger(openLedgerFile(line.ledgerPath));
  const { head } = await ledger.view();
  const entry = await ledger.append(fact, { by: line.people[who].address, signer: line.people[who].signer }, head, at);
  if (entry === undefined) throw new Error("the ledger moved");
  return entry;
}

/** An approval that counts, as `approve --dry-run` would have it signed, with changes. */
export async function approvalOf(
  line: SmallLine,
  number: string,
  who: LinePerson,
  change: Partial<Approval> = {},
): Promise<Envelope> {
  const shown = await line.approve(number, "prod", "approver", "--ticket", "CHG-1", "--dry-run");
  const plan = z
    .object({ digest: z.string(), evidence: z.string(), rules: z.string(), policy: z.string(), notAfter: z.string() })
    .parse(shown.data);
  const { head } = await openLedger(openLedgerFile(line.ledgerPath)).view();
  const statement = approvalStatement({
    ...plan,
    model: line.model,
    project: line.project,
    environment: "prod",
    ticket: "CHG-1",
    role: "model-risk",
    seen: printHead(head),
    approver: who.address,
    ...change,
  });
  return signStatement(statement, who.signer);
}

/** A promotion to test as it is begun. */
export async function startOf(line: SmallLine, number: string): Promise<EntryBody<"promotion.started">> {
  const shown = await line.approve(number, "prod", "approver", "--dry-run");
  const plan = z
    .object({ digest: z.string(), evidence: z.string(), rules: z.string(), policy: z.string() })
    .parse(shown.data);
  return {
    ...plan,
    model: line.model,
    environment: "test",
    from: { environment: "dev", version: number },
    target: `test.${line.model}`,
    highest: 0,
    approvals: [],
    verdicts: [],
  };
}

/** Calls the server's own interface, as anybody can who reaches it. */
export async function call(
  line: SmallLine,
  method: "GET" | "POST" | "PATCH" | "DELETE",
  path: string,
  json: unknown,
): Promise<unknown> {
  const reply = await sendHttp({ method, url: `${line.server.uri}/api/2.0/mlflow/${path}`, json });
  if (reply.status !== 200) throw new Error(`${method} ${path}: ${reply.status} ${reply.text}`);
  return reply.json;
}

/** Where a version comes from, as the server tells it. */
export async function sourceOf(line: SmallLine, name: string, version: string): Promise<string> {
  const said = await read(line, `model-versions/get?name=${name}&version=${version}`);
  return z.object({ model_version: z.object({ source: z.string() }) }).parse(said).model_version.source;
}

/** Where the server keeps the bytes of a version that came from a logged model, below its folder of artifacts. */
export async function placeOf(line: SmallLine, name: string, version: string): Promise<string> {
  const id = (await sourceOf(line, name, version)).replace(/^models:\//, "");
  const { model } = z
    .object({ model: z.object({ info: z.object({ artifact_uri: z.string() }) }) })
    .parse(await read(line, `logged-models/${id}`));
  return model.info.artifact_uri.replace(/^mlflow-artifacts:\//, "");
}

async function read(line: SmallLine, path: string): Promise<unknown> {
  return (await sendHttp({ method: "GET", url: `${line.server.uri}/api/2.0/mlflow/${path}` })).json;
}
