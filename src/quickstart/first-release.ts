import * as z from "zod";
import { decided, demandRefusal, demandSame, demandYes } from "./answers.ts";
import { APPROVER, AUTHOR } from "./people.ts";
import { MODEL, type Stage, TICKETS } from "./stage.ts";
import { type Program, runFactory, type StepResult } from "./step.ts";
import type { StoryStep } from "./story.ts";

const registered = decided.extend({
  name: z.string().default(""),
  version: z.string().default(""),
  digest: z.string().default(""),
  evidence: z.string(),
});
const promoted = decided.extend({
  digest: z.string().optional(),
  evidence: z.string().optional(),
  to: z.object({ name: z.string(), version: z.string().optional() }),
  verdicts: decided.shape.verdicts,
});
const released = decided.extend({ version: z.string(), digest: z.string(), before: z.string().optional() });

export interface Registered {
  name: string;
  /** Number in the first environment. */
  number: string;
  digest: string;
  evidence: string;
  command: string;
  durationMs: number;
}

/** Brings the latest evidence's model into the first environment. */
export async function registerModel({ author, project }: Stage): Promise<Registered> {
  const result = await runFactory(author, "registering", ["register"], project, registered);
  const { name, version, digest, evidence } = demandYes(result);
  return { name, number: version, digest, evidence, command: result.command, durationMs: result.durationMs };
}

export const promote = (by: Program, stage: Stage, number: string, to: string, ...more: string[]) =>
  runFactory(by, `promoting ${number} to ${to}`, ["promote", number, "--to", to, ...more], stage.project, promoted);

export const approve = (by: Program, stage: Stage, number: string, ticket: string) =>
  runFactory(
    by,
    `approving ${number}`,
    ["approve", `${MODEL}/${number}`, "--to", "prod", "--ticket", ticket, "--yes"],
    stage.project,
    decided,
  );

export const release = (by: Program, stage: Stage, number: string) =>
  runFactory(by, `releasing ${number}`, ["release", number, "--env", "prod"], stage.project, released);

/** From the first environment to the champion of the last one, with the two refusals on the way. */
export async function releaseFirst(stage: Stage, first: Registered): Promise<StoryStep[]> {
  const { author, approver } = stage;
  const { number, digest } = first;
  const [ticket] = TICKETS;
  const inTest = await promote(author, stage, number, "test");
  demandSame("the digests in dev and test", [digest, demandYes(inTest).digest]);

  const own = await approve(author, stage, number, ticket);
  const ownWork = demandRefusal(own, "approver").replace(/: somebody else must approve$/, "");
  const early = await promote(author, stage, number, "prod", "--ticket", ticket);
  const noApproval = demandRefusal(early, "approvals");

  const signed = await approve(approver, stage, number, ticket);
  demandYes(signed);
  const inProd = await promote(author, stage, number, "prod", "--ticket", ticket);
  const live = await release(author, stage, number);
  const champion = demandYes(live).version;
  demandSame("the digests in dev, test and prod", [digest, demandYes(inProd).digest, live.data.digest]);
  return [
    step("promote → test", AUTHOR, `same bytes, sha256:${digest.slice(0, 12)}…`, inTest),
    { ...step("approve", AUTHOR, ownWork, own), outcome: "refused" },
    { ...step("promote → prod", AUTHOR, `approvals ${noApproval}`, early), outcome: "refused" },
    step(
      "approve",
      APPROVER,
      `${APPROVER.address}, over evidence sha256:${first.evidence.slice(0, 12)}…, ${ticket}`,
      signed,
    ),
    step("promote → prod, release", AUTHOR, `champion: v${champion}, the same bytes`, inProd, live),
  ];
}

/** A line of the story, done by a person with these commands. */
export function step(
  name: string,
  by: { address: string },
  what: string,
  ...ran: readonly Pick<StepResult<unknown>, "command" | "durationMs">[]
): StoryStep {
  return {
    name,
    outcome: "done",
    what,
    by: by.address,
    commands: ran.map((each) => each.command),
    durationMs: ran.reduce((sum, each) => sum + each.durationMs, 0),
  };
}
