import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { checkReport } from "../../src/check/report.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { modelFiles } from "../fakes/workspace/files/tree.ts";
import { type Job, jobs } from "../fakes/workspace/jobs/state.ts";
import { tracking } from "../fakes/workspace/tracking/state.ts";
import { unity } from "../fakes/workspace/unity/store.ts";
import { workspaceTree } from "../fakes/workspace/workspace-files.ts";
import { SPARK_READY_MS, sparkMissing } from "../support/spark/spark-server.ts";
import { ADDRESSES, CATALOGS, type Name, type StoryWorld, storyWorld } from "./story-world.ts";
import { RUN_AS } from "./world.ts";

// One model from the template to production and back, by the built program alone: trained on the bundle's job in one workspace, judged,
// and brought through two more, with its code.

const WHEEL = "claims_triage-0.1.0-py3-none-any.whl";
const missing = sparkMissing();

const decided = z.object({
  outcome: z.string(),
  verdicts: z.array(z.object({ rule: z.string(), verdict: z.string(), why: z.string() })).default([]),
});
const deployed = decided.extend({
  version: z.string().optional(),
  digest: z.string().optional(),
  variables: z.record(z.string(), z.string()),
  files: z.array(z.object({ path: z.string(), sha256: z.string() })).default([]),
});
const trained = z.object({
  outcome: z.string(),
  run: z.string(),
  dirty: z.boolean(),
  commit: z.string(),
  model: z.object({ id: z.string(), digest: z.string() }),
  job: z.object({ id: z.int(), run: z.int() }),
});
const registered = z.object({ outcome: z.string(), name: z.string(), version: z.string(), digest: z.string() });
const promoted = decided.extend({ digest: z.string(), to: z.object({ version: z.string().optional() }) });
const released = decided.extend({
  version: z.string(),
  digest: z.string(),
  before: z.string().optional(),
  rollback: z.object({ version: z.string(), digest: z.string() }).nullable(),
});
const version = z.object({ version: z.string(), digest: z.string() });

interface Candidate {
  commit: string;
  digest: string;
  run: string;
  /** Digest of the wheel that the training ran. */
  wheel: string;
}

describe
  .skipIf(missing !== undefined)
  .sequential("a model from a job to production and back", { timeout: 900_000 }, () => {
    let world: StoryWorld;
    const found: Candidate[] = [];
    const nth = (number: number): Candidate => {
      const candidate = found[number - 1];
      if (candidate === undefined) throw new Error(`no candidate ${number}`);
      return candidate;
    };

    beforeAll(async () => {
      if (missing === undefined) world = await storyWorld();
    }, SPARK_READY_MS + 600_000);
    afterAll(async () => world?.remove());

    /** Digest of a model by the bytes that a workspace holds, as `sha256sum` would give it. */
    const digestOf = (files: readonly (readonly [path: string, digest: string])[]): string => {
      const lines = files.map(([path, digest]) => `${digest}  ${path}\n`);
      return sha256(files.length === 0 ? "" : lines.sort((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1)).join(""));
    };
    const digestIn = (name: Name, number: number): string => {
      const files = modelFiles(world.at(name).state, `${CATALOGS[name]}.claims.triage`, number);
      return digestOf([...files].map(([path, bytes]) => [path, sha256(bytes())]));
    };
    const champion = (name: Name): number | undefined =>
      unity.of(world.at(name).state).models.get(`${CATALOGS[name]}.claims.triage`)?.aliases.get("champion");
    const job = (name: Name, called: string): Job | undefined =>
      [...jobs.of(world.at(name).state).jobs.values()].find(({ settings }) => settings.name === called);
    const wheelIn = (name: Name): string | undefined =>
      workspaceTree
        .of(world.at(name).state)
        .objects.get(`/Shared/.bundle/claims-triage/${name}/artifacts/.internal/${WHEEL}`)?.digest;
    const kinds = () => world.ledger().map(({ kind }) => kind);

    /** Deploys the tree to dev, trains on the job there, has every gate judge the run, and registers its model. */
    async function bring(number: number, commit: string): Promise<void> {
      const made = await world.ask("author", ["deploy", "--env", "dev", "--working-tree"], deployed);
      expect(made.outcome).toBe("deployed");
      const planned = await world.run("author", ["train", "--env", "dev", "--dry-run"]);
      expect(planned.stdout).toContain("  job [dev you] claims-triage-training\n");
      const run = await world.ask("author", ["train", "--env", "dev"], trained);
      expect(run).toMatchObject({ outcome: "trained", dirty: false, commit });
      const task = world.tasks.at(-1);
      expect(task?.parameters).toEqual([
        `--data=${world.table}`,
        `--commit=${commit}`,
        `--run=${run.run}`,
        "--experiment=/Shared/claims-triage-dev",
      ]);
      found[number - 1] = { commit, digest: run.model.digest, run: run.run, wheel: task?.digest ?? "" };

      const { runs, files } = tracking.of(world.at("dev").state);
      const logged = [...(files.get(`logged_models/${run.model.id}`) ?? [])];
      expect(digestOf(logged.map(([path, { digest }]) => [path, digest]))).toBe(run.model.digest);
      expect(runs.get(run.run)?.outputs.map(({ model_id }) => model_id)).toEqual([run.model.id]);

      const checked = await world.ask("author", ["check"], checkReport);
      expect(checked.gates.filter(({ verdict }) => verdict !== "pass")).toEqual([]);
      expect(checked).toMatchObject({ subject: "candidate", verdict: "pass", run: run.run, notRegistrable: [] });
      expect(checked.gates.map(({ gate }) => gate).sort()).toEqual(
        ["baseline", "data", "docs", "lint", "model", "secrets", "unit"].sort(),
      );
      expect(checked.model?.digest).toBe(run.model.digest);
      const provenance = readFileSync(join(checked.evidence?.folder ?? "", "statements/provenance.json"), "utf8");
      expect(JSON.parse(provenance).predicate.buildDefinition.externalParameters).toMatchObject({
        command: ["job [dev you] claims-triage-training"],
        seed: null,
      });

      const known = await world.ask("ci", ["register"], registered);
      expect(known).toMatchObject({ outcome: "registered", version: String(number), digest: run.model.digest });
      expect(digestIn("dev", number)).toBe(run.model.digest);
    }

    /** From dev to test, with its jobs. */
    async function toTest(number: number): Promise<void> {
      const { digest } = nth(number);
      const inTest = await world.ask("ci", ["promote", String(number), "--to", "test", "--yes"], promoted);
      expect(inTest).toMatchObject({ outcome: "promoted", digest });
      expect(digestIn("test", Number(inTest.to.version))).toBe(digest);
      await deploy("test", { number, ...nth(number) });
    }

    /** Without naming a version: it is the newest that was promoted there. */
    async function deploy(name: Name, { number, digest, commit, wheel }: Candidate & { number: number }) {
      const done = await world.ask("ci", ["deploy", "--env", name, "--yes"], deployed);
      expect(done).toMatchObject({ outcome: "deployed", digest, version: String(number) });
      expect(done.variables).toEqual({ model_version: String(number), commit });
      // The very code that trained it.
      expect(done.files.find(({ path }) => path === `dist/${WHEEL}`)?.sha256).toBe(wheel);
      expect(wheelIn(name)).toBe(wheel);
      expect(job(name, "claims-triage-scoring")?.settings).toMatchObject({
        tags: { deployed_with: String(number) },
        run_as: { service_principal_name: RUN_AS },
        tasks: [
          { python_wheel_task: { named_parameters: { model: `models:/${CATALOGS[name]}.claims.triage@champion` } } },
        ],
      });
      const [started, ended] = world.ledger().slice(-2);
      expect([started?.kind, ended?.kind]).toEqual(["deploy.started", "deployed"]);
      expect(ended?.body).toMatchObject({ digest, environment: name, version: String(number), wheel });
    }

    /** Approved, promoted to prod, deployed there and released; returns what release said. */
    async function toProd(number: number, ticket: string) {
      const { digest } = nth(number);
      const more = ["--ticket", ticket, "--yes"];
      const signed = await world.ask(
        "approver",
        ["approve", `claims.triage/${number}`, "--to", "prod", ...more],
        decided,
      );
      expect(signed.outcome).toBe("approved");
      const inProd = await world.ask("ci", ["promote", String(number), "--to", "prod", ...more], promoted);
      expect(inProd).toMatchObject({ outcome: "promoted", digest });
      expect(digestIn("prod", Number(inProd.to.version))).toBe(digest);
      await deploy("prod", { number, ...nth(number) });
      const live = await world.ask("ci", ["release", String(number), "--env", "prod", "--yes"], released);
      expect(live).toMatchObject({ outcome: "released", digest });
      expect(champion("prod")).toBe(Number(live.version));
      expect(digestIn("prod", Number(live.version))).toBe(digest);
      return live;
    }

    it("no job is trained on before it is deployed: exit 2", async () => {
      const ran = await world.run("author", ["train", "--env", "dev"], 2);
      expect(ran.stderr).toContain('has no job "[dev you] claims-triage-training"');
      expect(ran.stderr).toContain("factory deploy --env dev --working-tree");
      expect(world.tasks).toEqual([]);
    });

    it("deployed to dev, trained there on the bundle's job, checked, registered: one digest", async () => {
      const commit = readFileSync(join(world.project, ".git/refs/heads/main"), "utf8").trim();
      await bring(1, commit);
      expect(job("dev", "[dev you] claims-triage-training")?.settings.deployment?.kind).toBe("BUNDLE");
      // By what the job's training said of the table, and the data gate judged.
      const tags = tracking.of(world.at("dev").state).runs.get(nth(1).run)?.tags;
      expect(tags?.get(`factory.data.warehouse/${world.table}`)).toBe(sha256(`delta:${world.table}@0`));
    });

    it("promoted to test, and its jobs deployed there", async () => {
      const early = await world.run("ci", ["deploy", "--env", "test", "--yes"], 2);
      expect(early.stderr).toContain("nothing was promoted to test");
      await toTest(1);
      const inTest = await world.ask("ci", ["release", "1", "--env", "test", "--yes"], released);
      expect(inTest).toMatchObject({ outcome: "released", digest: nth(1).digest });
      expect(champion("test")).toBe(1);
    });

    it("a tree that differs from what was checked is not deployed: exit 3, nothing begun", async () => {
      const path = join(world.project, "databricks.yml");
      const text = readFileSync(path, "utf8");
      const [entries, calls] = [kinds().length, world.cli.calls().length];
      appendFileSync(path, "# changed\n");
      try {
        const refused = await world.ask("ci", ["deploy", "--env", "test", "--yes"], deployed, 3);
        expect(refused.outcome).toBe("refused");
        expect(refused.verdicts.filter(({ verdict }) => verdict !== "yes")).toMatchObject([
          { rule: "working tree", why: expect.stringContaining("databricks.yml changed") },
        ]);
        const shown = await world.run("ci", ["deploy", "--env", "test", "--yes"], 3);
        expect(shown.stdout).toContain("its bundle files are not those that were checked: databricks.yml changed");
      } finally {
        writeFileSync(path, text);
      }
      expect(kinds()).toHaveLength(entries);
      expect(
        world.cli
          .calls()
          .slice(calls)
          .map(({ argv }) => argv[0]),
      ).toEqual(["version", "version"]);
    });

    it("to production with an approval by somebody else, and not without", async () => {
      const promote = ["promote", "1", "--to", "prod", "--ticket", "CHG-1001", "--yes"];
      const early = await world.ask("ci", promote, promoted.partial(), 3);
      expect(early.verdicts?.filter(({ verdict }) => verdict === "no").map(({ rule }) => rule)).toEqual(["approvals"]);
      const own = ["approve", "claims.triage/1", "--to", "prod", "--ticket", "CHG-1001", "--yes"];
      expect((await world.run("author", own, 3)).stdout).toContain(ADDRESSES.author);
      expect((await world.run("ci", ["deploy", "--env", "prod", "--yes"], 2)).stderr).toContain("nothing was promoted");
      expect(job("prod", "claims-triage-scoring")).toBeUndefined();
      const live = await toProd(1, "CHG-1001");
      expect(live.rollback).toBeNull();
    });

    it("a second version: other data, other code; the job of the first is not taken for it", async () => {
      await world.sql([
        `insert into ${world.table} select 'MY-999999', mdvis, lncoins, idp, lpi, fmde, physlm, disea, hlthg, hlthf, hlthp from ${world.table} limit 1`,
      ]);
      const stale = await world.ask("author", ["check", "--only", "data"], checkReport);
      expect(stale.notRegistrable.join("\n")).toContain(`warehouse/${world.table} is not what the run was trained on`);
      world.edit("src/claims_triage/config.py", '"max_iter": 80', '"max_iter": 60');
      world.edit("docs/model-card.md", "80 trees", "60 trees");
      const commit = world.commit("Fewer trees");
      const other = await world.run("author", ["train", "--env", "dev"], 2);
      expect(other.stderr).toContain(`was deployed from commit ${nth(1).commit.slice(0, 12)}`);
      await bring(2, commit);
      expect(nth(2).digest).not.toBe(nth(1).digest);
      expect(nth(2).wheel).not.toBe(nth(1).wheel);
      await toTest(2);
      const live = await toProd(2, "CHG-1002");
      expect(live).toMatchObject({ before: "1", rollback: { version: "1", digest: nth(1).digest } });
    });

    it("rolled back to the first one's bytes", async () => {
      const shape = decided.extend({ from: version, to: version });
      const args = ["rollback", "--env", "prod", "--reason", "escalations doubled", "--yes"];
      const back = await world.ask("ci", args, shape);
      expect(back).toMatchObject({
        outcome: "rolledback",
        from: { version: "2", digest: nth(2).digest },
        to: { version: "1", digest: nth(1).digest },
      });
      expect(champion("prod")).toBe(1);
      expect(digestIn("prod", 1)).toBe(nth(1).digest);
      // The jobs are those of the second still, and read the alias.
      const status = await world.ask("approver", ["status"], statusShape);
      expect(status.environments.at(-1)).toMatchObject({
        environment: "prod",
        champion: { version: "1", digest: nth(1).digest },
        deployed: { version: "2", digest: nth(2).digest, workspace: world.address("prod") },
      });
      const refused = await world.ask("ci", ["deploy", "--env", "prod", "--yes"], deployed, 3);
      expect(refused.verdicts.filter(({ verdict }) => verdict === "no").map(({ rule }) => rule)).toEqual(["approvals"]);
    });

    it("is what the ledger, the bundles and three registries say alike", async () => {
      const seen = await world.ask("approver", ["verify"], verified);
      expect(seen.findings).toEqual([]);
      expect(seen).toMatchObject({ outcome: "yes", bundles: { named: seen.bundles.good } });
      expect(seen.registry.map(({ environment, answered, champion }) => [environment, answered, champion])).toEqual([
        ["dev", true, null],
        ["test", true, "1"],
        ["prod", true, "1"],
      ]);
      const deploys = ["deploy.started", "deployed"];
      const promotes = ["promotion.started", "promoted"];
      const releases = ["release.started", "released"];
      const production = ["approved", ...promotes, ...deploys, ...releases];
      expect(kinds()).toEqual([
        "opened",
        "registered",
        ...promotes,
        ...deploys,
        ...releases,
        ...production,
        "registered",
        ...promotes,
        ...deploys,
        ...production,
        "rollback.started",
        "rolledback",
      ]);
    });
  });

const statusShape = z.object({
  environments: z.array(
    z.object({
      environment: z.string(),
      champion: version.nullable(),
      deployed: version.extend({ workspace: z.string() }).nullable(),
    }),
  ),
});
const verified = z.object({
  outcome: z.string(),
  findings: z.array(z.unknown()),
  bundles: z.object({ named: z.int(), good: z.int() }),
  registry: z.array(
    z.object({ environment: z.string(), answered: z.boolean(), champion: z.string().nullable().optional() }),
  ),
});
