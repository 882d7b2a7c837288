import type { Policy, WorkspaceAddress } from "../policy/policy.ts";

/** A Databricks workspace of the policy, as a template sees it. */
export interface TemplateWorkspace {
  profile: string;
  /** Empty where the policy does not pin it, or pins what is no plain address. */
  host: string;
  /** The profile's name as the end of a variable's: `ACME_PROD`. */
  variable: string;
}

/** A template puts it into files that others run: nothing that means more than an address there. */
const PLAIN = /^https?:\/\/[A-Za-z0-9.:-]+$/;

/** The workspaces that a policy names, for environments and ledger, each profile once; empty without any. Pure. */
export function workspacesOf(policy: Policy | undefined): TemplateWorkspace[] {
  if (policy === undefined) return [];
  const { environments, ledger } = policy;
  const addresses: WorkspaceAddress[] = [
    ...environments.flatMap(({ registry }) => (registry.kind === "mlflow" ? [] : [registry])),
    ...(ledger.kind === "delta" ? [ledger] : []),
  ];
  return [...new Set(addresses.map(({ profile }) => profile))].map((profile) => ({
    profile,
    host: addresses.find((each) => each.profile === profile && PLAIN.test(each.host ?? ""))?.host ?? "",
    variable: profile.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_"),
  }));
}
