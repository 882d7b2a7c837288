import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Entry, Fact } from "../../src/ledger/entry.ts";
import { formatEntry, parseLine } from "../../src/ledger/entry-line.ts";
import { type MlflowServer, startMlflowServer } from "../support/mlflow-server.ts";
import { makeLine, type SmallLine } from "../support/small-line.ts";
import { good, registryOf, seen } from "./world.ts";

/** A candidate that was promoted to test, and never approved for prod; somebody with a key that counts goes on from there. */
let server: MlflowServer;
let line: SmallLine;
/** The ledger of that moment. */
let text: string;
beforeAll(async () => {
  server = await startMlflowServer();
  line = makeLine(server);
  await line.candidate({ text: "one" });
  await good(line.promote("1", "test"));
  text = readFileSync(line.ledgerPath, "utf8");
}, 120_000);
afterAll(async () => {
  line.remove();
  await server.stop();
});

const entryOf = (one: string): Entry => {
  const entry = parseLine(Buffer.from(one));
  if ("problem" in entry) throw new Error(entry.problem);
  return entry;
};
const entriesOf = (chain: string): Entry[] => chain.split("\n").slice(0, -1).map(entryOf);

/** The chain with one more entry, in the name of the service that promotes. */
function and(chain: string, fact: Fact, at = new Date()): string {
  const last = entriesOf(chain).at(-1);
  const { address: by, signer } = line.people.ci;
  return `${chain}${formatEntry(fact, { seq: (last?.seq ?? 0) + 1, at, by, prev: last?.hash ?? "" }, signer)}\n`;
}

async function verified(chain: string) {
  writeFileSync(line.ledgerPath, chain);
  try {
    const answer = seen(await line.run("second", ["verify"]));
    const notes = answer.data?.findings.filter((each) => each.verdict === "note").map((each) => each.message) ?? [];
    return { ...answer, notes };
  } finally {
    writeFileSync(line.ledgerPath, text);
  }
}

function honestStart() {
  const begun = entriesOf(text).findLast((each) => each.kind === "promotion.started");
  if (begun?.kind !== "promotion.started") throw new Error("nothing was begun");
  return begun;
}

const abandon = (started: number, environment: string): Fact => ({
  kind: "abandoned",
  body: { started, environment, reason: "the runner died" },
});

test("an honest promotion that is begun cannot be told; what an abandoned one made is named, and no alias is excused", async () => {
  const begun = honestStart();
  const model = `test.${line.model}`;
  const registry = registryOf(line);
  const before = await registry.model(model);
  const cut = `${text.split("\n").slice(0, begun.seq).join("\n")}\n`;
  // Cut off before the anchor of its end was set.
  await registry.setModelTags(model, { "factory.ledger.head": "" });
  try {
    const open = await verified(cut);
    expect(open.status, open.against.join("\n")).toBe(4);
    expect(open.against).toEqual(
      expect.arrayContaining([
        expect.stringMatching(`^test v1 is not in the ledger: entry ${begun.seq} .* is not ended$`),
        expect.stringMatching(/^alias challenger of test is v1 in the registry, but none in the ledger: /),
      ]),
    );
    const given = and(cut, abandon(begun.seq, "test"));
    expect(await verified(given)).toMatchObject({
      status: 3,
      against: ["alias challenger of test is v1 in the registry, but none in the ledger"],
    });
    await registry.removeAlias(model, "challenger");
    const done = await verified(given);
    expect(done).toMatchObject({ status: 0, against: [] });
    expect(done.notes).toContainEqual(
      expect.stringMatching(`^test v1 is not in the ledger: entry ${begun.seq} .* was abandoned; its bytes are those$`),
    );
  } finally {
    await registry.setAlias(model, "challenger", "1");
    await registry.setModelTags(model, before?.tags ?? {});
  }
});

test("a start that no rule allowed excuses nothing, begun or abandoned", async () => {
  const begun = honestStart();
  const model = `prod.${line.model}`;
  const forged = and(text, {
    kind: "promotion.started",
    body: {
      ...begun.body,
      environment: "prod",
      from: { environment: "test", version: "1" },
      target: model,
      highest: 0,
    },
  });
  const seq = begun.seq + 2;
  const nothingYet = await verified(forged);
  expect(nothingYet.status).toBe(3);
  expect(nothingYet.against.join("\n")).toMatch(
    new RegExp(`entry ${seq} \\(promotion.started in prod\\) of ci@example.com: decided again, approvals: 0 of 1`),
  );
  const registry = registryOf(line);
  const source = await registry.version(`dev.${line.model}`, "1");
  const trained = await line.train("one");
  await registry.ensureModel(model);
  const made = await registry.createFromRun({
    model,
    tags: { "factory.digest": source?.tags["factory.digest"] ?? "" },
    above: 0,
    environment: "prod",
    runId: trained.run,
    loggedModelId: trained.loggedModel,
  });
  await registry.setAlias(model, "challenger", made.version);
  const byHand = `prod v${made.version} was made by hand: the ledger does not know it`;
  const alias = `alias challenger of prod is v${made.version} in the registry, but none in the ledger`;
  for (const chain of [forged, and(forged, abandon(seq, "prod"))]) {
    const { status, against } = await verified(chain);
    expect(status).toBe(3);
    expect(against).toEqual(expect.arrayContaining([byHand, alias, expect.stringMatching(/decided again, approvals/)]));
  }
});
