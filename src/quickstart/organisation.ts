import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { outsideError } from "../lib/error.ts";
import { starterPolicy } from "../policy/starter-policy.ts";
import { APPROVER, AUTHOR } from "./people.ts";
import type { Scene } from "./scene.ts";
import { PROJECT, type Stage, TICKETS } from "./stage.ts";
import { type Program, runFactory } from "./step.ts";
import type { StoryStep } from "./story.ts";

const key = z.object({ line: z.string(), keyId: z.string() });

/**
 * Two people with a key each, a policy that lists them, signed by its owner, and a register of tickets. The author may approve
 * by role, so that what refuses them later is that the change is their own.
 */
export async function makeOrganisation(stage: Stage, place: Scene["policy"]): Promise<StoryStep> {
  const { folder, author, approver } = stage;
  for (const person of [AUTHOR, APPROVER]) mkdirSync(join(folder, person.home), { recursive: true, mode: 0o700 });
  const keyOf = (program: Program, address: string) =>
    runFactory(program, `a key for ${address}`, ["keys", "new", address], folder, key);
  const keys = await Promise.all([keyOf(author, AUTHOR.address), keyOf(approver, APPROVER.address)]);
  writeFileSync(
    join(folder, "policy.yaml"),
    policyText(
      place,
      keys.map((each) => each.data.line),
    ),
  );
  writeFileSync(join(folder, "tickets.yaml"), ticketsText());
  const signed = await runFactory(
    approver,
    "signing the policy",
    ["policy", "sign"],
    folder,
    z.object({ version: z.int(), owner: z.string().optional(), missing: z.int().optional() }),
  );
  if (!signed.ok || signed.data.missing !== 0)
    throw outsideError("quickstart.policy", "the policy could not be signed by its owner");
  return {
    name: "keys and policy",
    outcome: "done",
    what: `${keys.length} people with a key each; policy v${signed.data.version} signed by ${signed.data.owner}`,
    commands: [...keys, signed].map((each) => each.command),
    durationMs: Math.max(...keys.map((each) => each.durationMs)) + signed.durationMs,
  };
}

function policyText(place: Scene["policy"], people: readonly string[]): string {
  return starterPolicy({
    organisation: "Example Mutual",
    ...place,
    projects: { [PROJECT]: { productLine: "claims", riskTier: "medium", owner: AUTHOR.address } },
    people,
    roles: { "policy-owner": [APPROVER.address], "model-risk": [AUTHOR.address, APPROVER.address] },
  });
}

function ticketsText(): string {
  const [first, second] = TICKETS;
  return `# yaml-language-server: $schema=./.factory/schemas/tickets.schema.json
# Change tickets, for an organisation that has no system for them. Each is good for one candidate in one environment.
factory: 1
tickets:
  ${first}: { state: approved, project: ${PROJECT}, environment: prod, summary: first model }
  ${second}: { state: approved, project: ${PROJECT}, environment: prod, summary: more and smaller trees }
`;
}
