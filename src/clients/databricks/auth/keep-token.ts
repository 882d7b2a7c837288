import { isUnknownOutcome } from "../replies.ts";
import type { Token, TokenSource } from "./token.ts";
import type { TokenStore } from "./token-store.ts";

const LONGEST_LEAD_MS = 20 * 60_000;
/** A token that ends sooner than this is of no use to a request that has yet to travel. */
const TOO_LATE_MS = 30_000;

/**
 * A token that is fresh whenever it is asked for: renewed at half of its life, at the latest 20 minutes before its end, by one
 * request for all who wait. When renewing fails while the old one still holds, the old one is used.
 */
export function keepToken(
  source: TokenSource,
  store: TokenStore | undefined,
  options: { first?: Token | undefined; now?(): number } = {},
): (refused?: string) => Promise<string> {
  const now = options.now ?? Date.now;
  let current = options.first;
  let renewing: Promise<Token> | undefined;

  const renew = async (refused: string | undefined): Promise<Token> => {
    const keptFor = store === undefined ? undefined : await source.keptFor?.();
    if (keptFor !== undefined && refused === undefined) {
      const known = await store?.read(keptFor);
      if (known !== undefined && isFresh(known, now())) return known;
    }
    const token = await source.fetch(refused !== undefined);
    if (keptFor !== undefined) await store?.write(keptFor, token);
    return token;
  };

  return async (refused) => {
    if (current !== undefined) {
      // Another request may have renewed it while this one was on its way.
      if (refused !== undefined && (source.fixed === true || current.value !== refused)) return current.value;
      if (refused === undefined && isFresh(current, now())) return current.value;
    }
    renewing ??= renew(refused).finally(() => {
      renewing = undefined;
    });
    try {
      current = await renewing;
    } catch (error) {
      const holds = current?.expiresMs !== undefined && current.expiresMs - now() > TOO_LATE_MS;
      if (current === undefined || refused !== undefined || !holds || !isUnknownOutcome(error)) throw error;
    }
    return current.value;
  };
}

function isFresh(token: Token, nowMs: number): boolean {
  if (token.expiresMs === undefined) return true;
  const lead = Math.min((token.expiresMs - token.fromMs) / 2, LONGEST_LEAD_MS);
  return nowMs < token.expiresMs - lead;
}
