import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import * as z from "zod";
import type { Workspace } from "../../../src/clients/databricks/workspace.ts";
import { FactoryError } from "../../../src/lib/error.ts";
import { type FakeWorkspace, startWorkspace } from "../../fakes/workspace/server.ts";
import { AZURE_HOST, type AzureFront, azureFront } from "./azure-front.ts";
import { type TestHome, testHome } from "./world.ts";

const ME = { method: "GET", path: "/api/2.0/preview/scim/v2/Me" } as const;
const user = z.object({ userName: z.string() });
const DATABRICKS = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";
const GET_TOKEN = `account get-access-token --resource ${DATABRICKS} --output json`;

let folder: string;
let fake: FakeWorkspace;
let front: AzureFront;
let home: TestHome;
let now = Date.now();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "factory-azure-"));
  fake = await startWorkspace({ principals: [{ name: "ci" }], now: () => now });
  front = await azureFront(fake, folder);
}, 60_000);
afterAll(async () => {
  await front?.stop();
  await fake?.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  now = Date.now();
  home = testHome();
  front.seen.length = 0;
});
afterEach(() => home.remove());

const open = (variables: Record<string, string> = {}) => home.open("p", { variables, now: () => now });
const me = async (opened: Workspace): Promise<string> => (await opened.demand(ME, user)).userName;
const logins = () =>
  front.seen.filter(({ host }) => host.startsWith("login.")).map(({ body }) => new URLSearchParams(body));

/** The profile `p` for the workspace of Azure, with more lines. */
function profile(...more: string[]): void {
  home.profiles([`[p]`, `host = ${AZURE_HOST}`, ...more].join("\n"));
}
function principal(secret = fake.identity("ci").clientSecret ?? ""): string[] {
  const { clientId } = fake.identity("ci");
  return [`azure_client_id = ${clientId}`, `azure_client_secret = ${secret}`, `azure_tenant_id = ${fake.azure.tenant}`];
}
/** What `az account get-access-token` prints for a login that holds for an hour. */
const printed = (accessToken: string, more: object = { expires_on: Math.floor(now / 1000) + 3600 }) =>
  JSON.stringify({ accessToken, subscription: "s", tenant: fake.azure.tenant, tokenType: "Bearer", ...more });

describe("a service principal of Azure", () => {
  test("gets a token of its tenant for Databricks, which the next command finds again", async () => {
    profile(...principal());
    const opened = await open();
    expect(opened.credential).toEqual({
      authType: "azure-client-secret",
      from: `profile p of ${join(home.folder, ".databrickscfg")}`,
    });
    expect(front.seen).toEqual([]);
    expect(await me(opened)).toBe(fake.identity("ci").name);
    expect(await me(await open())).toBe(fake.identity("ci").name);
    expect(logins().map((form) => Object.fromEntries(form))).toEqual([
      {
        grant_type: "client_credentials",
        client_id: fake.identity("ci").clientId,
        client_secret: fake.identity("ci").clientSecret,
        resource: DATABRICKS,
      },
    ]);
    const [login] = front.seen;
    expect(login?.path).toBe(`/${fake.azure.tenant}/oauth2/token`);
    expect(front.seen.filter(({ path }) => path === ME.path).map(({ headers }) => headers["user-agent"])).toEqual([
      expect.stringContaining("auth/azure-client-secret"),
      expect.stringContaining("auth/azure-client-secret"),
    ]);
  });

  test("by the variables of a CI job, and renewed when it is refused in the middle", async () => {
    const { clientId = "", clientSecret = "" } = fake.identity("ci");
    profile();
    const opened = await open({
      DATABRICKS_HOST: AZURE_HOST,
      ARM_CLIENT_ID: clientId,
      ARM_CLIENT_SECRET: clientSecret,
      ARM_TENANT_ID: fake.azure.tenant,
    });
    expect(opened.credential).toEqual({ authType: "azure-client-secret", from: "ARM_CLIENT_SECRET" });
    await me(opened);
    fake.expireTokens();
    expect(await me(opened)).toBe(fake.identity("ci").name);
    expect(logins()).toHaveLength(2);
  });

  test("one that the workspace does not know itself shows a second token and the workspace's own id, asked for once", async () => {
    const resource = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Databricks/workspaces/w";
    profile(...principal(), `azure_workspace_resource_id = ${resource}`);
    const opened = await open();
    await me(opened);
    await me(opened);
    expect(logins().map((form) => form.get("resource"))).toEqual([DATABRICKS, "https://management.core.windows.net/"]);
    const asked = front.seen.filter(({ path }) => path === ME.path);
    expect(asked).toHaveLength(2);
    for (const { headers } of asked) {
      expect(headers["x-databricks-azure-workspace-resource-id"]).toBe(resource);
      expect(headers["x-databricks-azure-sp-management-token"]).not.toBe(headers.authorization?.replace("Bearer ", ""));
      expect(headers["x-databricks-azure-sp-management-token"]).toMatch(/^\S{20,}$/);
    }
    now += 3_590_000;
    await me(opened);
    expect(logins().filter((form) => form.get("resource") !== DATABRICKS)).toHaveLength(2);
  });

  test("whose secret is wrong: that is the answer, and no other login stands in for it", async () => {
    home.program("az", { [GET_TOKEN]: printed(fake.admin.token) });
    profile(...principal("planted-wrong-secret"));
    const refused = await me(await open()).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: "databricks.refused",
      exit: 4,
      message: expect.stringMatching(
        /^https:\/\/login\.microsoftonline\.com refuses Azure client \S+, whose secret is from profile p of \S+ \(401 invalid_client\): AADSTS7000215/,
      ),
    });
    expect(String(refused)).not.toContain("planted-wrong-secret");
    expect(home.calls("az")).toEqual([]);
  });
});

describe("the login of the Azure CLI", () => {
  test("is asked for with the workspace's own tenant; no variable of another login reaches it", async () => {
    home.program("az", { [`${GET_TOKEN} --tenant ${fake.azure.tenant}`]: printed(fake.admin.token) });
    profile();
    const others = { MLFLOW_TRACKING_TOKEN: "planted", AZURE_CLIENT_SECRET: "planted", GITHUB_TOKEN: "planted" };
    const opened = await open({ ...others, ...front.variables, AZURE_CONFIG_DIR: "/some/where" });
    expect(opened.credential).toEqual({
      authType: "azure-cli",
      from: `${join(home.bin, "az")} account get-access-token`,
    });
    expect(await me(opened)).toBe("admin@example.com");
    expect(home.calls("az")).toEqual([`${GET_TOKEN} --tenant ${fake.azure.tenant}`]);
    const given = home.given("az");
    expect(given).toEqual(expect.arrayContaining(["AZURE_CONFIG_DIR", "HOME", "HTTPS_PROXY", "PATH", "SSL_CERT_FILE"]));
    expect(given.filter((name) => /TOKEN|SECRET/.test(name))).toEqual([]);
    // It is asked again well before the end of what it gave.
    now += 41 * 60_000;
    await me(opened);
    expect(home.calls("az")).toHaveLength(2);
  });

  test("of a machine has no tenant to choose: it is asked without one; a tenant that is configured is never left out", async () => {
    const path = join(home.bin, "az");
    const script = `#!/bin/sh\necho "$*" >> "${path}.calls"\ncase "$*" in *--tenant*) echo "ERROR: no tenant for an identity of the machine" >&2; exit 1;; esac\necho '${printed(fake.admin.token, { expiresOn: "2099-01-01 00:00:00.000000" })}'\n`;
    writeFileSync(path, script);
    chmodSync(path, 0o755);
    profile();
    expect(await me(await open())).toBe("admin@example.com");
    expect(home.calls("az")).toEqual([`${GET_TOKEN} --tenant ${fake.azure.tenant}`, GET_TOKEN]);
    profile(`azure_tenant_id = ${fake.azure.tenant}`);
    await expect(open()).rejects.toMatchObject({
      code: "databricks.credential",
      problems: expect.arrayContaining([
        { message: expect.stringMatching(/^azure-cli: .*az account get-access-token failed \(1\): no tenant for an/) },
      ]),
    });
    expect(home.calls("az")).toHaveLength(3);
  });

  test("that prints something else, or is not logged in, is no credential; pinned, its own error is told", async () => {
    home.program("az", {}, "ERROR: Please run 'az login' to setup account.".replaceAll("'", ""));
    profile();
    await expect(open()).rejects.toMatchObject({
      code: "databricks.credential",
      exit: 2,
      problems: expect.arrayContaining([
        { message: "azure-client-secret: no azure_client_id with azure_client_secret and azure_tenant_id" },
        { message: expect.stringMatching(/^azure-cli: .*failed \(1\): Please run az login to setup account\.$/) },
      ]),
    });
    profile("auth_type = azure-cli");
    const opened = await open();
    await expect(me(opened)).rejects.toMatchObject({ code: "databricks.program", exit: 4 });
    home.program("az", { [GET_TOKEN]: "{}" });
    await expect(me(await open())).rejects.toMatchObject({
      code: "databricks.program",
      message: expect.stringContaining("did not print a token"),
    });
  });
});

describe("which of them is taken", () => {
  const loggedIn = () => home.program("az", { [GET_TOKEN]: printed(fake.admin.token) });

  test("in the order of Databricks' own tools: token, client, CLI of Databricks, secret of Azure, login of Azure", async () => {
    loggedIn();
    const taken = async (...lines: string[]) => {
      profile(...lines);
      return (await open()).credential.authType;
    };
    const { clientId, clientSecret } = fake.identity("ci");
    expect(await taken(`token = ${fake.admin.token}`)).toBe("pat");
    expect(await taken(`client_id = ${clientId}`, `client_secret = ${clientSecret}`)).toBe("oauth-m2m");
    expect(await taken(...principal())).toBe("azure-client-secret");
    expect(home.calls("az")).toEqual([]);
    expect(await taken()).toBe("azure-cli");
    const expiry = new Date(now + 3_600_000).toISOString();
    const login = JSON.stringify({ access_token: fake.admin.token, token_type: "Bearer", expiry });
    home.program("databricks", { "auth token": login });
    expect(await taken()).toBe("databricks-cli");
    // Their Go tools take the CLI first too, where its login is of this profile.
    expect(await taken(...principal())).toBe("databricks-cli");
  });

  test("two kinds at once are the error of Databricks' own tools, unless auth_type picks one", async () => {
    loggedIn();
    profile(`token = ${fake.admin.token}`, ...principal());
    const twice = await open().catch((error: unknown) => error);
    expect(twice).toMatchObject({
      code: "databricks.families",
      exit: 2,
      message: "more than one authorization method configured: azure and pat",
    });
    if (!(twice instanceof FactoryError)) throw new Error("no error of factory's");
    const where = `from profile p of ${join(home.folder, ".databrickscfg")}`;
    expect(twice.problems.map(({ message }) => message)).toEqual([
      `pat: token, ${where}`,
      `azure: azure_client_id, ${where}`,
      `azure: azure_client_secret, ${where}`,
      `azure: azure_tenant_id, ${where}`,
    ]);
    for (const [pin, name] of [
      ["pat", "admin@example.com"],
      ["azure-client-secret", fake.identity("ci").name],
      ["azure-cli", "admin@example.com"],
    ] as const) {
      profile(`auth_type = ${pin}`, `token = ${fake.admin.token}`, ...principal());
      const opened = await open();
      expect(opened.credential.authType).toBe(pin);
      expect(await me(opened)).toBe(name);
    }
  });

  test("a pin that cannot be used says what it lacks, and nothing else is tried", async () => {
    loggedIn();
    profile("auth_type = azure-client-secret", `token = ${fake.admin.token}`);
    await expect(open()).rejects.toMatchObject({
      code: "databricks.auth-type",
      exit: 2,
      message: expect.stringContaining("no azure_client_id with azure_client_secret and azure_tenant_id"),
    });
    for (const name of ["azure-client-secret", "azure-cli"]) {
      home.profiles(`[p]\nhost = ${fake.url}\nauth_type = ${name}\n${principal().join("\n")}\n`);
      await expect(open()).rejects.toMatchObject({
        code: "databricks.auth-type",
        message: expect.stringContaining("the host is not one of Azure's"),
      });
    }
    profile("auth_type = azure-msi");
    await expect(open()).rejects.toMatchObject({ message: expect.stringContaining("is not supported by factory") });
    expect(home.calls("az")).toEqual([]);
  });
});
