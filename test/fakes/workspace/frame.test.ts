import { afterEach, describe, expect, it } from "vitest";
import { type FakeWorkspace, startWorkspace, type WorkspaceOptions } from "./server.ts";

const ME = "/api/2.0/preview/scim/v2/Me";

describe("the fake workspace", () => {
  let workspace: FakeWorkspace | undefined;
  const start = async (options: WorkspaceOptions = {}): Promise<FakeWorkspace> => {
    workspace = await startWorkspace(options);
    return workspace;
  };
  afterEach(() => workspace?.stop());
  const ask = (path: string, token?: string, init: RequestInit = {}) =>
    fetch(`${workspace?.url}${path}`, {
      ...init,
      headers: { ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    });

  it("says who one is, with a request id, the workspace's id and its date", async () => {
    const { admin, log, orgId } = await start({ principals: [{ name: "ci" }] });
    const reply = await ask(ME, admin.token);
    expect(reply.status).toBe(200);
    expect(await reply.json()).toMatchObject({ userName: "admin@example.com", active: true });
    expect(reply.headers.get("x-databricks-org-id")).toBe(orgId);
    expect(reply.headers.get("x-request-id")).toBe(log[0]?.requestId);
    expect(Math.abs(Date.parse(reply.headers.get("date") ?? "") - Date.now())).toBeLessThan(5000);
    const ci = workspace?.identity("ci");
    expect(await (await ask(ME, ci?.token)).json()).toMatchObject({ userName: ci?.clientId, displayName: "ci" });
    expect(log.map((each) => [each.route, each.status, each.principal])).toEqual([
      [`GET ${ME}`, 200, "admin@example.com"],
      [`GET ${ME}`, 200, ci?.clientId],
    ]);
  });

  it("refuses a missing, a wrong and an expired token each in its way", async () => {
    await start();
    const missing = await ask(ME);
    expect([missing.status, await codeOf(missing)]).toEqual([401, 401]);
    const wrong = await ask(ME, "dapi0");
    expect([wrong.status, await codeOf(wrong)]).toEqual([403, 403]);
    workspace?.fault({ kind: "expire" });
    const expired = await ask(ME, workspace?.admin.token);
    expect(expired.status).toBe(403);
    expect((await ask(ME, workspace?.admin.token)).status).toBe(403);
  });

  it("answers 501 to what it does not know and 405 to a wrong method", async () => {
    const { admin } = await start();
    const unknown = await ask("/api/2.0/nothing", admin.token);
    expect([unknown.status, await unknown.json()]).toEqual([
      501,
      { error_code: "NOT_IMPLEMENTED", message: "the fake workspace has no route for GET /api/2.0/nothing" },
    ]);
    const wrong = await ask(ME, admin.token, { method: "DELETE" });
    expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "GET"]);
  });

  it("fails as it is told, at the request it is told", async () => {
    const { admin, fault, log } = await start();
    fault({ kind: "status", status: 429, retryAfter: 7, nth: 2 });
    expect((await ask(ME, admin.token)).status).toBe(200);
    const throttled = await ask(ME, admin.token);
    expect([throttled.status, throttled.headers.get("retry-after")]).toEqual([429, "7"]);
    expect((await ask(ME, admin.token)).status).toBe(200);
    fault({ kind: "html" });
    expect(await (await ask(ME, admin.token)).text()).toContain("<h1>");
    fault({ kind: "truncate" });
    await expect((await ask(ME, admin.token)).json()).rejects.toThrow();
    fault({ kind: "truncate", cut: "connection" });
    await expect(ask(ME, admin.token).then((reply) => reply.text())).rejects.toThrow();
    fault({ kind: "reset" });
    await expect(ask(ME, admin.token)).rejects.toThrow();
    fault({ kind: "slow", pieces: 3, delayMs: 20 });
    expect((await ask(ME, admin.token)).status).toBe(200);
    fault({ kind: "status", route: "/nowhere" });
    expect((await ask(ME, admin.token)).status).toBe(200);
    expect(log.map((each) => each.status)).toEqual([200, 429, 200, 200, 200, 200, 0, 200, 200]);
  });

  it("is told from outside too", async () => {
    const { admin, url } = await start();
    const tell = (body: unknown) => fetch(`${url}/_sandbox/faults`, { method: "POST", body: JSON.stringify(body) });
    expect((await tell({ kind: "status", statuz: 500 })).status).toBe(400);
    expect((await tell({ kind: "status", status: 502, times: 0 })).status).toBe(200);
    expect((await ask(ME, admin.token)).status).toBe(502);
    expect((await ask(ME, admin.token)).status).toBe(502);
    await fetch(`${url}/_sandbox/faults`, { method: "DELETE" });
    expect((await ask(ME, admin.token)).status).toBe(200);
  });

  it("strikes by chance the same requests for the same seed", async () => {
    const run = async (seed: number): Promise<number[]> => {
      const { admin, fault, log, stop } = await start({ seed });
      fault({ kind: "status", chance: 0.5 });
      for (let i = 0; i < 12; i++) await ask(ME, admin.token);
      await stop();
      return log.map((each) => each.status);
    };
    const first = await run(5);
    expect(new Set(first)).toEqual(new Set([200, 503]));
    expect(await run(5)).toEqual(first);
    expect(await run(6)).not.toEqual(first);
  });
});

async function codeOf(reply: Response): Promise<unknown> {
  const body: unknown = await reply.json();
  return typeof body === "object" && body !== null && "error_code" in body ? body.error_code : undefined;
}
