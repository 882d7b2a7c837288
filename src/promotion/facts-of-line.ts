import type { LineState } from "../ledger/line-state.ts";
import { anchorProblem } from "../line/anchor.ts";
import type { Line } from "../line/line.ts";
import { misfitsOf } from "../line/misfits.ts";
import type { RegistryPicture } from "../line/registry-differences.ts";
import type { Environment, Policy } from "../policy/policy.ts";
import type { ServingChampion } from "../rules/facts.ts";

/** The version in which a candidate stands in an environment, by the ledger. Pure. */
export function standingOf(state: LineState, source: Environment, digest: string, first: Environment) {
  if (source.name === first.name) {
    const body = state.registered.findLast(
      (each) => each.body.digest === digest && each.body.environment === first.name,
    )?.body;
    return body && { version: body.version, digest, createdAt: body.createdAt };
  }
  const body = state.environment(source.name).promoted.findLast((each) => each.entry.body.digest === digest)
    ?.entry.body;
  return body && { version: body.version, digest, createdAt: body.createdAt };
}

/** What does not hold in the chain, or against the anchors in the registries. Pure. */
export function ledgerProblems(line: Line, pictures: readonly RegistryPicture[]): string[] {
  return [
    ...line.view.problems.map((each) => each.message),
    ...misfitsOf(line).open.map(
      (each) => `entry ${each.seq} ${each.message} (factory verify says what to do about it)`,
    ),
    ...(line.state.project !== undefined && line.state.project !== line.project
      ? [`the chain is that of project ${line.state.project}`]
      : []),
    ...pictures.flatMap((each) => anchorProblem(each.model, each.environment, line.view.entries) ?? []),
  ];
}

/** The champion of the last environment that has one, as check looks for it. Pure. */
export function championOf(state: LineState, policy: Policy): ServingChampion | undefined {
  for (const environment of policy.environments.toReversed()) {
    const { champion } = state.environment(environment.name);
    if (champion === undefined) continue;
    const { version, digest, released } = champion;
    // Only what was decided on counts: there the commit of a registration was compared with its evidence. What was registered
    // beside it or later says nothing about the code that was released.
    const { promoted, released: releases } = state.environment(environment.name);
    const before = [...promoted, ...releases]
      .filter(({ entry }) => entry.body.digest === digest && entry.seq <= released.seq)
      .flatMap(({ started }) =>
        state.registered.filter((each) => each.body.evidence === started.body.evidence && each.seq < started.seq),
      );
    return {
      environment: environment.name,
      version,
      digest,
      commits: [...new Set(before.map((each) => each.body.commit))],
    };
  }
  return undefined;
}
