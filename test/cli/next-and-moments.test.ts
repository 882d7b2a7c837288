import { expect, test } from "vitest";
import { renderHistory } from "../../src/cli/history-lines.ts";
import { makeStyle } from "../../src/cli/style.ts";
import { command as check } from "../../src/commands/check.ts";

const style = makeStyle(false, 100);

test.each([
  ["candidate", "pass", [], true],
  ["candidate", "pass", ["the tree was dirty"], false],
  ["candidate", "fail", [], false],
  ["project", "pass", [], false],
])("a check of a %s that is a %s, not registrable for %j: register is next %s", (subject, verdict, reasons, next) => {
  const report = { project: "p", subject, verdict, run: "0123456789", gates: [], notRegistrable: reasons };
  expect(check.render(check.output.parse(report), style).endsWith("\n  next: factory register")).toBe(next);
});

test("history --at tells seconds of the moment, of the release, and since when it serves again", () => {
  const shown = renderHistory(
    {
      project: "p",
      model: "claims.triage",
      at: "2026-11-25T15:10:58.120Z",
      means: "which moment that is",
      served: [
        {
          environment: "prod",
          name: "prod.claims.triage",
          champion: {
            version: "1",
            digest: "0".repeat(64),
            createdAt: 1,
            since: { seq: 9, at: "2026-11-25T15:10:41.000Z" },
          },
          release: {
            seq: 5,
            at: "2026-11-25T15:10:07.900Z",
            by: "ci@example.com",
            version: "1",
            digest: "0".repeat(64),
            approvals: [],
            evidence: "0".repeat(64),
            bundles: [],
          },
        },
      ],
    },
    style,
  );
  expect(shown).toContain("at 2026-11-25 15:10:58 UTC\n! which moment that is\n");
  expect(shown).toContain("released by ci@example.com 2026-11-25 15:10:07, again since 2026-11-25 15:10:41 (rollback)");
});
