import { expect, test } from "vitest";
import { makeStyle } from "../../src/cli/style.ts";
import { command as approve } from "../../src/commands/approve.ts";
import { command } from "../../src/commands/promote.ts";

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
