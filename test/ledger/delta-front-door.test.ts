import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { approvalStatement } from "../../src/evidence/approval.ts";
import { signStatement } from "../../src/evidence/signed-statement.ts";
import type { Fact } from "../../src/ledger/entry.ts";
import { walkChain } from "../../src/ledger/verify-chain.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { factory, makeHome } from "../support/factory.ts";
import { chainOf, makePerson, opened, type Person, registered, signedPolicy } from "../support/line.ts";
import { runSql, SPARK_READY_MS, type SparkServer, sparkMissing, sparkServer } from "../support/spark/spark-server.ts";

const document = z.object({ ok: z.boolean(), data: z.record(z.string(), z.unknown()) });
const failure = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

describe.skipIf(sparkMissing() !== undefined)("a Delta ledger through the built program", { timeout: 600_000 }, () => {
  const home = makeHome();
  const people = [
    makePerson("owner@example.com"),
    makePerson("risk@example.com"),
    makePerson("second@example.com"),
  ] as const;
  const [owner] = people;
  const source = join(home.folder, "ledger.jsonl");
  let spark: SparkServer;
  let table = "";
  let policy: ReturnType<typeof signedPolicy>;
  let chain: ReturnType<typeof chainOf>;

  const run = (args: string[], { who, cache = "cache" }: { who?: Person; cache?: string } = {}) =>
    factory([...args, "--policy", "policy.yaml", "--project", "claims-triage", "--json"], {
      cwd: home.folder,
      variables: {
        ...home.variables,
        NODE_EXTRA_CA_CERTS: spark.caFile,
        XDG_CACHE_HOME: join(home.folder, cache),
        ...(who && { FACTORY_SIGNING_KEY: String(who.privateKey.export({ format: "pem", type: "pkcs8" })) }),
      },
      timeoutMs: 300_000,
    });
  const answer = async (...asked: Parameters<typeof run>) => {
    const { status, stdout } = await run(...asked);
    return { status, ...document.parse(JSON.parse(stdout)).data };
  };
  const sql = (...statements: string[]) => runSql({ ...spark, path: spark.httpPath }, statements);

  beforeAll(async () => {
    spark = await sparkServer();
    writeFileSync(join(home.variables.HOME ?? "", ".databrickscfg"), spark.profile);
    table = `spark_catalog.${await spark.newSchema()}.ledger`;
    const ledger = `{ kind: delta, profile: spark, warehouse: ${spark.warehouse.id}, table: ${table} }`;
    policy = signedPolicy({ people: [...people], owners: [owner], roles: { "model-risk": [...people] }, ledger });
    writeFileSync(join(home.folder, "policy.yaml"), policy.text);
    const facts = [
      { fact: opened(policy), by: owner },
      { fact: registered(1), by: owner },
    ];
    chain = chainOf([...facts, ...people.slice(1).map((by) => ({ fact: approved(by), by }))]);
    writeFileSync(source, chain.text);
  }, SPARK_READY_MS);
  afterAll(async () => {
    home.remove();
    await spark?.stop();
  });

  function approved(by: Person): Fact {
    const statement = approvalStatement({
      model: "claims.triage",
      project: "claims-triage",
      environment: "prod",
      digest: sha256("model 1"),
      evidence: sha256("evidence 1"),
      rules: sha256("rules"),
      policy: policy.digest,
      role: "model-risk",
      seen: `1:${"0".repeat(64)}`,
      notAfter: "2026-12-25T08:00:00.000Z",
      approver: by.address,
    });
    return { kind: "approved", body: { envelope: signStatement(statement, by.signer) } };
  }

  test("a stopped warehouse is awaited; a file is moved in whole, once, and into an empty place only", async () => {
    spark.warehouse.states = ["STOPPED", "STARTING", "RUNNING"];
    const dry = await run(["ledger", "copy", "--from", source, "--dry-run"]);
    expect(dry.stderr).toContain("is stopped: waiting for it");
    expect(document.parse(JSON.parse(dry.stdout)).data).toMatchObject({ action: "copy", dryRun: true, entries: 4 });
    expect(await answer(["ledger", "copy", "--from", source])).toMatchObject({ status: 0, action: "copy", entries: 4 });
    const rows = await sql(`SELECT CAST(seq AS STRING) AS seq, prev, hash, entry FROM ${table} ORDER BY seq`);
    expect(rows.map(({ entry }) => `${entry}\n`).join("")).toBe(chain.text.toString("utf8"));
    expect(rows.map(({ prev, hash }) => ({ prev, hash }))).toEqual(
      chain.entries.map(({ prev, hash }) => ({ prev, hash })),
    );

    const repository = join(home.folder, "repository");
    mkdirSync(repository);
    const git = (...args: string[]) => execFileSync("git", args, { cwd: repository, env: home.variables });
    git("init", "-q", "-b", "ledger");
    writeFileSync(join(repository, "claims-triage.jsonl"), chain.text);
    git("add", ".");
    git("commit", "-q", "-m", "ledger");
    expect(await answer(["ledger", "copy", "--from-git", `${repository}#ledger`])).toMatchObject({ action: "none" });
    writeFileSync(source, chain.text.toString("utf8").replace("run1", "run9"));
    expect(await answer(["ledger", "copy", "--from", source])).toMatchObject({ status: 3, action: "refuse" });
    writeFileSync(
      source,
      chainOf([
        { fact: opened(policy), by: owner },
        { fact: registered(8), by: owner },
      ]).text,
    );
    expect(await answer(["ledger", "copy", "--from", source])).toMatchObject({
      status: 3,
      why: "the target holds a chain already",
    });
    expect(await answer(["ledger", "verify"])).toMatchObject({ status: 0, entries: 4, problems: [] });
  });

  test("two processes append to it at the same time", async () => {
    const withdraw = async (who: Person): Promise<void> => {
      const args = ["approve", "withdraw", "claims.triage/1", "--to", "prod", "--reason", "a complaint came in"];
      for (let tries = 0; ; tries++) {
        const { status, stdout } = await run(args, { who, cache: who.address });
        if (status === 0) return;
        // The other was faster: nothing was written, and it is asked to run again.
        expect([status, tries < 5, stdout]).toEqual([5, true, stdout]);
      }
    };
    const [, risk, other] = people;
    await Promise.all([withdraw(risk), withdraw(other)]);
    const shown = await answer(["ledger", "verify"], { cache: "third" });
    expect(shown).toMatchObject({ status: 0, problems: [] });
    const rows = await sql(`SELECT entry FROM ${table} ORDER BY seq`);
    const text = Buffer.from(rows.map(({ entry }) => `${entry}\n`).join(""));
    expect(walkChain(text)).toMatchObject({ problems: [] });
    expect(text.toString("utf8").match(/approval\.withdrawn/g)).toHaveLength(2);
  });

  test("RESTORE is found: by who saw more, and by who never did", async () => {
    await sql(`RESTORE TABLE ${table} TO VERSION AS OF 1`);
    const { status, stdout } = await run(["ledger", "verify"], { cache: "third" });
    expect([status, failure.parse(JSON.parse(stdout)).error.code]).toEqual([4, "ledger.rewritten"]);
    const stranger = await answer(["ledger", "verify"], { cache: "stranger" });
    expect(stranger).toMatchObject({
      status: 3,
      entries: 4,
      problems: [{ seq: null, message: expect.stringContaining("is no append: RESTORE") }],
    });
    const whole = await run(["verify"], { cache: "stranger" });
    expect(whole.stdout).toContain("is no append: RESTORE");
    // What was there is still here.
    const kept = execFileSync("sh", ["-c", `cat "${home.folder}"/third/factory/ledger-delta/*.jsonl`]).toString("utf8");
    expect(kept.startsWith(readFileSync(join(home.folder, "repository", "claims-triage.jsonl"), "utf8"))).toBe(true);
    rmSync(source);
  });
});
