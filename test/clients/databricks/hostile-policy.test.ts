import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FakeWorkspace, startWorkspace } from "../../fakes/workspace/server.ts";
import { type TestHome, testHome } from "./world.ts";

/** A policy is written by others: it may choose among this user's profiles, and nothing more. */
describe("a policy that reaches for a credential", () => {
  let ours: FakeWorkspace;
  let stranger: FakeWorkspace;
  let home: TestHome;
  beforeAll(async () => {
    ours = await startWorkspace();
    stranger = await startWorkspace();
    home = testHome();
    home.profiles(`[main]\nhost = ${ours.url}\ntoken = planted-token-of-ours\n`);
  });
  afterAll(async () => {
    home.remove();
    await Promise.all([ours.stop(), stranger.stop()]);
  });

  const credentials: [string, Record<string, string>][] = [
    ["a token", { DATABRICKS_TOKEN: "planted-token" }],
    ["a client's secret", { DATABRICKS_CLIENT_ID: "c", DATABRICKS_CLIENT_SECRET: "planted-secret" }],
    ["an ID token", { DATABRICKS_OIDC_TOKEN: "planted-id-token", DATABRICKS_CLIENT_ID: "c" }],
    [
      "a GitHub job",
      { ACTIONS_ID_TOKEN_REQUEST_URL: "http://127.0.0.1:9/x", ACTIONS_ID_TOKEN_REQUEST_TOKEN: "planted" },
    ],
  ];
  test.each(credentials)("%s of the variables does not go to the host that it pins", async (_, variables) => {
    await expect(home.open("unknown", { host: stranger.url, variables })).rejects.toMatchObject({ exit: 2 });
    const named = { ...variables, DATABRICKS_HOST: ours.url };
    await expect(home.open("unknown", { host: stranger.url, variables: named })).rejects.toMatchObject({
      code: "databricks.host",
      exit: 2,
      message: expect.stringContaining(`the policy says ${stranger.url}`),
    });
    expect(stranger.log).toEqual([]);
  });

  test("a profile does not go to another host", async () => {
    await expect(home.open("main", { host: stranger.url })).rejects.toMatchObject({ code: "databricks.host", exit: 2 });
    expect((await home.open("main", { host: `${ours.url}/` })).host).toBe(ours.url);
    expect(stranger.log).toEqual([]);
  });

  test.each(["http://example.com", "https://user:pw@example.com", "ftp://example.com", "https://"])(
    "%s is no address for a credential",
    async (host) => {
      await expect(home.open("main", { host })).rejects.toMatchObject({ code: "databricks.host", exit: 2 });
    },
  );

  test.each(["/api/../../x", "/api/%2e%2E/x", "//example.com/x", "/api?x=1", "/api#x", "api", "/api\\x"])(
    "a name that was not encoded leads nowhere: %s",
    async (path) => {
      const opened = await home.open("main");
      await expect(opened.attempt({ method: "GET", path })).rejects.toMatchObject({ code: "workspace.path" });
    },
  );
});
