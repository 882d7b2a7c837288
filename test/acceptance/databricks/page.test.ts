import { execFile, execFileSync } from "node:child_process";
import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import * as z from "zod";
import { openWorkspace } from "../../../src/clients/databricks/open-workspace.ts";
import { workspaceSight } from "../../../src/clients/databricks/sight.ts";
import { policySchema } from "../../../src/policy/policy.ts";
import { RUN_AS } from "../../deploy/world.ts";
import { standIn } from "../../fakes/databricks-cli/stand-in.ts";
import { type FakeWorkspace, startWorkspace } from "../../fakes/workspace/server.ts";
import { serving } from "../../fakes/workspace/serving/state.ts";
import { unity } from "../../fakes/workspace/unity/store.ts";
import { type Home, makeHome } from "../../support/factory.ts";
import { testPython } from "../../support/mlflow-server.ts";
import { program } from "../../support/paths.ts";
import { countOfMarks, type Setup, setupOf, triedBlocks, untriedCommands } from "./page.ts";
import { sealCheck, shrinkProject } from "./small-project.ts";

// docs/databricks.md, line by line: its SQL makes the workspace, its YAML the policy, its commands are typed into a shell by the person
// that the page names. The workspace is the stand-in, with the rights of the page and no others.

const BLOCKS = triedBlocks();
const blockOf = (mark: string): string[] => {
  const found = BLOCKS.filter(({ marks }) => marks[0] === mark);
  expect(found.length, mark).toBe(1);
  return found[0]?.lines ?? [];
};
const ENVIRONMENTS = [
  { name: "dev", id: "11111111-1111-4111-8111-111111111111" },
  { name: "test", id: "22222222-2222-4222-8222-222222222222" },
  { name: "prod", id: "33333333-3333-4333-8333-333333333333" },
] as const;
/** Tried in tests of their own. */
const APART = ["profile of CI", "ledger"];
const READERS = "model-readers";
const PEOPLE = ["author", "approver", "ci"] as const;
type Who = (typeof PEOPLE)[number];
const ADDRESSES: Readonly<Record<Who, string>> = {
  author: "you@example.com",
  approver: "approver@example.com",
  ci: "ci-claims@example.com",
};
const GIT_URL = "git@git.example.com:risk/governance.git";

/** The statements for one environment, and "the same for test and prod". */
function grantsFor(environment: (typeof ENVIRONMENTS)[number]): Setup {
  return setupOf(
    blockOf("sql").map((line) =>
      line.replaceAll(/\bdev\b/g, environment.name).replaceAll(ENVIRONMENTS[0].id, environment.id),
    ),
  );
}

const principals = [
  ...ENVIRONMENTS.map(({ name, id }) => ({
    name: `factory-${name}`,
    kind: "service-principal" as const,
    applicationId: id,
  })),
  { name: "jobs-of-claims", kind: "service-principal" as const, applicationId: RUN_AS },
  { name: ADDRESSES.author, groups: [READERS] },
  { name: ADDRESSES.approver, groups: [READERS] },
];

describe.sequential("docs/databricks.md, line by line", () => {
  /** A workspace for each environment, as on the page; none knows the catalogs of the others. */
  const fakes = new Map<string, FakeWorkspace>();
  let home: Home;
  let cwd = "";
  let project = "";
  const keys = new Map<string, string>();
  const variables = new Map<Who, Record<string, string>>();
  const of = (who: Who): Record<string, string> => variables.get(who) ?? {};
  const at = (name: string): FakeWorkspace => {
    const fake = fakes.get(name);
    if (fake === undefined) throw new Error(`no workspace ${name}`);
    return fake;
  };

  beforeAll(async () => {
    const { bin } = await testPython();
    for (const environment of ENVIRONMENTS) {
      const { catalogs, grants } = grantsFor(environment);
      fakes.set(environment.name, await startWorkspace({ principals, catalogs, grants }));
    }
    home = makeHome();
    cwd = join(home.folder, "work");
    project = join(cwd, "models", "claims-triage");
    const tools = join(home.folder, "bin");
    for (const folder of [cwd, tools]) mkdirSync(folder);
    writeFileSync(join(tools, "factory"), `#!/bin/sh\nexec ${process.execPath} ${program} "$@"\n`);
    chmodSync(join(tools, "factory"), 0o755);
    const cli = standIn(join(home.folder, "cli"));
    execFileSync("git", ["init", "--quiet", "--bare", join(home.folder, "governance.git")], { env: home.variables });
    for (const who of PEOPLE) {
      const own = join(home.folder, who);
      mkdirSync(own);
      const profiles = ENVIRONMENTS.map(({ name }) => {
        const { url, identity } = at(name);
        const { token, clientId, clientSecret } = identity(who === "ci" ? `factory-${name}` : ADDRESSES[who]);
        const secret = who === "ci" ? `client_id = ${clientId}\nclient_secret = ${clientSecret}` : `token = ${token}`;
        return `[${name}]\nhost = ${url}\n${secret}\n`;
      });
      writeFileSync(join(own, ".databrickscfg"), profiles.join("\n"), { mode: 0o600 });
      variables.set(who, {
        ...home.variables,
        PATH: [tools, bin, home.variables.PATH].join(delimiter),
        HOME: own,
        XDG_CONFIG_HOME: join(own, ".config"),
        XDG_CACHE_HOME: join(own, ".cache"),
        GIT_AUTHOR_EMAIL: ADDRESSES[who],
        GIT_COMMITTER_EMAIL: ADDRESSES[who],
        ...(who === "ci" && { DATABRICKS_CLI_PATH: cli.path }),
      });
    }
  }, 300_000);
  afterAll(async () => {
    home?.remove();
    await Promise.all([...fakes.values()].map((fake) => fake.stop()));
  });

  /** Types a line; `# exit 3: text` says what has to come of it. Where the shell is afterwards holds for the next line. */
  async function type(who: Who, line: string, more: Record<string, string> = {}): Promise<string> {
    const command = line.replaceAll(GIT_URL, join(home.folder, "governance.git"));
    const script = `${command}\nstatus=$?\npwd > "$HERE"\nexit $status`;
    const here = join(home.folder, "here");
    const ran = await new Promise<{ status: number; said: string }>((resolve) => {
      const env = { ...of(who), HERE: here, ...more };
      execFile("bash", ["-c", script], { cwd, env, timeout: 280_000 }, (error, stdout, stderr) => {
        const status = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        resolve({ status, said: `${stdout}${stderr}` });
      });
    });
    const [, status = "0", text = ""] = /# exit (\d)(?:: (.*))?$/.exec(line) ?? [];
    expect(ran.status, `${line}\n${ran.said}`).toBe(Number(status));
    expect(ran.said).toContain(text);
    cwd = readFileSync(here, "utf8").trim();
    const [, address = "", key = ""] = /^ {2}(\S+@example\.com): (\{.*\})$/m.exec(ran.said) ?? [];
    if (address !== "") keys.set(address, key);
    return ran.said;
  }

  const document = z.record(z.string(), z.unknown());
  const writePolicy = (lines: readonly string[]): void => {
    const path = join(cwd, "policy.yaml");
    let text = lines.join("\n");
    for (const [i, { name }] of ENVIRONMENTS.entries())
      text = text.replaceAll(`https://adb-${i + 1}.azuredatabricks.net`, at(name).url);
    const given = document.parse(parse(text));
    const people = document.parse(given.people);
    for (const [address, entry] of Object.entries(people)) {
      const printed: unknown = parse(keys.get(address) ?? "null");
      // The page shows what was printed, but for key and day.
      const shape = (value: unknown) => JSON.stringify(value).replaceAll(/"(?:ed25519:[^"]+|\d{4}-\d\d-\d\d)"/g, '"…"');
      expect(shape(entry), address).toBe(shape(printed));
      people[address] = printed;
    }
    writeFileSync(path, stringify({ ...document.parse(parse(readFileSync(path, "utf8"))), ...given, people }));
  };
  const alias = (environment: string, name: string): unknown =>
    unity.of(at(environment).state).models.get(`${environment}.claims.triage`)?.aliases.get(name);

  /** In words on the page: the permissions of an endpoint are set on a screen. */
  const showEndpoint = async (environment: string): Promise<void> => {
    const { url, state, admin } = at(environment);
    const id = serving.of(state).endpoints.get("claims-triage")?.id ?? "";
    const headers = { authorization: `Bearer ${admin.token}` };
    const body = JSON.stringify({ access_control_list: [{ group_name: READERS, permission_level: "CAN_VIEW" }] });
    const reply = await fetch(`${url}/api/2.0/permissions/serving-endpoints/${id}`, { method: "PATCH", headers, body });
    expect(reply.status).toBe(200);
  };
  /** Somebody takes it away by hand, and brings it back. */
  const hideEndpoint = async (who: Who): Promise<void> => {
    const { endpoints } = serving.of(at("prod").state);
    const up = endpoints.get("claims-triage");
    if (up === undefined) throw new Error("nothing serves");
    endpoints.delete("claims-triage");
    expect(await type(who, "factory status")).toContain("is gone; by the ledger it answers v1");
    await type(who, "factory verify # exit 3: is gone; by the ledger it answers v1");
    endpoints.set("claims-triage", up);
  };

  it("has every mark read", () => {
    expect(BLOCKS.length).toBe(countOfMarks());
    expect(BLOCKS.length).toBeGreaterThan(15);
    // It trains three models, and is the same story as the rest of the page.
    expect(untriedCommands()).toEqual(["factory quickstart --sandbox"]);
  });

  let number = 0;
  for (const { marks, lines } of BLOCKS.filter((block) => !APART.includes(block.marks[0] ?? ""))) {
    const [first = "", what] = marks;
    const who = PEOPLE.find((each) => each === first);
    number++;
    it(`${number}. ${marks.join(", ")}: ${lines[0]}`, { timeout: 600_000 }, async () => {
      if (first.startsWith("sql")) expect(setupOf(lines).statements.length).toBeGreaterThan(1);
      else if (first === "policy") writePolicy(lines);
      else if (first === "tickets.yaml") writeFileSync(join(cwd, "tickets.yaml"), `${lines.join("\n")}\n`);
      else if (first === "rehearsal") {
        const before = cwd;
        const data = join(of("author").HOME ?? "", ".local/share");
        for (const line of lines) {
          const said = await type("author", line, { XDG_DATA_HOME: data });
          if (!line.startsWith("factory sandbox start")) continue;
          const [, told = ""] = /export DATABRICKS_CONFIG_FILE=(\S+)/.exec(said) ?? [];
          expect(existsSync(told)).toBe(true);
          expect(lines.join("\n")).toContain(told.replace(of("author").HOME ?? "", "~"));
        }
        cwd = before;
      } else if (who !== undefined) {
        if (what === "changed bundle") appendFileSync(join(project, "databricks.yml"), "# changed\n");
        for (const line of lines) {
          if (line !== "factory check") await type(who, line);
          else {
            const { HOME = "", XDG_CONFIG_HOME: config = "", XDG_CACHE_HOME: cache = "" } = of(who);
            const options = { variables: of(who), home: HOME, places: { config, cache }, version: "0.0.0" };
            await sealCheck(project, await openWorkspace({ profile: "dev" }, options), of(who));
          }
          const released = /^factory release 1 --env (\w+)/.exec(line)?.[1];
          if (released !== undefined) await showEndpoint(released);
          if (released === "prod") {
            expect([alias("prod", "champion"), alias("prod", "challenger")]).toEqual([1, undefined]);
            await hideEndpoint(who);
          }
          if (line.startsWith("factory rollback")) expect(alias("prod", "champion")).toBeUndefined();
        }
        if (what === "changed bundle")
          execFileSync("git", ["checkout", "--quiet", "--", "databricks.yml"], { cwd: project, env: of(who) });
        if (what === "project") shrinkProject(project, of(who));
        const secret = join(home.folder, "work", "ci-claims.pem");
        if (existsSync(secret)) variables.set("ci", { ...of("ci"), FACTORY_SIGNING_KEY: readFileSync(secret, "utf8") });
      } else throw new Error(`nobody tries ${marks.join(", ")}`);
    });
  }

  it("lets a GitHub job in by the profile of the page, without a secret", { timeout: 120_000 }, async () => {
    const fake = at("dev");
    const { url: issuer, requestUrl, requestToken } = fake.issuer;
    fake.federate({
      issuer,
      audiences: [`${fake.url}/oidc/v1/token`],
      subject: "repo:acme/models:environment:production",
      servicePrincipal: "factory-dev",
    });
    const profiles = join(home.folder, "profiles-of-ci");
    const text = blockOf("profile of CI").join("\n").replace("https://adb-1.azuredatabricks.net", fake.url);
    writeFileSync(profiles, `${text}\n`, { mode: 0o600 });
    cwd = project;
    const said = await type("ci", "factory doctor --env dev", {
      DATABRICKS_CONFIG_FILE: profiles,
      ACTIONS_ID_TOKEN_REQUEST_URL: requestUrl,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: requestToken,
    });
    expect(said).toContain(`${fake.url}, ID token of GitHub`);
    expect(said).toContain(`${ENVIRONMENTS[0].id} (service principal)`);
  });

  it("has a line for the ledger that the policy takes", () => {
    const policy = document.parse(parse(readFileSync(join(project, "../policy.yaml"), "utf8")));
    const ledger = document.parse(parse(blockOf("ledger").join("\n")));
    expect(policySchema.parse({ ...policy, ...ledger }).ledger).toMatchObject({
      kind: "delta",
      table: "governance.factory.ledger",
    });
  });

  it("leaves in the ledger what the page's table says, in the repository", () => {
    const git = ["--git-dir", join(home.folder, "governance.git"), "show", "ledger:claims-triage.jsonl"];
    const text = execFileSync("git", git, { env: home.variables, encoding: "utf8" });
    const kinds = [...text.matchAll(/"kind":"([a-z.]+)"/g)].map(([, kind]) => kind);
    for (const kind of ["registered", "approved", "promoted", "deployed", "released", "rolledback"])
      expect(kinds).toContain(kind);
    expect(kinds.filter((kind) => kind === "released").length).toBe(2);
  });
});

describe("the grants of docs/databricks.md", () => {
  /** What the doctor asks for, step by step, each granted at once. */
  async function askedFor(
    setup: Setup,
    owned: boolean,
    look: (sight: ReturnType<typeof workspaceSight>) => Promise<readonly string[]>,
  ): Promise<string[]> {
    const catalogs = setup.catalogs.length > 0 ? setup.catalogs : grantsFor(ENVIRONMENTS[2]).catalogs;
    const fake = await startWorkspace({ principals, catalogs });
    const home = makeHome();
    try {
      const { token } = fake.identity("factory-prod");
      writeFileSync(join(home.folder, ".databrickscfg"), `[prod]\nhost = ${fake.url}\ntoken = ${token}\n`);
      const places = { config: join(home.folder, "config"), cache: join(home.folder, "cache") };
      const workspace = await openWorkspace(
        { profile: "prod" },
        { variables: {}, home: home.folder, places, version: "0.0.0" },
      );
      if (owned) {
        const url = `${fake.url}/api/2.0/mlflow/unity-catalog/registered-models/create`;
        const headers = { authorization: `Bearer ${fake.admin.token}` };
        await fetch(url, { method: "POST", headers, body: JSON.stringify({ name: "prod.claims.triage" }) });
      }
      const asked = new Set<string>();
      for (let round = 0; round < 5; round++) {
        const missing = await look(workspaceSight(workspace));
        if (missing.length === 0) break;
        for (const statement of missing) asked.add(statement);
        for (const grant of setupOf(missing.map((each) => `${each};`)).grants) fake.grant(grant);
      }
      return [...asked].sort();
    } finally {
      home.remove();
      await fake.stop();
    }
  }
  const of = (setup: Setup) => setup.statements.filter((each) => !each.includes(READERS)).sort();

  it("are those that the doctor asks for, for a new model and its evidence", async () => {
    const setup = grantsFor(ENVIRONMENTS[2]);
    const asked = await askedFor(setup, false, async (sight) => [
      ...(await sight.model("prod.claims.triage", "writer")).missing,
      ...(await sight.volume("prod.claims.factory_evidence", "writer")).missing,
    ]);
    expect(of(setup)).toEqual(asked);
  });

  it("are those that the doctor asks for, for a model of somebody else", async () => {
    const setup = setupOf(blockOf("sql of others"));
    const asked = await askedFor(
      setup,
      true,
      async (sight) => (await sight.model("prod.claims.triage", "writer")).missing,
    );
    expect(of(setup)).toEqual(asked.filter((each) => !/ (?:USE|CREATE MODEL ON)/.test(each)));
  });

  it("are those that the doctor asks for, for the ledger's table", async () => {
    const setup = setupOf(blockOf("sql of the ledger"));
    const asked = await askedFor(
      setup,
      false,
      async (sight) => (await sight.table("governance.factory.ledger")).missing,
    );
    expect(of(setup)).toEqual(asked);
  });
});
