import { keyIdOf } from "../lib/signing.ts";
import { normaliseName } from "./address.ts";
import { localDate } from "./local-time.ts";
import type { Policy } from "./policy.ts";

export interface Identity {
  /** As the policy lists it. */
  address: string;
  kind: "person" | "service" | "bot";
}

/** Whose key this is under a policy at a moment: the entry of `people`, or why it counts for nobody. Pure. */
export function identityOfKey(policy: Policy, keyId: string, at: Date): Identity | { problem: string } {
  const today = localDate(at, policy.timezone);
  for (const [address, entry] of Object.entries(policy.people)) {
    const key = (entry.keys ?? []).find((each) => keyIdOf(each.key) === keyId);
    if (key === undefined) continue;
    if (today < key.from) return { problem: `the key of ${address} counts from ${key.from} only` };
    if (key.until !== undefined && today > key.until) return { problem: `the key of ${address} ended on ${key.until}` };
    return { address, kind: entry.kind ?? "person" };
  }
  return { problem: `no key with id ${keyId.slice(0, 12)}… is listed under people in the policy` };
}

/** The public key (`ed25519:…`) with this id, whoever it belongs to; undefined when the policy does not list it. */
export function listedKey(policy: Policy, keyId: string): string | undefined {
  return Object.values(policy.people)
    .flatMap((entry) => entry.keys ?? [])
    .find((each) => keyIdOf(each.key) === keyId)?.key;
}

/**
 * The entry of `people` that a name belongs to: its own, or one of its aliases; however it is written (see `normaliseName`).
 * Undefined when the policy does not know it. Pure.
 */
export function personOf(policy: Policy, name: string): string | undefined {
  const normal = normaliseName(name);
  if (normal === undefined) return undefined;
  return Object.entries(policy.people).find(([address, entry]) =>
    [address, ...(entry.aliases ?? [])].some((each) => normaliseName(each) === normal),
  )?.[0];
}
