import type { IncomingHttpHeaders } from "node:http";
import { identities, type Principal } from "./principals.ts";
import { type Refusal, refuse } from "./route.ts";
import type { State } from "./state.ts";

/**
 * Who asks, by the bearer token. Without one: 401. A wrong one: 403 with a number as the code (recorded, reference 1.6).
 * An expired personal token is as wrong as an unknown one; an expired OAuth token is 401 (general knowledge: reference 1.6 lists 401 UNAUTHENTICATED).
 */
export function authenticate(headers: IncomingHttpHeaders, state: State, now: number, requestId: string): Principal {
  const token = tokenOf(headers);
  if (token === undefined)
    throw refuse(401, 401, `Credential was not sent or was of an unsupported type for this API. [ReqId: ${requestId}]`);
  const { tokens, principals } = identities.of(state);
  const record = tokens.get(token);
  if (record === undefined) throw invalid(requestId);
  if (record.expires !== undefined && record.expires <= now) {
    if (record.kind === "pat") throw invalid(requestId);
    throw refuse(401, "UNAUTHENTICATED", `Token is expired. [ReqId: ${requestId}]`);
  }
  const principal = principals.get(record.principal);
  if (principal === undefined) throw invalid(requestId);
  return principal;
}

export const tokenOf = (headers: IncomingHttpHeaders): string | undefined =>
  /^Bearer (\S+)$/i.exec(headers.authorization ?? "")?.[1];

const invalid = (requestId: string): Refusal => refuse(403, 403, `Invalid access token. [ReqId: ${requestId}]`);
