import type { EntryKind } from "../ledger/entry.ts";
import type { Line } from "../line/line.ts";
import type { Finding } from "./finding.ts";

/** Entries after which a registry or an endpoint of their environment may be otherwise. */
const MOVING: readonly EntryKind[] = [
  "registered",
  "promotion.started",
  "promoted",
  "release.started",
  "released",
  "rollback.started",
  "rolledback",
  "abandoned",
];

/**
 * What differs from the ledger, unless the ledger says since it was read that somebody moves something in that environment: then what was
 * seen may be what has just been recorded, and whether it differs cannot be told. Never makes anything good.
 */
export async function unlessMoved(
  findings: readonly Finding[],
  line: Pick<Line, "ledger" | "view">,
): Promise<Finding[]> {
  if (!findings.some((each) => each.verdict === "no")) return [...findings];
  const { head, entries } = await line.ledger.view();
  const moved = new Set(
    entries
      .slice(line.view.head.seq)
      .flatMap(({ kind, body }) => (MOVING.includes(kind) && "environment" in body ? [body.environment] : [])),
  );
  const mayBeOld = ({ verdict, environment }: Finding): boolean =>
    verdict === "no" && environment !== undefined && moved.has(environment);
  if (!findings.some(mayBeOld)) return [...findings];
  const told: Finding = {
    part: "registry",
    verdict: "cannot tell",
    message: `the ledger went on from entry ${line.view.head.seq} to ${head.seq} while the registries were asked`,
    fix: "run it again once nobody promotes, releases or rolls back",
  };
  return [told, ...findings.map((each) => (mayBeOld(each) ? { ...each, verdict: "cannot tell" as const } : each))];
}
