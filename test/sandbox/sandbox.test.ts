import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { factory, type Home, makeHome } from "../support/factory.ts";

const answer = z.object({
  ok: z.boolean(),
  data: z
    .looseObject({
      state: z.string().optional(),
      url: z.string().optional(),
      pid: z.int().optional(),
      port: z.int().optional(),
      message: z.string().optional(),
    })
    .optional(),
  error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }).optional(),
});
const check = z.object({ verdict: z.string(), found: z.string(), fix: z.string().optional() });
const token = z.object({ access_token: z.string() });

describe("factory sandbox", () => {
  let home: Home;
  let variables: Record<string, string>;
  let folder: string;

  beforeAll(() => {
    home = makeHome();
    // Its own: a sandbox belongs to a user's data folder, and other suites share theirs.
    variables = { ...home.variables, XDG_DATA_HOME: join(home.folder, "data") };
    folder = join(home.folder, "data/factory/sandbox");
  });
  afterEach(() => run("stop"));
  afterAll(() => home.remove());

  const run = async (...args: string[]) => {
    const ran = await factory(["sandbox", ...args, "--json"], { cwd: home.folder, variables });
    return { ...ran, ...answer.parse(JSON.parse(ran.stdout)) };
  };
  /** Profiles as a tool reads them. */
  const profiles = (): Map<string, Map<string, string>> => {
    const found = new Map<string, Map<string, string>>();
    let section = new Map<string, string>();
    for (const line of readFileSync(join(folder, "databrickscfg"), "utf8").split("\n")) {
      const name = /^\[(\w+)\]$/.exec(line)?.[1];
      if (name !== undefined) {
        section = new Map();
        found.set(name, section);
      }
      const [, key, value] = /^(\w+) = (.+)$/.exec(line) ?? [];
      if (key !== undefined && value !== undefined) section.set(key, value);
    }
    return found;
  };
  const signIn = async (profile: string): Promise<{ host: string; bearer: string }> => {
    const settings = profiles().get(profile);
    const host = settings?.get("host") ?? "";
    const pat = settings?.get("token");
    if (pat !== undefined) return { host, bearer: pat };
    const basic = Buffer.from(`${settings?.get("client_id")}:${settings?.get("client_secret")}`).toString("base64");
    const reply = await fetch(`${host}/oidc/v1/token`, {
      method: "POST",
      headers: { authorization: `Basic ${basic}` },
      body: new URLSearchParams({ grant_type: "client_credentials", scope: "all-apis" }),
    });
    return { host, bearer: token.parse(await reply.json()).access_token };
  };
  const createModel = async (profile: string, name: string): Promise<number> => {
    const { host, bearer } = await signIn(profile);
    const url = `${host}/api/2.0/mlflow/unity-catalog/registered-models/create`;
    const headers = { authorization: `Bearer ${bearer}` };
    return (await fetch(url, { method: "POST", headers, body: JSON.stringify({ name }) })).status;
  };
  const getModel = async (profile: string, name: string): Promise<number> => {
    const { host, bearer } = await signIn(profile);
    const headers = { authorization: `Bearer ${bearer}` };
    return (await fetch(`${host}/api/2.1/unity-catalog/models/${name}`, { headers })).status;
  };

  it("starts once, says that it is a rehearsal, and gives each environment an identity of its own", async () => {
    const text = await factory(["sandbox", "start"], { cwd: home.folder, variables });
    expect([text.status, text.stderr]).toEqual([0, expect.not.stringContaining("Error")]);
    expect(text.stdout).toContain("This is a rehearsal");
    expect(text.stdout).toContain("nothing of it is Databricks");
    expect(text.stdout).toContain(`export DATABRICKS_CONFIG_FILE=${join(folder, "databrickscfg")}`);
    const secrets = [...profiles().values()].flatMap((each) => [each.get("client_secret"), each.get("token")]);
    expect(secrets.filter((each) => each !== undefined)).toHaveLength(4);
    for (const secret of secrets) if (secret !== undefined) expect(text.stdout + text.stderr).not.toContain(secret);
    for (const file of ["databrickscfg", "sandbox.json", "sandbox.log"])
      expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);

    expect((await run("status")).data?.state).toBe("running");
    expect((await run("start")).data).toMatchObject({ started: false, rehearsal: true });
    expect(await createModel("dev", "dev.claims.triage")).toBe(200);
    expect(await createModel("dev", "test.claims.triage")).toBe(403);
    expect(await createModel("test", "test.claims.triage")).toBe(200);
    expect(await createModel("prod", "prod.claims.triage")).toBe(200);
    expect(await getModel("prod", "dev.claims.triage")).toBe(403);
    expect(await getModel("admin", "dev.claims.triage")).toBe(200);

    const other = await run("start", "--port", "5999");
    expect([other.status, other.error?.code]).toEqual([2, "sandbox.other"]);
    expect((await run("start", "--schemas", "claims,pricing")).error?.message).toContain("without the schema pricing");
    const stopped = await run("stop");
    expect(stopped.data).toMatchObject({ ended: 1, kept: false });
    expect(existsSync(join(folder, "databrickscfg"))).toBe(false);
    expect([(await run("status")).status, (await run("stop")).data?.ended]).toEqual([3, 0]);
  });

  it("keeps its state and its identities when it is asked to", async () => {
    const first = await run("start", "--keep", "--schemas", "claims,pricing");
    expect(await createModel("dev", "dev.pricing.quotes")).toBe(200);
    const before = profiles().get("dev")?.get("client_secret");
    expect((await run("stop")).data).toMatchObject({ ended: 1, kept: true });
    expect((await run("status")).data?.message).toContain(`its port ${first.data?.port} are kept`);
    const again = await run("start", "--keep", "--schemas", "claims,pricing");
    // A policy that was signed with the host still names it.
    expect([again.data?.started, again.data?.url]).toEqual([true, first.data?.url]);
    expect(profiles().get("dev")?.get("client_secret")).toBe(before);
    expect(await getModel("dev", "dev.pricing.quotes")).toBe(200);
    expect(await createModel("dev", "dev.pricing.quotes")).toBe(400);
    await run("stop");
    await run("start");
    expect(await getModel("admin", "dev.pricing.quotes")).toBe(404);
  });

  it("tells a crash, and starts anew after it", async () => {
    const { data } = await run("start");
    process.kill(data?.pid ?? 0, "SIGKILL");
    const crashed = await run("status");
    expect([crashed.status, crashed.data?.state]).toEqual([3, "crashed"]);
    expect((await run("start")).data).toMatchObject({ started: true });
    expect((await run("status")).status).toBe(0);
  });

  it("does not move a kept one to another port by itself, neither after a stop nor after a crash", async () => {
    const { data } = await run("start", "--keep");
    process.kill(data?.pid ?? 0, "SIGKILL");
    expect((await run("start", "--keep")).data).toMatchObject({ started: true, url: data?.url });
    await run("stop");
    const server = createServer().listen(data?.port, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const taken = await run("start", "--keep");
    expect([taken.status, taken.error?.code]).toEqual([4, "sandbox.port-taken"]);
    expect(taken.error?.message).toContain(`port ${data?.port}, which the kept sandbox had before, is taken`);
    expect(taken.error?.hint).toContain("--keep --port N");
    await new Promise((resolve) => server.close(resolve));
    expect((await run("start", "--keep")).data).toMatchObject({ started: true, url: data?.url });
  });

  it("is named as what is missing when its profiles are asked for while it is stopped", async () => {
    await run("start");
    await run("stop");
    const registry = "{ kind: unity-catalog, profile: dev }";
    writeFileSync(
      join(home.folder, "policy.yaml"),
      `factory: 1\nversion: 1\norganisation: Example\nenvironments: [{ name: dev, catalog: dev, registry: ${registry} }]\nriskTiers: { low: {} }\n`,
    );
    const asked = async (file: string) => {
      const doctor = ["doctor", "--env", "dev", "--json"];
      const ran = await factory(doctor, {
        cwd: home.folder,
        variables: { ...variables, DATABRICKS_CONFIG_FILE: file },
      });
      const { checks } = z.object({ data: z.object({ checks: z.array(check) }) }).parse(JSON.parse(ran.stdout)).data;
      return checks.find(({ verdict, found }) => verdict === "missing" && found.includes(file));
    };
    const file = join(folder, "databrickscfg");
    expect(await asked(file)).toMatchObject({
      found: `there is no file ${file}, and so no profile dev: it is the sandbox's, which is stopped`,
      fix: expect.stringContaining("factory sandbox start"),
    });
    const other = join(home.folder, "none.cfg");
    expect(await asked(other)).toMatchObject({
      found: `there is no file ${other}, and so no profile dev`,
      fix: expect.stringContaining("databricks auth login --profile dev"),
    });
  });

  it("names who holds a port, and leaves that one alone", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const taken = await run("start", "--port", String(port));
    expect([taken.status, taken.error?.code]).toEqual([4, "sandbox.port-taken"]);
    expect(taken.error?.message).toContain(`port ${port} is taken`);
    server.close();
    const bad = await run("start", "--schemas", "a b");
    expect([bad.status, bad.error?.code]).toEqual([2, "sandbox.schema"]);
  });
});
