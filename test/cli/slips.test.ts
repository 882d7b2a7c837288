import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { factory, makeHome } from "../support/factory.ts";

// What somebody types wrong on the first day: each message says what, where and how to mend it.

const home = makeHome();
const cwd = join(home.folder, "here");
const policy = join(cwd, "policy.yaml");
mkdirSync(cwd);
afterAll(() => home.remove());

async function run(...args: string[]) {
  const { status, stderr, stdout } = await factory(args, { cwd, variables: home.variables });
  return { status, stderr, stdout };
}

beforeAll(async () => {
  await run("init", "--organisation", "Example");
  await run("new", "claims-triage", "--yes", "--no-git");
}, 60_000);

test("init names the flag with the wrong address of a ledger, and no file that is not there", async () => {
  const { status, stderr } = await run("init", "other", "--organisation", "Example", "--ledger-url", "../gov.git");
  expect(stderr).toBe(
    "✖ --ledger-url ../gov.git is no https, ssh or file URL, no user@host:path and no absolute path\n" +
      "  → such as git@git.example.com:risk/governance.git; a repository on this machine by its whole path\n",
  );
  expect(status).toBe(2);
});

test("a person pasted below `people: {}` is told to take the braces away, which the starter says as well", async () => {
  const text = readFileSync(policy, "utf8");
  const [before, after] = text.split(/(?<=^people: \{\}.*\n)/m);
  expect(before).toContain("write it below, in place of {}");
  writeFileSync(policy, `${before}  someone@example.com: { keys: [] }\n${after}`);
  const { status, stderr } = await run("policy", "show");
  writeFileSync(policy, text);
  expect(stderr).toMatch(/policy\.yaml:\d+: .* \(where \{\} or \[\] stands in the line above, take that away\)/);
  expect(status).toBe(2);
});

test.each([
  [["policy", "show", "--policy", "nope.yaml"], "policy not found: ", "check the path"],
  [["policy", "show", "--policy", "."], "policy is not a file: ", "name the file itself"],
])("%j says how to mend it", async (args, what, hint) => {
  const { status, stderr } = await run(...args);
  expect(stderr).toContain(`✖ ${what}`);
  expect(stderr).toContain(`\n  → ${hint}\n`);
  expect(status).toBe(2);
});

test("a working tree for a later environment is refused in words about deploying", async () => {
  const { status, stderr } = await factory(["deploy", "--env", "prod", "--working-tree"], {
    cwd: join(cwd, "claims-triage"),
    variables: home.variables,
  });
  expect(stderr).toBe(
    "✖ a working tree is deployed to dev only: prod receives what was checked\n  → factory deploy --working-tree --env dev\n",
  );
  expect(status).toBe(2);
});

test("a project that finds no policy says where one that lies elsewhere is named", async () => {
  const alone = join(home.folder, "alone");
  mkdirSync(alone);
  const made = await factory(["new", "claims-triage", "--yes", "--no-git"], { cwd: alone, variables: home.variables });
  expect(made.stdout).toContain("a policy that lies elsewhere: name it under policy in factory.yaml");
  const listed = await run("new", "other-one", "--yes", "--no-git");
  expect(listed.stdout).toContain("policy.yaml does not list it");
  expect(listed.stdout).not.toContain("lies elsewhere");
});
