import { describe, expect, it } from "vitest";
import { notRegistrable, type RegistrableFacts } from "../../src/promotion/not-registrable.ts";
import { DIGEST, facts } from "../evidence/sample.ts";

const tags = {
  "factory.project": facts.project,
  "factory.commit": facts.commit ?? "",
  "factory.dirty": "false",
  "factory.lock": DIGEST.lock,
  "factory.data.data/claims.csv": DIGEST.data,
};
const good: RegistrableFacts = {
  gates: [{ gate: "unit", verdict: "pass" }],
  facts,
  tags,
  trainedOn: [{ path: "data/claims.csv", sha256: DIGEST.data }],
  people: { since: undefined, commits: 1, people: [] },
  peopleProblem: undefined,
  why: undefined,
};
const other = "9".repeat(64);
const withoutData = { ...tags, "factory.data.data/claims.csv": undefined };
const tagsOf = (some: Record<string, string | undefined>) =>
  Object.fromEntries(Object.entries(some).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));

describe("what bars registration", () => {
  it("the same thing is not said twice of a file that the run does not name", () => {
    expect(notRegistrable({ ...good, tags: tagsOf(withoutData) })).toHaveLength(1);
  });
  it("nothing, when everything is known and agrees", () => {
    expect(notRegistrable(good)).toEqual([]);
  });
  it.each<[string, Partial<RegistrableFacts>, RegExp]>([
    [
      "training data that is gone",
      { tags: { ...tags, "factory.data.data/extra.csv": other } },
      /extra\.csv, which the run was trained on, is not there/,
    ],
    ["people that are not known", { people: undefined, peopleProblem: "git was slow" }, /cannot be told: git was slow/],
    ["a failed gate", { gates: [{ gate: "unit", verdict: "fail" }] }, /^failed: unit$/],
    ["a gate that could not tell", { gates: [{ gate: "unit", verdict: "error" }] }, /^could not tell: unit$/],
    ["no gate", { gates: [] }, /no gate/],
    ["a gate that was left out", { gates: [{ gate: "model", verdict: "not-evaluated" }] }, /^not evaluated: model$/],
    ["a run that factory train did not make", { tags: {} }, /does not say from which code/],
    ["a run of another project", { tags: { ...tags, "factory.project": "other" } }, /belongs to other/],
    ["a run without a project", { tags: tagsOf({ ...tags, "factory.project": undefined }) }, /belongs to no project/],
    ["a run without a commit", { tags: tagsOf({ ...tags, "factory.commit": undefined }) }, /without a commit/],
    ["a run at another commit", { tags: { ...tags, "factory.commit": "2".repeat(40) } }, /trained at commit 2222/],
    ["a dirty run", { tags: { ...tags, "factory.dirty": "true" } }, /trained on a tree/],
    ["a run whose state is another word", { tags: { ...tags, "factory.dirty": "maybe" } }, /trained on a tree/],
    ["another lock", { tags: { ...tags, "factory.lock": other } }, /another uv.lock/],
    ["a run without a lock", { tags: tagsOf({ ...tags, "factory.lock": undefined }) }, /another uv.lock/],
    [
      "a dirty tree, with what hides it",
      { facts: { ...facts, dirty: true }, why: "x.py is hidden" },
      /x\.py is hidden/,
    ],
    ["unknown people", { people: undefined }, /who changed the code cannot be told/],
    [
      "data that changed since",
      { facts: { ...facts, data: [{ path: "data/claims.csv", sha256: other }] } },
      /not what the run was trained on/,
    ],
    [
      "training data beside the checked one that changed since",
      {
        tags: { ...tags, "factory.data.data/more.csv": DIGEST.data },
        trainedOn: [...(good.trainedOn ?? []), { path: "data/more.csv", sha256: other }],
      },
      /data\/more\.csv is not what/,
    ],
    [
      "changed data whose path has a character that tags cannot hold",
      {
        tags: tagsOf({ ...withoutData, "factory.data.data/sch_den.csv": DIGEST.data }),
        trainedOn: [],
        facts: { ...facts, data: [{ path: "data/schäden.csv", sha256: other }] },
      },
      /not what the run was trained on/,
    ],
    [
      "changed data whose path begins with ./ in factory.yaml",
      {
        tags: tagsOf({ ...withoutData, "factory.data../data/claims.csv": DIGEST.data }),
        trainedOn: [],
        facts: { ...facts, data: [{ path: "data/claims.csv", sha256: other }] },
      },
      /not what the run was trained on/,
    ],
    [
      "a data gate on another file than training read",
      { facts: { ...facts, data: [{ path: "data/clean.csv", sha256: other }] } },
      /data gate judged data\/clean\.csv/,
    ],
    [
      "training data that the run does not name",
      { trainedOn: [...(good.trainedOn ?? []), { path: "data/more.csv", sha256: other }] },
      /was not trained on it/,
    ],
    [
      "a file that the data gate judged and a run, such as a job's, that names no data",
      { tags: tagsOf(withoutData), trainedOn: undefined },
      /does not say that it was trained on data\/claims\.csv, which the data gate judged/,
    ],
  ])("%s", (_, change, reason) => {
    expect(notRegistrable({ ...good, ...change }).join("\n")).toMatch(reason);
  });
});
