import { describe, expect, test } from "vitest";
import { makeStyle } from "../../src/cli/style.ts";
import { command as approve } from "../../src/commands/approve.ts";
import { command as promote } from "../../src/commands/promote.ts";
import { command as release } from "../../src/commands/release.ts";
import { command as rollback } from "../../src/commands/rollback.ts";

const style = makeStyle(false, 100);
const DIGEST = "0".repeat(64);
const CANDIDATE = { model: "claims.triage", number: "7", digest: DIGEST, evidence: DIGEST, verdicts: [] };
const promotion = (more: object) =>
  promote.render(
    promote.output.parse({
      ...CANDIDATE,
      outcome: "planned",
      from: { environment: "test", version: "3" },
      to: { environment: "prod", name: "prod.claims.triage" },
      ...more,
    }),
    style,
  );
const approval = (more: object) =>
  approve.render(
    approve.output.parse({ ...CANDIDATE, outcome: "approved", environment: "prod", gates: [], authors: [], ...more }),
    style,
  );
const releasing = (more: object) =>
  release.render(
    release.output.parse({
      ...CANDIDATE,
      outcome: "planned",
      environment: "prod",
      name: "prod.claims.triage",
      version: "2",
      strategy: "direct",
      rollback: null,
      ...more,
    }),
    style,
  );

describe("where the version that served was rolled back", () => {
  const gone = { version: "1", at: "2026-11-25T15:10:40.000Z" };
  const told = "v1 was rolled back on 2026-11-25 15:10 UTC";

  test("an approver is told, beside whether the rules are those of its release", () => {
    const rulesSince = { version: "1", same: true };
    expect(approval({ gone, rulesSince })).toContain(`(unchanged since v1; none serves: ${told})`);
    expect(approval({ gone, rulesSince: { ...rulesSince, same: false } })).toContain(
      `(changed since v1 was released; none serves: ${told})`,
    );
    expect(approval({ rulesSince })).toContain("(unchanged since v1)");
    expect(approval({})).toContain("(nothing was released here before)");
  });

  test("a promotion does not say that nothing serves yet", () => {
    expect(promotion({ gone })).toContain(`champion  none serves: ${told}`);
    const done = { outcome: "promoted", to: { environment: "prod", name: "prod.claims.triage", version: "2" } };
    expect(promotion({ gone, ...done })).toContain(`challenger → v2   none serves: ${told}`);
    expect(promotion(done)).toContain("challenger → v2   nothing serves yet");
  });

  test("a release is not called the first", () => {
    expect(releasing({ gone })).toContain(`champion  none (${told}) → v2`);
    expect(releasing({ gone })).toContain(`rollback  none: ${told}`);
    expect(releasing({ gone, outcome: "released" })).toContain(`rollback target: none: ${told}`);
    expect(releasing({})).toContain("rollback  none: first release");
    // Of one that serves already nobody looks up what was before it.
    expect(releasing({ outcome: "released", again: true })).toMatch(/rollback target: none$/);
  });
});

test.each([
  [
    { would: { version: true, alias: true, entries: 2 } },
    "would promote: 1 version, 1 alias, evidence and bundle, 2 ledger entries",
  ],
  [
    { would: { version: false, alias: true, entries: 3 } },
    "would promote: 1 alias, evidence and bundle, 3 ledger entries",
  ],
  [{ would: { version: false, alias: false, entries: 2 } }, "would promote: evidence and bundle, 2 ledger entries"],
  [
    { would: { version: true, alias: true, entries: 1, begun: 6 } },
    "would carry on what ledger entry 6 began: 1 version, 1 alias, evidence and bundle, 1 ledger entry",
  ],
  [{ already: true, entry: 4 }, "promoted before, ledger entry 4: nothing is left to do"],
])("a dry run tells what the promotion would write: %j", (more, text) => {
  expect(promotion(more)).toContain(`✔ ${text}. Nothing was written.`);
});

test("a command that came to nothing does not hide that a rollback that waited was written", () => {
  const but = "Nothing was written but the rollback that waited: ledger entries 27, 28.";
  for (const render of [promotion, releasing])
    for (const outcome of ["refused", "cannot tell"]) {
      expect(render({ outcome, recorded: [27, 28] })).toContain(but);
      expect(render({ outcome })).toContain("Nothing was written.");
    }
  const back = { outcome: "refused", model: "claims.triage", environment: "prod", reason: "it is down", verdicts: [] };
  expect(rollback.render(rollback.output.parse({ ...back, recorded: [27, 28] }), style)).toContain(but);
});
