import type { Entry } from "../ledger/entry.ts";
import { type RegistryPicture, recordedVersions } from "../line/registry-differences.ts";
import type { Policy } from "../policy/policy.ts";
import { type ApprovedLine, isCovered } from "../promotion/deployment-approval.ts";
import type { DeploymentApprovals } from "../registry/deployment.ts";
import type { Finding } from "./finding.ts";
import { firstNumberOf } from "./history.ts";

/** A version that a deployment job takes for approved, and the ledger does not. */
export interface ForeignApproval {
  message: string;
  fix: string;
}

/**
 * Approvals of deployment jobs that were given in the workspace, and rest on none of the ledger. Only where a job is connected do the
 * tags mean anything; in the first environment nobody is asked to approve. Pure.
 */
export function foreignApprovals(
  { environment, isFirst, model, versions }: RegistryPicture,
  deployments: Pick<DeploymentApprovals, "approved"> | undefined,
  line: ApprovedLine & { entries: readonly Entry[] },
  policy: Policy,
): ForeignApproval[] {
  if (isFirst || model?.deploymentJob === undefined || deployments === undefined) return [];
  const recorded = recordedVersions(line.state, environment);
  return versions.flatMap(({ version, createdAt, tags }) => {
    const keys = deployments.approved(tags);
    if (keys.length === 0 || isCovered(line, policy, environment, { version, createdAt })) return [];
    const digest = recorded.find((each) => each.version === version && each.createdAt === createdAt)?.digest;
    const number = digest === undefined ? undefined : firstNumberOf(line.state, digest);
    const tag = keys.length === 1 ? "the tag" : "the tags";
    return [
      {
        message: `${environment} v${version} is approved in the workspace (${keys.join(", ")}), and no approval of the ledger counts for it`,
        fix: `${number === undefined ? "" : `factory approve ${number} --to ${environment}; or `}take ${tag} away there, and look at what its deployment job did: it never counts for promote or release`,
      },
    ];
  });
}

/** The same as findings of `verify`. Pure. */
export function deploymentFindings(...asked: Parameters<typeof foreignApprovals>): Finding[] {
  const { environment } = asked[0];
  return foreignApprovals(...asked).map((each) => ({ part: "registry", verdict: "no", environment, ...each }));
}
