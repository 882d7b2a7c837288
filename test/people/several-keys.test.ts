import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { factory, type Home, makeHome } from "../support/factory.ts";

// Several keys in the folder, of which the policy lists one: it signs without being named.

const answer = z.object({
  ok: z.boolean(),
  data: z.looseObject({ line: z.string().optional() }).optional(),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
});
let home: Home;
let folder = "";
const lines: string[] = [];
beforeAll(async () => {
  home = makeHome();
  folder = join(home.folder, "models");
  mkdirSync(folder);
  for (const name of ["default", "work"]) {
    const made = await run("keys", "new", `${name}@example.com`, "--name", name);
    lines.push(made.data?.line ?? "");
  }
  writeFileSync(
    join(folder, "factory.yaml"),
    "factory: 1\nproject: claims\npolicy: policy.yaml\nmodel: { name: claims.triage, train: python train.py }\n",
  );
});
afterAll(() => home.remove());

const run = async (...args: string[]) => {
  const ran = await factory([...args, "--json"], { cwd: folder, variables: home.variables });
  return { status: ran.status, ...answer.parse(JSON.parse(ran.stdout)) };
};
const policy = (version: number, people: readonly string[]): void => {
  const environments =
    "environments:\n" +
    ["dev", "prod"]
      .map((name) => `  - { name: ${name}, catalog: ${name}, registry: { kind: mlflow, uri: "http://127.0.0.1:9" } }\n`)
      .join("");
  writeFileSync(
    join(folder, "policy.yaml"),
    `factory: 1\nversion: ${version}\norganisation: Example\n${environments}riskTiers: { low: {} }\n` +
      `roles: { policy-owner: [work@example.com] }\npolicyQuorum: 1\npeople:\n${people.join("\n")}\n`,
  );
};

/** What each command that signs ends with: it needs its key before it finds that nothing is there to move. */
const codes = async (): Promise<Record<string, string | undefined>> => {
  const reason = ["--reason", "a complaint came in"];
  const found: Record<string, string | undefined> = {};
  for (const [name, ...args] of [
    ["promote", "7", "--to", "prod"],
    ["approve", "7", "--to", "prod"],
    ["approve withdraw", "7", "--to", "prod", ...reason],
    ["release", "7", "--env", "prod"],
    ["rollback", "--env", "prod", ...reason],
  ])
    found[name ?? ""] = (await run(...(name ?? "").split(" "), ...args)).error?.code;
  return found;
};

test("the policy's own owner signs it, and what goes to the ledger is signed by the key that the policy lists", async () => {
  policy(1, lines.slice(1));
  const signed = await run("policy", "sign");
  expect(signed).toMatchObject({ status: 0, data: { owner: "work@example.com" } });
  const answers = await codes();
  expect(answers).toEqual({
    promote: "project.pilot",
    approve: "project.pilot",
    "approve withdraw": "project.pilot",
    release: "project.pilot",
    rollback: expect.not.stringMatching(/^(?:key|flags)\./),
  });
});

test("a ledger with nothing in it says so", async () => {
  const shown = await factory(["ledger", "show"], { cwd: folder, variables: home.variables });
  expect([shown.status, shown.stdout]).toEqual([
    0,
    expect.stringContaining("Nothing is recorded yet in the ledger of claims."),
  ]);
});

test("where the policy lists both, or none, a person says which", async () => {
  policy(1, lines);
  const both = await run("policy", "sign");
  expect([both.status, both.error?.code, both.error?.message]).toEqual([
    ...[2, "key.several", "there are several keys: default, work; the policy lists default, work"],
  ]);
  expect(new Set(Object.values(await codes()))).toEqual(new Set(["key.several"]));
  expect((await run("policy", "sign", "--key", "work")).data).toMatchObject({ owner: "work@example.com" });
});
