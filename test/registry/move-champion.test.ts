import { expect, test } from "vitest";
import { moveChampion } from "../../src/registry/move-champion.ts";

/** Aliases of one model, as a registry tells them; `told`: what the next reads say instead. */
function registryWith(champion: string | undefined, told: (string | undefined)[] = []) {
  let stands = champion;
  let reads = 0;
  return {
    reads: () => reads,
    async setAlias(_model: string, _alias: string, version: string) {
      stands = version;
    },
    async removeAlias() {
      stands = undefined;
    },
    async model(name: string) {
      reads += 1;
      const version = told.length > 0 ? told.shift() : stands;
      return { name, tags: {}, aliases: version === undefined ? {} : { champion: version } };
    },
  };
}
const { signal } = new AbortController();

test("champion is put on a version, or taken away, and read back once", async () => {
  const registry = registryWith("1");
  expect((await moveChampion(registry, "prod.m", "2", "release", signal))?.aliases).toEqual({ champion: "2" });
  expect((await moveChampion(registry, "prod.m", undefined, "rollback", signal))?.aliases).toEqual({});
  expect(registry.reads()).toBe(2);
});

test("a read that lags behind is not believed at once", async () => {
  const registry = registryWith("1", ["1", "1"]);
  expect((await moveChampion(registry, "prod.m", "2", "release", signal))?.aliases).toEqual({ champion: "2" });
  expect(registry.reads()).toBe(3);
});

test.each([
  ["release", "2", "champion of prod.m is v3 right after it was moved to v2: somebody else moves it"],
  ["rollback", undefined, "champion of prod.m is v3 right after it was moved to none: somebody else moves it"],
] as const)("another version that is still told after two seconds: exit 5, %s", async (command, to, message) => {
  const registry = registryWith("1", Array(6).fill("3"));
  await expect(moveChampion(registry, "prod.m", to, command, signal)).rejects.toMatchObject({
    code: `${command}.alias`,
    exit: 5,
    message,
    hint: "run it again",
  });
});
