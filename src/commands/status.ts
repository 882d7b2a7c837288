import * as z from "zod";
import { auditEndpoints } from "../audit/audit-endpoints.ts";
import { lookAtRegistries } from "../audit/look.ts";
import { pendingEntries } from "../audit/pending.ts";
import { statusOf } from "../audit/status.ts";
import { defineCommand } from "../cli/command.ts";
import { LINE_OPTIONS } from "../cli/line-world.ts";
import { renderStatus, statusShape } from "../cli/status-lines.ts";
import { printHead } from "../ledger/entry.ts";
import { RESTORE } from "../ledger/open-ledger.ts";
import { findLine } from "../line/find-line.ts";
import { isPilot, LIST_IT } from "../line/line.ts";
import { misfitsOf } from "../line/misfits.ts";
import { othersServer } from "../local/others-server.ts";
import { openProject } from "../project/read-project.ts";

export const command = defineCommand({
  name: "status",
  summary: "say where every environment stands, what is open and what waits",
  description:
    "Who serves in each environment, what comes next, where a rollback would go, what is deployed, what is begun and not ended, and " +
    "which approvals stand. The ledger says it; one look at the registries and serving endpoints shows whether they agree. It judges nothing: factory verify does.",
  options: LINE_OPTIONS,
  examples: ["factory status", "factory status --policy governance/policy.yaml --project claims-triage --json"],
  input: z.object({ policy: z.string().min(1).optional(), project: z.string().min(1).optional() }),
  output: statusShape,
  async run(input, context) {
    const where = { cwd: context.cwd, policy: input.policy, project: input.project, model: undefined };
    const { line, policyFile, folder } = await findLine(where, context.clients.ledger, context.now());
    const inForce = line.view.policy;
    const open = folder === undefined || policyFile !== undefined ? undefined : openProject(folder);
    const others = open && (await othersServer(open, await context.clients.localHost()));
    if (others !== undefined)
      context.report({ type: "note", tone: "warning", text: `${others.message} → ${others.fix}` });
    const policy = inForce?.policy ?? policyFile?.policy;
    const asked = policy?.environments ?? [];
    const [looks, { findings: endpoints }] = await Promise.all([
      lookAtRegistries(asked, line.model, context.clients.registry),
      auditEndpoints(asked, line, context.clients.serving),
    ]);
    const { environments, approvals, listed, whole, cut } = statusOf(line, { looks, endpoints }, policy, context.now());
    const pilot = whole && isPilot(line);
    const problem = line.policy.known ? line.policy.value.problem : line.policy.why;
    const fix = line.policy.known ? line.policy.value.fix : line.policy.fix;
    return {
      ok: true,
      data: {
        project: line.project,
        model: line.model,
        now: context.now().toISOString(),
        pilot: listed === undefined,
        ...(pilot && { advice: LIST_IT }),
        listed: listed ?? null,
        policy: {
          inForce: inForce === undefined ? null : { version: inForce.version, digest: inForce.digest },
          file: policyFile === undefined ? null : { version: policyFile.policy.version, digest: policyFile.digest },
          // Of a pilot no command writes an entry, and onto a ledger that lacks some none may.
          next: line.first !== undefined && whole && !pilot,
          ...(problem !== undefined && { problem }),
          ...(fix !== undefined && { fix }),
        },
        ledger: {
          place: line.ledger.place,
          head: printHead(line.view.head),
          tornBytes: line.view.tornBytes,
          pending: pendingEntries(folder),
          whole,
          ...(!whole && { fix: RESTORE }),
          problems: [
            ...(cut === undefined ? [] : [cut]),
            ...line.view.problems.map((each) => each.message),
            ...misfitsOf(line).open.map(({ seq, message }) => `entry ${seq} ${message}`),
          ],
        },
        environments: environments.map(({ champion, challenger, deployed, deploying, unanswered, ...each }) => ({
          ...each,
          open: [...each.open],
          differences: [...each.differences],
          remarks: [...each.remarks],
          champion: champion ?? null,
          challenger: challenger ?? null,
          deployed: deployed ?? null,
          deploying: deploying ?? null,
          ...(unanswered !== undefined && { unanswered: unanswered.why }),
          ...(unanswered?.fix !== undefined && { fix: unanswered.fix }),
        })),
        approvals: [...approvals],
      },
    };
  },
  render: renderStatus,
});
