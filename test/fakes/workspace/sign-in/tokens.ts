import { createHmac, generateKeyPairSync, type KeyObject, randomUUID, sign, verify } from "node:crypto";
import { identities, type Principal } from "../principals.ts";
import type { State } from "../state.ts";

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Gives out a token of the workspace that lives as long as the workspace's tokens do. */
export function issueToken(
  state: State,
  principal: Principal,
  kind: "oauth" | "azure",
  issuer: string,
  now: number,
): { token: string; seconds: number } {
  const { tokens, tokenSeconds: seconds } = identities.of(state);
  const expires = now + seconds * 1000;
  const claims = {
    iss: issuer,
    sub: principal.name,
    jti: randomUUID(),
    exp: Math.floor(expires / 1000),
    scope: "all-apis",
  };
  const body = `${encoded({ alg: "HS256", typ: "JWT" })}.${encoded(claims)}`;
  const token = `${body}.${createHmac("sha256", randomUUID()).update(body).digest("base64url")}`;
  tokens.set(token, { principal: principal.name, kind, created: now, expires });
  return { token, seconds };
}

/** The key pair of the issuer of ID tokens: made when first needed, for it takes a while. */
let keys: { publicKey: KeyObject; privateKey: KeyObject } | undefined;
const keyPair = () => {
  keys ??= generateKeyPairSync("rsa", { modulusLength: 2048 });
  return keys;
};

export function signIdToken(claims: object): string {
  const body = `${encoded({ alg: "RS256", typ: "JWT", kid: "fake" })}.${encoded(claims)}`;
  return `${body}.${sign("sha256", Buffer.from(body), keyPair().privateKey).toString("base64url")}`;
}

/** The claims of an ID token whose signature is our issuer's. */
export function readIdToken(token: string): Record<string, unknown> | undefined {
  const [head = "", claims = "", signature = ""] = token.split(".");
  const bytes = Buffer.from(`${head}.${claims}`);
  if (!verify("sha256", bytes, keyPair().publicKey, Buffer.from(signature, "base64url"))) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(claims, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
