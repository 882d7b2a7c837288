import { type Dirent, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openLedgerFile } from "../../../src/clients/ledger-file.ts";
import { readContract } from "../../../src/contracts/read-contract.ts";
import { openLedger } from "../../../src/ledger/open-ledger.ts";
import { contract } from "../../data/harness.ts";
import { type WarehouseWorld, warehouseWorld } from "../../data/warehouse/world.ts";
import { factory, type Home, makeHome } from "../../support/factory.ts";
import { chainOf, makePerson, opened, registered, signedPolicy } from "../../support/line.ts";
import type { Fault } from "../../support/spark/shim.ts";
import { SPARK_READY_MS, sparkMissing } from "../../support/spark/spark-server.ts";
import { leaks, SHAPES } from "./planted.ts";

/** What has no shape of a secret is known for one only where it is the credential in use. */
const spoken = Object.entries(SHAPES).filter(([name]) => name !== "opaque");
const says = spoken.map(([, text]) => text).join("\n");
const owner = makePerson("owner@example.com");
const policyOf = (ledger?: string) =>
  signedPolicy({ people: [owner], owners: [owner], roles: { "model-risk": [owner] }, ...(ledger && { ledger }) });

let home: Home;
beforeAll(() => {
  home = makeHome();
});
afterAll(() => home.remove());

describe("what goes into SQL holds no secret", () => {
  test.each(spoken)("a contract with a secret is refused with its line, and without it: %s", (_name, secret) => {
    const spelt = contract(`properties:\n  - { name: k, enum: [a, ${JSON.stringify(secret)}] }`);
    const hidden = spelt.replace(
      JSON.stringify(secret),
      `"\\x${Buffer.from(secret[0] ?? "").toString("hex")}${JSON.stringify(secret).slice(2)}`,
    );
    for (const text of [spelt, hidden]) {
      let thrown: unknown;
      try {
        readContract(text, "c.odcs.yaml");
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({ code: "contract.secret", exit: 2, problems: [{ file: "c.odcs.yaml", line: 9 }] });
      expect(leaks(JSON.stringify(thrown) + String(thrown))).toEqual([]);
    }
  });

  test("an entry of the ledger with one is refused before anything is written", async () => {
    const store = openLedgerFile(join(home.folder, "ledger.jsonl"));
    const ledger = openLedger(store, "claims-triage");
    const policy = policyOf();
    const actor = { by: owner.address, signer: owner.signer };
    const head = (await ledger.append(opened(policy), actor, (await ledger.view()).head, new Date())) ?? {
      seq: 0,
      hash: "",
    };
    for (const [name, secret] of spoken) {
      const { body } = registered(1);
      const entry = ledger.append({ kind: "registered", body: { ...body, run: secret } }, actor, head, new Date());
      await expect(entry, name).rejects.toMatchObject({ code: "ledger.secret", exit: 2 });
    }
    expect(await ledger.append(registered(1), actor, head, new Date())).toMatchObject({ seq: 2 });
    expect(leaks(readFileSync(join(home.folder, "ledger.jsonl"), "utf8"))).toEqual([]);
  });
});

describe.skipIf(sparkMissing() !== undefined)(
  "a warehouse that says the statement and secrets back",
  { timeout: 300_000 },
  () => {
    let world: WarehouseWorld;
    let table = "";
    beforeAll(async () => {
      world = await warehouseWorld();
      table = `spark_catalog.${world.schema}.ledger`;
      writeFileSync(join(home.variables.HOME ?? "", ".databrickscfg"), world.spark.profile);
      const ledger = `{ kind: delta, profile: spark, warehouse: ${world.spark.warehouse.id}, table: ${table} }`;
      const policy = policyOf(ledger);
      writeFileSync(join(home.folder, "policy.yaml"), policy.text);
      const { text } = chainOf([opened(policy), registered(1)].map((fact) => ({ fact, by: owner })));
      writeFileSync(join(home.folder, "source.jsonl"), text);
    }, SPARK_READY_MS);
    afterAll(() => world?.end());

    /** Runs it; nothing of a secret is in what it says. */
    const run = async (...args: string[]) => {
      const ran = await factory([...args, "--policy", "policy.yaml", "--project", "claims-triage"], {
        cwd: home.folder,
        variables: {
          ...home.variables,
          NODE_EXTRA_CA_CERTS: world.spark.caFile,
          XDG_CACHE_HOME: join(home.folder, "cache"),
        },
        timeoutMs: 200_000,
      });
      expect(leaks(ran.stdout + ran.stderr), args.join(" ")).toEqual([]);
      expect(ran.stdout + ran.stderr).not.toContain(world.spark.token);
      return ran;
    };
    /** A fault that must have struck when `work` is done. */
    const struck = async <T>(fault: Fault, work: () => Promise<T>): Promise<T> => {
      world.spark.shim.fault = fault;
      const result = await work();
      expect(fault.times).toBeLessThan(100);
      world.spark.shim.fault = undefined;
      return result;
    };

    test("the ledger's errors and traces show none", async () => {
      const copy = ["ledger", "copy", "--from", "source.jsonl"];
      const refused = await struck({ at: "server", matches: /^MERGE/, times: 100, says }, () =>
        run(...copy, "--debug"),
      );
      expect([refused.status, refused.stderr]).toEqual([
        4,
        expect.stringContaining("refused a statement: [USER_RAISED_EXCEPTION]"),
      ]);
      expect(refused.stderr).toMatch(/GET https:\S+ → 200 in \d+ ms/);
      expect((await run(...copy)).status).toBe(0);
      for (const at of ["server", "page"] as const)
        for (const more of ["--debug", "--json"]) {
          const ran = await struck({ at, matches: /^SELECT/, times: 100, says }, () => run("ledger", "verify", more));
          expect([ran.status, ran.stdout + ran.stderr]).toEqual([
            4,
            expect.stringContaining(at === "page" ? "answered with HTTP 400" : "refused a statement"),
          ]);
        }
      expect((await run("ledger", "verify")).status).toBe(0);
    });

    test("the data gate's report, which is evidence, shows none", async () => {
      await world.lay("t", "select * from (values ('a'), ('b')) q(k)");
      const text = contract(`properties:
  - { name: k, logicalType: string, required: true, unique: true }
quality:
  - { type: sql, query: "select count(*) from {object}", mustBe: 2 }`);
      const report = await struck({ at: "server", matches: /count/, times: 100, says }, () => world.byTable(text));
      expect(report.verdict).toBe("error");
      expect(report.checks.map(({ found }) => found).join("\n")).toContain("[USER_RAISED_EXCEPTION]");
      expect(leaks(JSON.stringify(report))).toEqual([]);
      const thrown = await struck({ at: "page", matches: /count/, times: 100, says }, () =>
        world.byTable(text).catch((error: unknown) => error),
      );
      expect(thrown).toMatchObject({ code: "sql.unreachable", exit: 4 });
      expect(leaks(JSON.stringify(thrown) + String(thrown))).toEqual([]);
    });

    test("nothing of them is in a file, nor was it sent", () => {
      const files: Dirent[] = readdirSync(home.folder, { recursive: true, withFileTypes: true }).filter(
        (each: Dirent) => each.isFile(),
      );
      expect(files.length).toBeGreaterThan(3);
      for (const { parentPath, name } of files)
        expect(leaks(readFileSync(join(parentPath, name), "latin1")), name).toEqual([]);
      expect(leaks(world.spark.shim.statements.join("\n"))).toEqual([]);
      expect(leaks(says)).toEqual(expect.arrayContaining(spoken.map(([name]) => name)));
    });
  },
);
