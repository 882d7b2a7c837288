import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { errorText } from "../../src/cli/output.ts";
import { makeStyle } from "../../src/cli/style.ts";
import { findCli } from "../../src/clients/databricks/find-cli.ts";
import { trainingJobs } from "../../src/clients/databricks/jobs.ts";
import { servingEndpoint } from "../../src/clients/databricks/serving.ts";
import { openLedgerDelta } from "../../src/clients/ledger-delta.ts";
import type { SqlRow, SqlWarehouse } from "../../src/clients/sql/warehouse.ts";
import { openWarehouse } from "../../src/clients/sql/warehouse.ts";
import { earlierVersion } from "../../src/clients/unity-catalog/earlier-version.ts";
import { openWorkspaceRegistry } from "../../src/clients/workspace-registry/open-workspace-registry.ts";
import { walkChain } from "../../src/ledger/verify-chain.ts";
import { signEnvelope } from "../../src/lib/dsse.ts";
import { FactoryError } from "../../src/lib/error.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { parseYaml } from "../../src/lib/yaml-document.ts";
import { policySchema } from "../../src/policy/policy.ts";
import { policyStatement } from "../../src/policy/policy-statement.ts";
import { demandRights } from "../../src/registry/rights.ts";
import { serve } from "../../src/release/serve.ts";
import { broughtUp } from "../../src/release/serving.ts";
import { bundledJob, findJob } from "../../src/training/train-job.ts";
import { MODEL, type Unity, unity, wanted } from "../clients/unity-catalog/parts.ts";
import { standIn } from "../fakes/databricks-cli/stand-in.ts";
import { legacy } from "../fakes/workspace/legacy/store.ts";
import { serving } from "../fakes/workspace/serving/state.ts";
import { addWarehouse } from "../fakes/workspace/sql/warehouses.ts";
import { factory, type Home, makeHome } from "../support/factory.ts";
import { chainOf, makePerson, opened, registered, signedPolicy } from "../support/line.ts";
import { root } from "../support/paths.ts";

// Every error in the list of docs/databricks.md is produced here, and is word for word what the page says.

interface Trouble {
  title: string;
  code: string;
  exit: number;
  text: string;
  fix: string;
}

const PAGE = readFileSync(join(root, "docs/databricks.md"), "utf8");
const HOST = "https://adb-1.azuredatabricks.net";

function troublesOf(page: string): Trouble[] {
  const section = page.split("\n## When something goes wrong\n")[1]?.split("\n## ")[0] ?? "";
  return section
    .split("\n### ")
    .slice(1)
    .map((part) => {
      const [title = ""] = part.split("\n");
      const [, code = "", exit = ""] = /^`([a-z-]+\.[\w-]+)`, exit (\d)$/m.exec(part) ?? [];
      const [, text = "", fix = ""] = /^```text\n([\s\S]*?)\n```\n([\s\S]*)$/m.exec(part) ?? [];
      return { title, code, exit: Number(exit), text, fix: fix.trim() };
    });
}

/** What was said, with the page's addresses, folders and seconds. */
interface Said {
  code: string;
  exit: number;
  text: string;
}

let place: Unity;
let home: Home;
let cwd = "";

beforeAll(async () => {
  place = await unity({
    principals: [{ name: "factory-test" }, { name: "reader@example.com" }, { name: "newcomer@example.com" }],
  });
}, 120_000);
afterAll(() => place?.stop());
beforeEach(() => {
  home = makeHome();
  cwd = join(home.folder, "models");
  mkdirSync(cwd);
});
afterEach(() => {
  home.remove();
  place.fake.clearFaults();
});

const shown = (text: string): string =>
  text
    .trimEnd()
    .replaceAll(place.fake.url, HOST)
    .replaceAll(join(home.folder, "home"), "~")
    .replaceAll(home.folder, "~")
    .replaceAll(place.folder, "~")
    .replaceAll("(profile unity)", "(profile test)")
    .replaceAll(/\(request [0-9a-f-]{36}\)/g, "(request …)")
    .replaceAll(/\[ReqId: [0-9a-f-]{36}\]/g, "[ReqId: …]")
    .replaceAll(/a{64}/g, "…")
    .replaceAll("did not run after 0 s", "did not run after 900 s");

async function thrownBy(work: () => Promise<unknown>): Promise<Said> {
  const error = await work().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof FactoryError)) throw new Error(`no error of factory's: ${String(error)}`);
  return { code: error.code, exit: error.exit, text: shown(errorText(error, makeStyle(false, 100), false)) };
}

/** The built program in a project whose first environment is a workspace. */
async function program(
  args: readonly string[],
  profiles: string,
  variables: Record<string, string> = {},
): Promise<Said> {
  writeFileSync(join(home.folder, "home/.databrickscfg"), profiles, { mode: 0o600 });
  const registry = `{ kind: unity-catalog, profile: test, host: "${place.fake.url}" }`;
  const policy = `factory: 1
version: 1
organisation: Example Mutual
environments:
  - { name: test, catalog: acme_test, registry: ${registry} }
riskTiers: { low: {} }
`;
  writeFileSync(join(cwd, "policy.yaml"), policy);
  writeFileSync(
    join(cwd, "factory.yaml"),
    "factory: 1\nproject: claims-triage\npolicy: policy.yaml\nmodel: { name: claims.triage, train: python train.py }\n",
  );
  return run(args, variables);
}

async function run(args: readonly string[], variables: Record<string, string> = {}): Promise<Said> {
  const options = { cwd, variables: { ...home.variables, ...variables } };
  const plain = await factory(args, options);
  const json = await factory([...args, "--json"], options);
  const [, code = ""] = /"code": "([^"]+)"/.exec(json.stdout) ?? [];
  return { code, exit: plain.status ?? -1, text: shown(plain.stderr) };
}

const profile = (more: string, name = "test") => `[${name}]\nhost = ${place.fake.url}\n${more}`;
const quiet = () => {};
const signal = new AbortController().signal;
const world = () => ({ report: quiet, signal });

/** A warehouse that answers every statement from a table of answers. */
function answering(answers: Readonly<Record<string, readonly SqlRow[]>>): SqlWarehouse {
  return {
    version: "databricks-sql-warehouse 0a1b2c3d4e5f6a7b",
    label: `SQL warehouse 0a1b2c3d4e5f6a7b of ${place.workspace.label}`,
    run: (sql) => {
      const found = Object.entries(answers).find(([part]) => sql.includes(part))?.[1];
      return found === undefined ? Promise.reject(new Error(sql)) : Promise.resolve({ statement: "1", rows: found });
    },
    close: () => Promise.resolve(),
  };
}
const deltaLedger = (warehouse: SqlWarehouse) =>
  openLedgerDelta({
    warehouse,
    table: "governance.factory.ledger",
    project: "claims-triage",
    host: place.fake.url,
    cache: join(home.folder, "cache"),
    walk: walkChain,
  });
const aChain = () => {
  const owner = makePerson("owner@example.com");
  return chainOf([{ fact: opened(signedPolicy({ people: [owner] })), by: owner }]);
};

/** By the title of the entry in the page. */
const PRODUCERS: Readonly<Record<string, () => Promise<Said>>> = {
  "No profile of that name": () => program(["train"], profile("token = dapi0", "other")),
  "Two kinds of credential": () =>
    program(["train"], profile("client_id = 1\nclient_secret = 2\ntoken = 3\n").replaceAll("= 3", "= dapi0")),
  "Another workspace than the policy says": () =>
    program(["train"], `[test]\nhost = https://adb-2.azuredatabricks.net\ntoken = dapi0\n`),
  "No credential": () => program(["train"], profile("")),
  "The token has expired": () => program(["train"], profile("token = dapi00000000000000000000000000000000\n")),
  "The client secret is wrong": () =>
    program(["train"], profile(`client_id = 11111111-1111-4111-8111-111111111111\nclient_secret = wrong\n`)),
  "No right to make the model": () => {
    const { registry } = place.again("newcomer@example.com");
    return thrownBy(() => demandRights(registry, MODEL, false));
  },
  "No schema": () => thrownBy(() => place.registry.ensureModel("acme_test.pricing.quotes")),
  "No right on the volume": () => {
    const { objects } = place.again("reader@example.com");
    return thrownBy(() => objects.list("a".repeat(64)));
  },
  "A version with the same bytes is in the making": async () => {
    const model = await place.model("left");
    const api = "/api/2.0/mlflow/unity-catalog";
    const request = { ...wanted(model), model: MODEL };
    await place.registry.ensureModel(MODEL);
    const tags = Object.entries(request.tags).map(([key, value]) => ({ key: key.replaceAll(".", "_"), value }));
    const json = { name: MODEL, source: "dbfs:/nowhere", tags };
    await place.workspace.attempt({ method: "POST", path: `${api}/model-versions/create`, json });
    // Ten minutes go by at the second look.
    const real = Date.now;
    let looks = 0;
    const clock = vi.spyOn(Date, "now").mockImplementation(() => real() + (looks++ > 0 ? 11 * 60_000 : 0));
    try {
      return await thrownBy(() => earlierVersion(place.workspace, request, { alone: false, signal }));
    } finally {
      clock.mockRestore();
    }
  },
  "No such warehouse": () =>
    thrownBy(() => openWarehouse({ workspace: place.workspace, id: "ffff0000ffff0000", ...world() }).run("SELECT 1")),
  "The warehouse does not start": () => {
    addWarehouse(place.fake.state, { id: "0a1b2c3d4e5f6a7b", name: "Small", state: "STOPPED" });
    const request = { workspace: place.workspace, id: "0a1b2c3d4e5f6a7b", ...world(), startLimitMs: 0, pollMs: 1 };
    return thrownBy(() => openWarehouse(request).run("SELECT 1"));
  },
  "The Databricks CLI is missing": () => thrownBy(() => findCli({ PATH: home.folder }, signal)),
  "The Databricks CLI is too old": () => {
    const cli = standIn(join(home.folder, "bin"), { version: "0.240.0" });
    return thrownBy(() => findCli({ DATABRICKS_CLI_PATH: cli.path, PATH: process.env.PATH ?? "" }, signal));
  },
  "No training job in the workspace": () => {
    mkdirSync(join(cwd, "resources"));
    writeFileSync(
      join(cwd, "databricks.yml"),
      "bundle: { name: claims-triage }\ninclude: [resources/*.yml]\ntargets: { dev: { mode: development } }\n",
    );
    writeFileSync(
      join(cwd, "resources/training.yml"),
      "resources:\n  jobs:\n    training:\n      name: claims-triage-training\n      parameters: [{ name: run, default: '' }]\n      tasks: []\n",
    );
    const job = bundledJob(cwd, "dev");
    if (job === undefined) throw new Error("the bundle has no training job");
    return thrownBy(() => findJob(trainingJobs(place.workspace), job, "dev"));
  },
  "The endpoint does not come up": async () => {
    const bytes = await place.model("served");
    const { version } = await place.registry.createFromFolder(wanted(bytes), quiet);
    const { settings } = serving.of(place.fake.state);
    settings.failures.set(`${MODEL}/${version}`, "container failed: No module named 'lightgbm'");
    const endpoint = servingEndpoint(place.workspace, "claims-triage", MODEL);
    const said = await thrownBy(() => serve(endpoint, (state) => broughtUp(state, version), world()));
    return { ...said, text: said.text.replaceAll(`v${version}`, "v3") };
  },
  "The ledger is a file": async () => {
    const owner = makePerson("owner@example.com");
    const service = makePerson("ci@example.com", { kind: "service" });
    const { text } = signedPolicy({ people: [owner, service] });
    const registry = (name: string) => `registry: { kind: workspace, profile: ${name}, host: "${place.fake.url}" }`;
    const changed = text
      .split("\n")
      .map((line) =>
        line.replace(
          /name: (\w+), catalog: \w+, registry: \{[^}]*\}/,
          (_, name: string) => `name: ${name}, catalog: ${name}, ${registry(name)}`,
        ),
      )
      .join("\n");
    const digest = sha256(changed);
    const signature = signEnvelope(
      policyStatement(parseYaml(changed, "policy.yaml", policySchema), digest),
      owner.signer,
    );
    const policy = { digest, version: 1, text: changed, signatures: [signature] };
    const chain = chainOf([
      { fact: opened(policy), by: owner },
      { fact: registered(1), by: owner },
    ]);
    writeFileSync(join(cwd, "policy.yaml"), changed);
    mkdirSync(join(cwd, ".factory"));
    writeFileSync(join(cwd, ".factory/ledger.jsonl"), chain.text);
    writeFileSync(
      join(cwd, "factory.yaml"),
      "factory: 1\nproject: claims-triage\npolicy: policy.yaml\nmodel: { name: claims.triage, train: python train.py }\n",
    );
    const { token } = place.fake.identity("factory-test");
    const profiles = ["dev", "prod"].map((name) => profile(`token = ${token}\n`, name)).join("\n");
    writeFileSync(join(home.folder, "home/.databrickscfg"), profiles, { mode: 0o600 });
    const key = String(service.privateKey.export({ format: "pem", type: "pkcs8" }));
    return run(["promote", "1", "--to", "prod", "--yes"], { FACTORY_SIGNING_KEY: key });
  },
  "The ledger's table is not append-only": () => {
    const ledger = deltaLedger(answering({ "SHOW TBLPROPERTIES": [{ key: "delta.appendOnly", value: "false" }] }));
    return thrownBy(() => ledger.append(aChain().lines[0] ?? "", { seq: 0, hash: "0".repeat(64) }));
  },
  "The ledger's history was rewritten": async () => {
    const { lines, entries } = aChain();
    const head = { seq: "1", hash: entries[0]?.hash ?? "", entry: lines[0] ?? "" };
    await deltaLedger(answering({ SELECT: [head] })).read();
    // Somebody restored an earlier version: the entry that was seen is not there any more.
    return thrownBy(() => deltaLedger(answering({ SELECT: [{ seq: "0", hash: sha256(""), entry: "0" }] })).read());
  },
  "The workspace's own registry is switched off": async () => {
    const { registry } = openWorkspaceRegistry(place.workspace, signal);
    const { settings } = legacy.of(place.fake.state);
    settings.disabled = true;
    try {
      return await thrownBy(() => registry.model("prod.claims.triage"));
    } finally {
      settings.disabled = false;
    }
  },
};

describe("the errors of docs/databricks.md", () => {
  const troubles = troublesOf(PAGE);

  test("each has a producer, and each producer is in the list", () => {
    expect(troubles.map(({ title }) => title)).toEqual(Object.keys(PRODUCERS));
    expect(troubles.length).toBeGreaterThanOrEqual(10);
    for (const { title, fix, code } of troubles)
      expect([title, fix.length > 20, code !== ""]).toEqual([title, true, true]);
  });

  test.each(Object.keys(PRODUCERS))("%s", { timeout: 120_000 }, async (title) => {
    const said = await PRODUCERS[title]?.();
    const written = troubles.find((trouble) => trouble.title === title);
    expect(said).toEqual(written && { code: written.code, exit: written.exit, text: written.text });
  });
});
