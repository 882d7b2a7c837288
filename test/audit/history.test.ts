import { describe, expect, test } from "vitest";
import { changesOf, servedAt } from "../../src/audit/history.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { chain, deployed, minutes, promoted, released, rolledback } from "./chain.ts";

/** v1 released at 10, v2 at 20, rolled back to v1 at 30; the first entry is number 1, the ledger is opened at 0. */
function story(at: { second?: number; back?: number; detectedAt?: string; effectiveAt?: string } = {}) {
  const { second = 20, back = 30, ...more } = at;
  return chain([
    ...promoted(1, 2, 5),
    ...released(1, "none", 5, 10),
    ...promoted(2, 7, 15),
    ...released(2, 1, 10, second),
    ...rolledback(2, 1, 12, 11, back, more),
  ]);
}

const served = (view: ReturnType<typeof story>["view"], minute: number) =>
  servedAt(view, ["prod"], minutes(minute)).map(({ champion, or }) => [champion?.version ?? "none", or])[0];

describe("who served at a moment", () => {
  test.each([
    [0, "none"],
    [9.99, "none"],
    [10, "1"],
    [19.99, "1"],
    [20, "2"],
    [29.99, "2"],
    [30, "1"],
    [1e6, "1"],
  ])("minute %d: v%s", (minute, version) => {
    expect(served(story().view, minute)).toEqual([version, undefined]);
  });

  test.each([
    // The rollback is dated two minutes before the release that it undoes: clocks differ.
    [17.9, "1", undefined],
    [18, "1", undefined],
    [19.99, "1", undefined],
    [20, "1", undefined],
  ])("times that run back, minute %d", (minute, version, or) => {
    expect(served(story({ second: 20, back: 18 }).view, minute)).toEqual([version, or]);
  });

  test("times that run back where the answer depends on it: both are named", () => {
    // v1 is released at 12 and v2, after it, at 10.
    const { view } = chain([
      ...promoted(1, 2, 5),
      ...promoted(2, 5, 6),
      ...released(1, "none", 8, 12),
      ...released(2, 1, 10, 10),
    ]);
    expect(view.problems).toEqual([]);
    expect(served(view, 9)).toEqual(["none", undefined]);
    expect(served(view, 11)).toEqual(["none", "2"]);
    expect(served(view, 12)).toEqual(["2", undefined]);
  });

  test("a rollback without a reachable ledger counts from the moment at which the alias was moved", () => {
    const { view } = story({ back: 60, effectiveAt: minutes(30).toISOString() });
    expect(served(view, 29.99)).toEqual(["2", undefined]);
    expect(served(view, 30)).toEqual(["1", undefined]);
    expect(changesOf(view)[0]).toMatchObject({ at: minutes(30).toISOString() });
  });

  test("a withdrawn first release leaves nothing", () => {
    const { view } = chain([...promoted(1, 2, 5), ...released(1, "none", 5, 10), ...rolledback(1, "none", 7, 6, 20)]);
    expect(served(view, 15)).toEqual(["1", undefined]);
    expect(served(view, 20)).toEqual(["none", undefined]);
    expect(changesOf(view)[0]).toMatchObject({ kind: "rolledback", to: undefined, from: { version: "1" } });
  });

  test("an environment of which the chain says nothing, and an empty chain", () => {
    expect(servedAt(story().view, ["dev"], minutes(99))).toMatchObject([
      { name: "dev.claims.triage", champion: undefined },
    ]);
    expect(servedAt(chain([]).view, ["prod"], minutes(99))).toMatchObject([{ champion: undefined, or: undefined }]);
  });

  test("after a rollback it names the release of the version that serves again", () => {
    const [then] = servedAt(story().view, ["prod"], minutes(40));
    expect(then).toMatchObject({
      name: "prod.claims.triage",
      champion: { version: "1", since: { seq: 13 } },
      release: {
        seq: 6,
        version: "1",
        number: "1",
        ticket: "CHG-1",
        evidence: sha256("evidence 1"),
        bundles: [sha256("promotion 1"), sha256("release 1")],
      },
    });
  });
});

describe("changes", () => {
  test("newest first by their place in the chain, even when times run back", () => {
    expect(changesOf(story({ second: 20, back: 18 }).view).map(({ seq, kind }) => [seq, kind])).toEqual([
      [13, "rolledback"],
      [11, "released"],
      [6, "released"],
    ]);
  });

  test("a rollback and the release that it undoes name each other", () => {
    const [back, second, first] = changesOf(story({ detectedAt: minutes(27).toISOString() }).view);
    expect(back).toMatchObject({ undoes: 11, detectedToRestoredMs: 180_000, reason: "escalations doubled" });
    expect(second).toMatchObject({ undoneBy: { seq: 13, at: minutes(30).toISOString() } });
    expect(first).toMatchObject({ undoneBy: undefined });
  });

  test("when it was not stated when it was seen, no time is made up", () => {
    expect(changesOf(story().view)[0]).toMatchObject({ detectedAt: undefined, detectedToRestoredMs: undefined });
  });

  test("deployments stand among them, by whom, where and under which ticket; one without an end does not", () => {
    const { view } = chain([
      ...promoted(1, 2, 5),
      ...deployed(1, 5, 6),
      ...released(1, "none", 7, 10),
      ...deployed(1, 9, 12, false),
    ]);
    expect(view.problems).toEqual([]);
    const changes = changesOf(view, "prod");
    expect(changes.map(({ seq, kind }) => [seq, kind])).toEqual([
      [8, "released"],
      [6, "deployed"],
    ]);
    expect(changes[1]).toEqual({
      kind: "deployed",
      seq: 6,
      at: minutes(6).toISOString(),
      by: "ci@example.com",
      environment: "prod",
      name: "prod.claims.triage",
      deployment: {
        version: "1",
        digest: sha256("model 1"),
        number: "1",
        workspace: "https://adb-1.azuredatabricks.net",
        tool: "databricks 1.13.0",
        files: sha256("files 1"),
        ticket: "CHG-1",
        approvals: [],
      },
    });
    expect(changesOf(view, "dev")).toEqual([]);
  });

  test("of one environment", () => {
    expect(changesOf(story().view, "dev")).toEqual([]);
    expect(changesOf(story().view, "prod")).toHaveLength(3);
  });
});
