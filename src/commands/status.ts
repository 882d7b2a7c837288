import * as z from "zod";
import { lookAtRegistries } from "../audit/look.ts";
import { pendingEntries } from "../audit/pending.ts";
import { statusOf } from "../audit/status.ts";
import { defineCommand } from "../cli/command.ts";
import { LINE_OPTIONS } from "../cli/line-world.ts";
import { renderStatus, statusShape } from "../cli/status-lines.ts";
import { printHead } from "../ledger/entry.ts";
import { findLine } from "../promotion/find-line.ts";

export const command = defineCommand({
  name: "status",
  summary: "say where every environment stands, what is open and what waits",
  description:
    "Who serves in each environment, what comes next, where a rollback would go, what is deployed, what is begun and not ended, and " +
    "which approvals stand. The ledger says it; one look at the registries shows whether they agree. It judges nothing: factory verify does.",
  options: LINE_OPTIONS,
  examples: ["factory status", "factory status --policy governance/policy.yaml --project claims-triage --json"],
  input: z.object({ policy: z.string().min(1).optional(), project: z.string().min(1).optional() }),
  output: statusShape,
  async run(input, context) {
    const where = { cwd: context.cwd, policy: input.policy, project: input.project, model: undefined };
    const { line, policyFile, folder } = await findLine(where, context.clients.ledger, context.now());
    const inForce = line.view.policy;
    const policy = inForce?.policy ?? policyFile?.policy;
    const looks = await lookAtRegistries(policy?.environments ?? [], line.model, context.clients.registry);
    const { environments, approvals, listed } = statusOf(line, looks, policy, context.now());
    const problem = line.policy.known ? line.policy.value.problem : line.policy.why;
    const fix = line.policy.known ? line.policy.value.fix : line.policy.fix;
    return {
      ok: true,
      data: {
        project: line.project,
        model: line.model,
        now: context.now().toISOString(),
        pilot: listed === undefined,
        listed: listed ?? null,
        policy: {
          inForce: inForce === undefined ? null : { version: inForce.version, digest: inForce.digest },
          file: policyFile === undefined ? null : { version: policyFile.policy.version, digest: policyFile.digest },
          next: line.first !== undefined,
          ...(problem !== undefined && { problem }),
          ...(fix !== undefined && { fix }),
        },
        ledger: {
          place: line.ledger.place,
          head: printHead(line.view.head),
          tornBytes: line.view.tornBytes,
          pending: pendingEntries(folder),
          problems: [
            ...line.view.problems.map((each) => each.message),
            ...line.state.problems.map(({ seq, message }) => `entry ${seq} ${message}`),
          ],
        },
        environments: environments.map(({ champion, challenger, deployed, deploying, unanswered, ...each }) => ({
          ...each,
          open: [...each.open],
          differences: [...each.differences],
          champion: champion ?? null,
          challenger: challenger ?? null,
          deployed: deployed ?? null,
          deploying: deploying ?? null,
          ...(unanswered !== undefined && { unanswered }),
        })),
        approvals: [...approvals],
      },
    };
  },
  render: renderStatus,
});
