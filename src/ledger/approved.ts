import * as z from "zod";
import { parseCanonicalJson } from "../lib/canonical-json.ts";
import type { Envelope } from "../lib/dsse.ts";
import { subjectSchema } from "../lib/in-toto.ts";
import { listingIn } from "../policy/listing.ts";
import { membersOf } from "../policy/members.ts";
import type { Policy } from "../policy/policy.ts";
import { stageOf } from "../policy/stage-of.ts";
import type { EntryOf, EnvironmentState, LineState } from "./line-state.ts";

/** What a chain alone can ask of an approval: about which bytes and evidence, for what, and in which role. */
const approval = z.object({
  subject: z.tuple([subjectSchema, subjectSchema]),
  predicate: z.object({ environment: z.string(), role: z.string() }),
});

/**
 * Why a release rests on fewer approvals than the policy of its start asked for, as far as the chain before it tells; undefined when it
 * does not. Who wrote the code, the evidence says: that, and all other rules, an audit decides again. Pure.
 */
export function approvalProblem(
  { seq, body }: EntryOf<"release.started">,
  { approvals }: Pick<LineState, "approvals">,
  { rolledback }: Pick<EnvironmentState, "rolledback">,
  policy: Policy,
  project: string,
): string | undefined {
  const undone = Math.max(
    0,
    ...rolledback.flatMap(({ entry }) => (entry.seq < seq && entry.body.digest === body.digest ? [entry.seq] : [])),
  );
  const counting = approvals.filter(
    ({ entry, withdrawn }) =>
      body.approvals.includes(entry.hash) &&
      entry.seq > undone &&
      entry.seq < seq &&
      !(withdrawn !== undefined && withdrawn.seq < seq),
  );
  const tier = listingIn(policy, project)?.riskTier ?? "";
  const missing = stageOf(policy, tier, body.environment).approvals?.find(({ role, count }) => {
    const members = membersOf(policy, role, project);
    const by = counting.flatMap(({ entry }) => (isAbout(entry.body.envelope, body, role) ? [entry.by] : []));
    return new Set(by.filter((each) => members.includes(each))).size < count;
  });
  return missing && `releases v${body.version} without the approvals of role ${missing.role} that the policy asked for`;
}

function isAbout(
  { payload }: Envelope,
  { digest, evidence, environment }: EntryOf<"release.started">["body"],
  role: string,
): boolean {
  const read = approval.safeParse(parseCanonicalJson(Buffer.from(payload, "base64").toString("utf8")));
  if (!read.success) return false;
  const { subject, predicate } = read.data;
  const digests = subject.map((each) => each.digest.sha256).join();
  return digests === `${digest},${evidence}` && predicate.environment === environment && predicate.role === role;
}
