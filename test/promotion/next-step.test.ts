import { expect, test } from "vitest";
import { parseFlags } from "../../src/cli/flags.ts";
import { namedData } from "../../src/cli/line-world.ts";
import { makeStyle } from "../../src/cli/style.ts";
import { command as approve } from "../../src/commands/approve.ts";
import { command } from "../../src/commands/promote.ts";
import { command as release } from "../../src/commands/release.ts";
import { command as rollback } from "../../src/commands/rollback.ts";
import { commandWords } from "../../src/project/project.ts";

const after = (more: object): string | undefined =>
  command
    .render(
      command.output.parse({
        outcome: "promoted",
        model: "claims.triage",
        digest: "0".repeat(64),
        from: { environment: "dev", version: "7" },
        to: { environment: "test", name: "test.claims.triage", version: "3" },
        number: "7",
        verdicts: [],
        entry: 4,
        ...more,
      }),
      makeStyle(false, 100),
    )
    .split("\n")
    .find((line) => line.includes("next:"))
    ?.trim();

test.each([
  [{}, "next: factory release 7 --env test"],
  [
    { next: "prod", nextAsks: { approvals: false, ticket: false } },
    "next: factory release 7 --env test, or factory promote 7 --to prod",
  ],
  [
    { next: "prod", nextAsks: { approvals: true, ticket: false } },
    "next: factory release 7 --env test, or factory approve 7 --to prod",
  ],
  [
    { next: "prod", nextAsks: { approvals: true, ticket: true } },
    "next: factory release 7 --env test, or factory approve 7 --to prod --ticket ID",
  ],
  [
    { champion: "3", next: "prod", nextAsks: { approvals: true, ticket: true } },
    "next: factory approve 7 --to prod --ticket ID",
  ],
  [{ champion: "3" }, undefined],
  // Whoever is in no project's folder named it by flags, and needs them for the next command too.
  [
    { named: "--policy ../gov/policy.yaml --project a", next: "prod", nextAsks: { approvals: false, ticket: false } },
    "next: factory release 7 --env test --policy ../gov/policy.yaml --project a, or factory promote 7 --to prod --policy ../gov/policy.yaml --project a",
  ],
])("%j", (more, line) => {
  expect(after(more)).toBe(line);
});

const afterApproval = (more: object): string | undefined =>
  approve
    .render(
      approve.output.parse({
        outcome: "approved",
        model: "claims.triage",
        number: "7",
        environment: "prod",
        digest: "0".repeat(64),
        evidence: "1".repeat(64),
        gates: [],
        authors: [],
        verdicts: [],
        ...more,
      }),
      makeStyle(false, 100),
    )
    .split("\n")
    .find((line) => line.includes("next:"))
    ?.trim();

test.each([
  [{ next: { step: "promote", roles: [] } }, "next: factory promote 7 --to prod"],
  [{ next: { step: "promote", roles: [] }, ticket: "CHG-1001" }, "next: factory promote 7 --to prod --ticket CHG-1001"],
  [{ next: { step: "release", roles: [] }, ticket: "CHG-1001" }, "next: factory release 7 --env prod"],
  [
    { next: { step: "approve", roles: ["compliance"] }, ticket: "CHG-1001" },
    "next: someone of role compliance approves too: factory approve 7 --to prod --ticket CHG-1001",
  ],
])("after an approval: %j", (more, line) => {
  expect(afterApproval(more)).toBe(line);
});

const released = {
  outcome: "released",
  model: "claims.triage",
  number: "7",
  environment: "prod",
  name: "prod.claims.triage",
  version: "3",
  digest: "0".repeat(64),
  evidence: "1".repeat(64),
  strategy: "direct",
  rollback: null,
  verdicts: [],
  entry: 9,
};
const afterRelease = (more: object): string =>
  release.render(release.output.parse({ ...released, ...more }), makeStyle(false, 100));

test("the way back that a release prints can be typed as it stands", () => {
  const typed = commandWords(/to go back: (.*)/.exec(afterRelease({}))?.[1] ?? "");
  expect(typed.slice(0, 2)).toEqual(["factory", "rollback"]);
  const parsed = parseFlags(rollback, typed.slice(2));
  expect(rollback.input.safeParse(parsed.kind === "help" ? {} : parsed.raw)).toMatchObject({ success: true });
});

test("the way back that a release prints holds the flags that named the line", () => {
  expect(afterRelease(namedData({ policy: "../my gov/policy.yaml", project: "a" }))).toContain(
    `factory rollback --env prod --reason "WHY" --policy '../my gov/policy.yaml' --project a`,
  );
});
