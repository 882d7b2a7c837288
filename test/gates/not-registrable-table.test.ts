import { describe, expect, it } from "vitest";
import { tableIdentity } from "../../src/data/table-name.ts";
import { notRegistrable } from "../../src/promotion/not-registrable.ts";
import { DIGEST, facts } from "../evidence/sample.ts";

const name = "acme_dev.claims.claims";
/** The reasons that concern data, for a gate that judged version 12 of a table and a run with these tags. */
function reasons(tags: Record<string, string>): string[] {
  const base = {
    "factory.project": facts.project,
    "factory.commit": facts.commit ?? "",
    "factory.dirty": "false",
    "factory.lock": DIGEST.lock,
  };
  return notRegistrable({
    gates: [{ gate: "data", verdict: "pass" }],
    facts: { ...facts, data: [tableIdentity(name, 12)] },
    tags: { ...base, ...tags },
    trainedOn: [],
    people: { since: undefined, commits: 1, people: [] },
    peopleProblem: undefined,
    why: undefined,
  });
}

describe("a data gate that judged a table", () => {
  const tag = `factory.data.warehouse/${name}`;
  it("nothing bars a run that was trained on the same version", () => {
    expect(reasons({ [tag]: tableIdentity(name, 12).sha256 })).toEqual([]);
  });
  it("the digest is what training can compute by itself", () => {
    // printf 'delta:acme_dev.claims.claims@12' | sha256sum
    expect(tableIdentity(name, 12)).toEqual({
      path: `warehouse/${name}`,
      sha256: "10707a83bfdb6e1d6bd3e6c5c200949521f940747fbc291a23b3aeb39c1cabe1",
    });
  });
  it.each<[string, Record<string, string>, RegExp]>([
    ["another version", { [tag]: tableIdentity(name, 11).sha256 }, /not what the run was trained on/],
    ["a run that does not say its version", {}, /does not say on which version of warehouse\/acme_dev\.claims\.claims/],
    [
      "a run that was trained on another table",
      { "factory.data.warehouse/a.b.c": DIGEST.data },
      /which the run was not trained on/,
    ],
  ])("%s", (_, tags, reason) => {
    expect(reasons(tags).join("\n")).toMatch(reason);
  });
});
