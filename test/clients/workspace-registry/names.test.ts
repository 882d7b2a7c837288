import { expect, test } from "vitest";
import { nameInWorkspace } from "../../../src/clients/workspace-registry/names.ts";

test("a name holds nothing that the registry refuses, and no two names become one", () => {
  expect(nameInWorkspace("prod.claims.triage")).toBe("prod-claims-triage");
  const names = ["a-b.c.d", "a.b.c.d", "a--b.c.d", "a-.b.c.d", "a.b_c.d", "a-b-c.d.e", "a_b.c.d"];
  const there = names.map(nameInWorkspace);
  expect(new Set(there).size).toBe(names.length);
  expect(there.filter((each) => /[./:]/.test(each))).toEqual([]);
});
