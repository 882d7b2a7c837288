import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { factory, makeHome } from "../support/factory.ts";

const home = makeHome();
const cwd = join(home.folder, "nowhere");
mkdirSync(cwd);
afterAll(() => home.remove());

test.each([
  ["promote", "1", "--to", "test"],
  ["approve", "1", "--to", "test"],
  ["approve", "withdraw", "1", "--to", "test", "--reason", "a complaint"],
  ["release", "1", "--env", "test"],
  ["deploy", "1", "--env", "test"],
  ["rollback", "--env", "test", "--reason", "a complaint"],
])("factory %s outside of any project asks for one, and for no key", async (...args) => {
  const { status, stderr } = await factory(args, { cwd, variables: home.variables });
  expect(status).toBe(2);
  expect(stderr).toMatch(/no project and no policy.yaml here or above/);
  expect(stderr).not.toContain("key");
});
