import type { LedgerPlace, LedgerStore, StoredChain } from "./store.ts";

/**
 * The stores of places, each of which goes on in memory once something is appended: what a dry run puts into a chain is read by
 * the rest of it, and written nowhere.
 */
export function inMemory(open: (place: LedgerPlace) => Promise<LedgerStore>) {
  const stores = new Map<string, LedgerStore>();
  return async (place: LedgerPlace): Promise<LedgerStore> => {
    const key = JSON.stringify(place);
    const store = stores.get(key) ?? overlay(await open(place));
    stores.set(key, store);
    return store;
  };
}

function overlay(store: LedgerStore): LedgerStore {
  let chain: StoredChain | undefined;
  const read = async () => chain ?? store.read();
  return {
    place: store.place,
    local: store.local,
    read,
    async append(line) {
      const { text } = await read();
      chain = { text: Buffer.concat([text, Buffer.from(`${line}\n`)]), torn: Buffer.alloc(0) };
      return true;
    },
  };
}
