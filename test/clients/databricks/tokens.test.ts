import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as z from "zod";
import { expiryOf } from "../../../src/clients/databricks/auth/databricks-cli.ts";
import type { Workspace } from "../../../src/clients/databricks/workspace.ts";
import { fakeServer, json } from "../../fakes/http-server.ts";
import { type FakeWorkspace, startWorkspace } from "../../fakes/workspace/server.ts";
import { type TestHome, testHome } from "./world.ts";

const ME = { method: "GET", path: "/api/2.0/preview/scim/v2/Me" } as const;
const TOKEN_ROUTE = "/oidc/v1/token";
const user = z.object({ userName: z.string() });

describe("tokens", () => {
  let workspace: FakeWorkspace;
  let home: TestHome;
  let now = Date.now();
  beforeEach(async () => {
    now = Date.now();
    workspace = await startWorkspace({ principals: [{ name: "ci" }], now: () => now });
    home = testHome();
    const { clientId, clientSecret } = workspace.identity("ci");
    home.profiles(
      `[m2m]\nhost = ${workspace.url}\nclient_id = ${clientId}\nclient_secret = ${clientSecret}\n` +
        `[pat]\nhost = ${workspace.url}\ntoken = ${workspace.admin.token}\n` +
        `[cli]\nhost = ${workspace.url}\n`,
    );
  });
  afterEach(async () => {
    home.remove();
    await workspace.stop();
  });
  const me = async (opened: Workspace): Promise<string> => (await opened.demand(ME, user)).userName;
  const minted = () => workspace.asked(TOKEN_ROUTE).length;
  const open = (profile: string) => home.open(profile, { now: () => now });

  test("nothing is asked before the first call; many callers share one request for a token", async () => {
    const opened = await open("m2m");
    expect(workspace.log).toEqual([]);
    const names = await Promise.all(Array.from({ length: 8 }, () => me(opened)));
    expect(new Set(names)).toEqual(new Set([workspace.identity("ci").name]));
    expect(minted()).toBe(1);
  });

  test("the next command finds the token; in a file that only its user may read, and only with the same secret", async () => {
    await me(await open("m2m"));
    await me(await open("m2m"));
    expect(minted()).toBe(1);
    const folder = join(home.config, "databricks-tokens");
    const [name = ""] = readdirSync(folder);
    expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(readFileSync(join(folder, name), "utf8")).not.toContain(workspace.identity("ci").clientSecret);
    // Who has lost the secret has lost the token.
    home.profiles(
      `[m2m]\nhost = ${workspace.url}\nclient_id = ${workspace.identity("ci").clientId}\nclient_secret = other\n`,
    );
    await expect(me(await open("m2m"))).rejects.toMatchObject({ code: "databricks.refused", exit: 4 });
  });

  test("a kept token that others may read is not trusted", async () => {
    await me(await open("m2m"));
    const folder = join(home.config, "databricks-tokens");
    for (const name of readdirSync(folder)) chmodSync(join(folder, name), 0o644);
    await me(await open("m2m"));
    expect(minted()).toBe(2);
  });

  test("a personal access token is never kept", async () => {
    await me(await open("pat"));
    expect(existsSync(join(home.config, "databricks-tokens"))).toBe(false);
  });

  test("it is renewed well before its end", async () => {
    const opened = await open("m2m");
    await me(opened);
    now += 39 * 60_000;
    await me(opened);
    expect(minted()).toBe(1);
    now += 2 * 60_000;
    await me(opened);
    expect(minted()).toBe(2);
  });

  test("one that is refused in the middle is renewed once, and the call is repeated", async () => {
    const opened = await open("m2m");
    await me(opened);
    workspace.expireTokens();
    expect(await me(opened)).toBe(workspace.identity("ci").name);
    expect(minted()).toBe(2);
    workspace.fault({ kind: "expire", route: "scim/v2/Me", times: 0 });
    await expect(me(opened)).rejects.toMatchObject({ code: "http.401", exit: 4 });
    expect(minted()).toBe(3);
  });

  test("a personal access token that is refused is not asked for again", async () => {
    const opened = await open("pat");
    workspace.expireTokens("admin@example.com");
    const before = workspace.log.length;
    await expect(me(opened)).rejects.toMatchObject({ exit: 4, hint: expect.stringContaining("factory doctor") });
    expect(workspace.log.length - before).toBe(1);
  });

  test("while the place that gives out tokens is down, one that still holds is used", async () => {
    const opened = await open("m2m");
    await me(opened);
    now += 45 * 60_000;
    const fault = workspace.fault({ kind: "html", status: 502, route: TOKEN_ROUTE, times: 0 });
    expect(await me(opened)).toBe(workspace.identity("ci").name);
    fault.clear();
    now += 30 * 60_000;
    await me(opened);
    expect(minted()).toBeGreaterThan(1);
  }, 30_000);

  test("a workspace that names another host for its tokens gets no secret", async () => {
    const bent = await fakeServer((_, response) =>
      json(response, 200, { token_endpoint: `${workspace.url}/oidc/v1/token` }),
    );
    try {
      home.profiles(`[m2m]\nhost = ${bent.uri}\nclient_id = c\nclient_secret = planted-secret\n`);
      await expect(me(await open("m2m"))).rejects.toMatchObject({ code: "databricks.endpoint", exit: 4 });
      expect(workspace.log).toEqual([]);
      expect(bent.seen.map(({ method }) => method)).toEqual(["GET"]);
    } finally {
      await bent.stop();
    }
  });

  test("the login of the CLI: no shell, no variables of others, only its two fields; a refused one is renewed there", async () => {
    const expiry = new Date(now + 3_600_000).toISOString();
    const { token } = workspace.admin;
    const printed = (access_token: string) =>
      JSON.stringify({ access_token, token_type: "Bearer", expiry, refresh_token: "planted-refresh" });
    home.program("databricks", { "--force-refresh": printed(token), "auth token": printed("gone-already-it-is") });
    const variables = { DATABRICKS_TOKEN: "planted", ARM_CLIENT_SECRET: "planted", MLFLOW_TRACKING_TOKEN: "planted" };
    const opened = await home.open("cli", { variables });
    expect(opened.credential).toEqual({
      authType: "databricks-cli",
      from: `${join(home.bin, "databricks")} auth token --profile cli`,
    });
    expect(await me(opened)).toBe("admin@example.com");
    expect(home.calls("databricks")).toEqual(["auth token --profile cli", "auth token --profile cli --force-refresh"]);
    expect(home.given("databricks")).toEqual(expect.arrayContaining(["DATABRICKS_CONFIG_FILE", "HOME", "PATH"]));
    expect(home.given("databricks").filter((name) => /TOKEN|SECRET/.test(name))).toEqual([]);
    expect(existsSync(join(home.config, "databricks-tokens"))).toBe(false);
  });

  test("a program that lies in the folder of a project is not run", async () => {
    home.program("databricks", {});
    writeFileSync(join(home.folder, "here"), "");
    await expect(home.open("cli", { variables: { PATH: `bin:.:${join(home.folder, "none")}` } })).rejects.toMatchObject(
      { exit: 2 },
    );
    await expect(
      home.open("cli", { variables: { DATABRICKS_HOST: workspace.url, DATABRICKS_CLI_PATH: "./bin/databricks" } }),
    ).rejects.toMatchObject({
      code: "databricks.program",
      exit: 2,
    });
    expect(home.calls("databricks")).toEqual([]);
  });
});

test.each([
  ["2026-11-29T05:00:00Z", "2026-11-29T05:00:00.000Z"],
  ["2026-11-29T05:00:00.123456789Z", "2026-11-29T05:00:00.123Z"],
  ["2026-11-29T06:00:00.5+01:00", "2026-11-29T05:00:00.500Z"],
  ["2026-11-29 05:00:00", "2026-11-29T05:00:00.000Z"],
])("the end of a login, %s", (text, expected) => {
  expect(new Date(expiryOf(text) ?? 0).toISOString()).toBe(expected);
});
