import { randomBytes, randomUUID } from "node:crypto";
import { defineSection, type State } from "./state.ts";

/** A user, or a service principal, whose `name` is its application id. */
export interface Principal {
  /** Numeric id of SCIM, as a string. */
  id: string;
  kind: "user" | "service-principal";
  /** What grants name: the address of a user, the application id of a service principal. */
  name: string;
  displayName: string;
  groups: string[];
  /** Workspace admin, and admin of the metastore: may do everything, as the one who sets a workspace up. */
  admin: boolean;
}

export interface PrincipalOptions {
  /** The address of a user, or the display name of a service principal. */
  name: string;
  /** Default: a user if the name holds `@`, else a service principal. */
  kind?: Principal["kind"];
  /** Application id of a service principal; default: a new one. */
  applicationId?: string;
  groups?: string[];
  admin?: boolean;
  /** Personal access token; default: a new one. */
  token?: string;
  /** Client secret of a service principal; default: a new one. */
  clientSecret?: string;
}

/** A principal with what it signs in with. */
export interface Identity extends Principal {
  /** A personal access token. */
  token: string;
  /** Of service principals: for the client credentials flow. */
  clientId?: string;
  clientSecret?: string;
}

export interface TokenRecord {
  principal: string;
  kind: "pat" | "oauth" | "azure";
  /** Milliseconds since 1970; undefined: never. */
  expires?: number;
  created: number;
}

/** What an issuer's token must say to be exchanged for one of the workspace. */
export interface FederationPolicy {
  issuer: string;
  audiences: string[];
  /** Exact, case included. Set on the policy of a service principal, absent on one of the account. */
  subject?: string;
  subjectClaim?: string;
  /** Name (application id) of the service principal; absent: a policy of the account. */
  servicePrincipal?: string;
}

const noPolicies: readonly FederationPolicy[] = [];

export const identities = defineSection("identities", () => ({
  principals: new Map<string, Principal>(),
  tokens: new Map<string, TokenRecord>(),
  /** Client id → secrets that hold. */
  secrets: new Map<string, { secret: string; expires?: number }[]>(),
  policies: [...noPolicies],
  /** How long a token of the token endpoint lives. */
  tokenSeconds: 3600,
  accountId: randomUUID(),
  nextId: 1_000_000_000_000_001,
}));

export const ANONYMOUS: Principal = {
  id: "0",
  kind: "user",
  name: "anonymous",
  displayName: "anonymous",
  groups: [],
  admin: false,
};

/** Makes a principal known, with a token and, for a service principal, a client secret. */
export function addPrincipal(state: State, options: PrincipalOptions, now: number): Identity {
  const known = identities.of(state);
  const kind = options.kind ?? (options.name.includes("@") ? "user" : "service-principal");
  const principal: Principal = {
    id: "",
    kind,
    name: kind === "user" ? options.name : (options.applicationId ?? randomUUID()),
    displayName: options.name,
    groups: options.groups ?? [],
    admin: options.admin ?? false,
  };
  // Known already when a state is gone on with.
  principal.id = known.principals.get(principal.name)?.id ?? String(known.nextId++);
  known.principals.set(principal.name, principal);
  const token = options.token ?? newToken();
  known.tokens.set(token, { principal: principal.name, kind: "pat", created: now });
  if (kind === "user") return { ...principal, token };
  const clientSecret = options.clientSecret ?? `dose${randomBytes(16).toString("hex")}`;
  known.secrets.set(principal.name, [{ secret: clientSecret }]);
  return { ...principal, token, clientId: principal.name, clientSecret };
}

/** A personal access token in the shape that scanners for secrets know. */
export const newToken = (): string => `dapi${randomBytes(16).toString("hex")}`;

/** By name, application id or, for service principals, display name; for options of tests. */
export function principalNamed(state: State, name: string): Principal | undefined {
  const { principals } = identities.of(state);
  return principals.get(name) ?? [...principals.values()].find((each) => each.displayName === name);
}

/** Every name by which grants reach a principal: itself, its groups and everybody. */
export const grantNames = (principal: Principal): readonly string[] => [
  principal.name,
  ...principal.groups,
  "account users",
];

/** Groups exist by having members. */
export const groupNames = (state: State): ReadonlySet<string> =>
  new Set([...identities.of(state).principals.values()].flatMap((each) => each.groups));
