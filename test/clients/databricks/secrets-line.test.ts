import { appendFileSync, type Dirent, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { files } from "../../fakes/workspace/files/tree.ts";
import type { FakeWorkspace } from "../../fakes/workspace/server.ts";
import { unity } from "../../fakes/workspace/unity/store.ts";
import { type MlflowServer, startMlflowServer } from "../../support/mlflow-server.ts";
import type { LineAnswer, Name, SmallLine } from "../../support/small-line.ts";
import { startCatalogs, unityLine } from "../unity-catalog/line-parts.ts";
import { cores, leaks, SHAPES } from "./planted.ts";

const CONFIG = ".databrickscfg";
const planted = Object.values(SHAPES).map((text) => text.replaceAll("\n", " "));
/** What has no shape of a secret is known for one only where it is the credential in use. */
const spoken = planted.filter((text) => text !== SHAPES.opaque);

let server: MlflowServer;
let fake: FakeWorkspace;
let line: SmallLine;
/** Tokens that are really in use. */
let tokens: string[];

beforeAll(async () => {
  [server, fake] = await Promise.all([startMlflowServer(), startCatalogs()]);
  line = await unityLine(server, fake);
  tokens = ["factory-test", "factory-prod", "reader@example.com"].flatMap((name) => {
    const { token, clientSecret } = fake.identity(name);
    return [token, ...(clientSecret === undefined ? [] : [clientSecret])];
  });
  for (const { home, variables } of Object.values(line.people)) {
    for (const [at, text] of planted.entries()) variables[`PLANTED_${at}`] = text;
    const others = planted.map((text, at) => `[planted-${at}]\nhost = https://example.com\ntoken = ${text}\n`);
    appendFileSync(join(home, CONFIG), `\n${others.join("\n")}`);
  }
}, 300_000);
afterAll(async () => {
  line?.remove();
  await fake?.stop();
  await server?.stop();
});

const found = (text: string): string[] => [...leaks(text), ...tokens.filter((token) => text.includes(token))];

/** Runs it with a debug trace, and looks through all that it says. */
async function run(who: Name, ...args: string[]): Promise<LineAnswer> {
  const answer = await line.run(who, [...args, "--debug"]);
  expect(found(answer.ran.stdout + answer.ran.stderr), args.join(" ")).toEqual([]);
  expect(answer.ran.stderr, "a trace").toMatch(/(?:GET|POST|PUT) http:\S+ → \d{3} in \d+ ms/);
  return answer;
}

/** The workspace refuses once, and says every secret in its answer. */
async function refused(fault: { route: string; method: string }, ...args: string[]): Promise<void> {
  const handle = fake.fault({ kind: "status", status: 400, message: spoken.join("\n"), ...fault });
  const answer = await run("ci", ...args);
  handle.clear();
  expect(answer.status, answer.ran.stdout + answer.ran.stderr).toBe(4);
  expect(handle.struck, fault.route).toBe(1);
}

test("planted secrets and the tokens in use are in no log, ledger, evidence, report or trace", {
  timeout: 600_000,
}, async () => {
  line.tickets({ "CHG-1": { state: "approved" } });
  await line.check(await line.train("weights"));
  const done = async (who: Name, ...args: string[]): Promise<void> => {
    const answer = await run(who, ...args);
    expect(answer.status, answer.ran.stdout + answer.ran.stderr).toBe(0);
  };
  await done("ci", "register");
  const toTest = ["promote", "1", "--to", "test", "--yes"];
  await refused({ route: "fs/files", method: "PUT" }, ...toTest);
  await refused({ route: "model-versions/create", method: "POST" }, ...toTest);
  await refused({ route: "aliases", method: "PUT" }, ...toTest);
  await done("ci", ...toTest);
  await done("approver", "approve", "1", "--to", "prod", "--ticket", "CHG-1", "--yes");
  await done("ci", "promote", "1", "--to", "prod", "--ticket", "CHG-1", "--yes");
  await done("ci", "release", "1", "--env", "prod", "--yes");

  // Ledger, evidence, reports and caches of everybody; whatever MLflow and the workspace hold.
  const looked = [...below(dirname(line.root)), ...below(server.folder)];
  expect(looked.map(({ path }) => path)).toEqual(expect.arrayContaining([line.ledgerPath]));
  expect(looked.length).toBeGreaterThan(50);
  for (const { path, text } of looked) expect(found(text), path).toEqual([]);
  const stored = [...files.of(fake.state).entries].map(([key, { digest }]) => ({ key, text: textOf(digest) }));
  expect(stored.length).toBeGreaterThan(20);
  for (const { key, text } of stored) expect(found(text), key).toEqual([]);
  for (const [name, model] of unity.of(fake.state).models) {
    const tags = [...model.tags, ...[...model.versions.values()].flatMap((version) => [...version.tags])];
    expect(tags.length, name).toBeGreaterThan(2);
    expect(found(JSON.stringify(tags)), name).toEqual([]);
  }
});

test("the search finds a secret that is there", () => {
  expect(
    found(
      below(line.people.ci.home, true)
        .map(({ text }) => text)
        .join("\n"),
    ),
  ).toEqual(expect.arrayContaining(cores.map(({ name }) => name)));
});

const textOf = (digest: string): string => fake.state.blobs.get(digest).toString("latin1");

/** Every file below a folder but the profiles, in which the secrets lie. */
function below(folder: string, profiles = false): { path: string; text: string }[] {
  const all: Dirent[] = readdirSync(folder, { recursive: true, withFileTypes: true });
  return all.flatMap((entry) => {
    if (!entry.isFile() || (entry.name === CONFIG) !== profiles) return [];
    const path = join(entry.parentPath, entry.name);
    return [{ path, text: readFileSync(path, "latin1") }];
  });
}
