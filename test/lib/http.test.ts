import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { type Streamer, saveStream } from "../../src/lib/download.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { httpFailure, retryAfterSeconds, sendHttp, tryStreamHttp } from "../../src/lib/http.ts";
import { publicUrl } from "../../src/lib/public-url.ts";
import { type Answer, type FakeServer, fakeServer, json } from "../fakes/http-server.ts";

const open: FakeServer[] = [];
const folders: string[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.stop()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
async function serve(answer: Answer): Promise<FakeServer> {
  const server = await fakeServer(answer);
  open.push(server);
  return server;
}
function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), "factory-http-"));
  folders.push(folder);
  return folder;
}

describe("what is repeated", () => {
  const cases = [
    { name: "GET after 503", method: "GET", status: 503, times: 2 },
    { name: "GET after 429", method: "GET", status: 429, times: 2 },
    { name: "PUT after 500", method: "PUT", status: 500, times: 2 },
    { name: "DELETE after 502", method: "DELETE", status: 502, times: 2 },
    { name: "POST after 503: may have acted", method: "POST", status: 503, times: 1 },
    { name: "PATCH after 503", method: "PATCH", status: 503, times: 1 },
    { name: "GET after 404", method: "GET", status: 404, times: 1 },
    { name: "GET after 501: it never will", method: "GET", status: 501, times: 1 },
  ] as const;
  test.each(cases)("$name", async ({ method, status, times }) => {
    const server = await serve((_, response, count) => json(response, count === 1 ? status : 200, {}));
    const reply = await sendHttp({ method, url: server.uri });
    expect(server.seen).toHaveLength(times);
    expect(reply.status).toBe(times === 1 ? status : 200);
  });

  test("a POST that its caller calls repeatable", async () => {
    const server = await serve((_, response, count) => json(response, count === 1 ? 503 : 200, {}));
    expect((await sendHttp({ method: "POST", url: server.uri, json: { a: 1 }, idempotent: true })).status).toBe(200);
    expect(server.seen.map((request) => request.body)).toEqual(['{"a":1}', '{"a":1}']);
  });

  test("a broken connection: a GET again, a POST never", async () => {
    const server = await serve((_, response, count) =>
      count === 1 ? response.destroy() : json(response, 200, { ok: true }),
    );
    expect((await sendHttp({ method: "GET", url: server.uri })).json).toEqual({ ok: true });
    const second = await serve((_, response) => response.destroy());
    await expect(sendHttp({ method: "POST", url: second.uri, json: {} })).rejects.toMatchObject({
      exit: 4,
      code: "http.failed",
    });
    expect(second.seen).toHaveLength(1);
  });

  test("an overload that looks final", async () => {
    const server = await serve((_, response, count) =>
      count === 1 ? json(response, 400, { error_code: "BAD_REQUEST" }) : json(response, 200, {}),
    );
    expect(
      (await sendHttp({ method: "GET", url: server.uri, isOverload: (reply) => reply.status === 400 })).status,
    ).toBe(200);
  });

  test("it ends, with the last reply", async () => {
    const server = await serve((_, response) => json(response, 503, { error_code: "TEMPORARILY_UNAVAILABLE" }));
    expect((await sendHttp({ method: "GET", url: server.uri, retries: 2 })).status).toBe(503);
    expect(server.seen).toHaveLength(3);
  });

  test("Retry-After is waited for", async () => {
    const server = await serve((_, response, count) =>
      json(response, count === 1 ? 429 : 200, {}, count === 1 ? { "retry-after": "1" } : {}),
    );
    const started = performance.now();
    await sendHttp({ method: "GET", url: server.uri });
    expect(performance.now() - started).toBeGreaterThan(950);
  });
});

test("Retry-After as number, date or nonsense", () => {
  const at = (value: string) =>
    retryAfterSeconds({ headers: { "retry-after": value } }, Date.parse("2026-01-01T00:00:00Z"));
  expect(at("12")).toBe(12);
  expect(at("Thu, 01 Jan 2026 00:00:30 GMT")).toBe(30);
  expect(at("Thu, 01 Jan 2025 00:00:30 GMT")).toBe(0);
  expect(at("soon")).toBeUndefined();
});

test("a body is parsed only when the content type says JSON", async () => {
  const server = await serve((request, response) => {
    response.writeHead(request.url === "/html" ? 500 : 200, {
      "content-type": request.url === "/json" ? "application/json; charset=utf-8" : "text/html",
    });
    response.end('{"a":1}');
  });
  expect((await sendHttp({ method: "GET", url: `${server.uri}/json` })).json).toEqual({ a: 1 });
  expect((await sendHttp({ method: "POST", url: `${server.uri}/html` })).json).toBeUndefined();
});

test("broken JSON in a good reply is an error, not a value", async () => {
  const server = await serve((_, response) =>
    response.writeHead(200, { "content-type": "application/json" }).end('{"a":'),
  );
  await expect(sendHttp({ method: "GET", url: server.uri })).rejects.toMatchObject({ code: "http.json", exit: 4 });
});

test("an endless body is cut off", async () => {
  const server = await serve((_, response) =>
    response.writeHead(200, { "content-type": "application/json" }).end(`"${"x".repeat(5000)}"`),
  );
  await expect(sendHttp({ method: "GET", url: server.uri, maxBodyBytes: 1000 })).rejects.toMatchObject({
    code: "http.size",
  });
});

test("silence ends in a timeout that says how long", async () => {
  const server = await serve(() => {});
  await expect(sendHttp({ method: "POST", url: server.uri, timeoutMs: 1000 })).rejects.toThrow("no answer within 1 s");
});

test("silence in the middle of a body too", async () => {
  const server = await serve((_, response) => void response.writeHead(200, { "content-length": "10" }).write("12"));
  await expect(sendHttp({ method: "POST", url: server.uri, timeoutMs: 1000 })).rejects.toThrow("no answer within 1 s");
});

test("abort ends the request and the waiting at once", async () => {
  const server = await serve((_, response, count) =>
    count === 1 ? json(response, 429, {}, { "retry-after": "30" }) : undefined,
  );
  const started = performance.now();
  await expect(sendHttp({ method: "GET", url: server.uri, signal: AbortSignal.timeout(200) })).rejects.toThrow();
  expect(performance.now() - started).toBeLessThan(3000);
});

test("nobody there", async () => {
  const server = await fakeServer(() => {});
  await server.stop();
  const hintOf = (startedBy?: string) =>
    sendHttp({ method: "GET", url: server.uri, ...(startedBy !== undefined && { startedBy }) }).catch(
      ({ code, exit, hint }) => ({ code, exit, hint }),
    );
  const refused = { code: "http.refused", exit: 4 };
  expect(await hintOf("factory local start")).toEqual({ ...refused, hint: "is it running? factory local start" });
  // Nobody knows what it is.
  expect(await hintOf()).toEqual({ ...refused, hint: "is the server running, and is that its address?" });
});

test("an error names method, address without query, status and code, and no secret", () => {
  const reply = {
    status: 403,
    headers: {},
    text: "",
    json: { error_code: "PERMISSION_DENIED", message: `token dapi${"0".repeat(32)} is not allowed` },
  };
  const error = httpFailure({ method: "POST", url: "https://user:pw@host.example/api/x?token=abc" }, reply);
  expect(error.message).toBe(
    "POST https://host.example/api/x answered 403: PERMISSION_DENIED token •••• is not allowed",
  );
  expect(publicUrl("https://a:b@c.example/d?e=f#g")).toBe("https://c.example/d");
});

test("credentials in an address are refused", async () => {
  await expect(sendHttp({ method: "GET", url: "http://me:secret@127.0.0.1:9/x" })).rejects.toMatchObject({
    code: "http.url",
  });
  await expect(sendHttp({ method: "GET", url: "http://me:secret@127.0.0.1:9/x" })).rejects.not.toThrow("secret");
});

describe("downloads", () => {
  const bytes = Buffer.alloc(300_000, "factory");
  const from = (server: { uri: string }): Streamer => {
    const request = { method: "GET" as const, url: server.uri };
    return async (read) => {
      const outcome = await tryStreamHttp(request, read);
      if ("value" in outcome) return outcome.value;
      throw httpFailure(request, outcome);
    };
  };
  test("digest, length, progress and file agree", async () => {
    const server = await serve((_, response) => response.writeHead(200, { "content-length": bytes.length }).end(bytes));
    const path = join(temporary(), "sub", "file.bin");
    let counted = 0;
    const result = await saveStream(from(server), path, (more) => (counted += more));
    expect(result).toEqual({ sha256: sha256(bytes), bytes: bytes.length });
    expect(counted).toBe(bytes.length);
    expect(sha256(readFileSync(path))).toBe(result.sha256);
  });

  test("a connection that breaks half-way: again from the start", async () => {
    const server = await serve((_, response, count) => {
      response.writeHead(200, { "content-length": bytes.length });
      if (count > 1) response.end(bytes);
      else response.write(bytes.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 50));
    });
    const path = join(temporary(), "file.bin");
    let counted = 0;
    const result = await saveStream(from(server), path, (more) => (counted += more));
    expect(server.seen).toHaveLength(2);
    expect(result.sha256).toBe(sha256(bytes));
    expect(counted).toBe(bytes.length);
  });

  test("a refusal leaves no file", async () => {
    const server = await serve((_, response) => json(response, 404, { error_code: "RESOURCE_DOES_NOT_EXIST" }));
    const path = join(temporary(), "file.bin");
    await expect(saveStream(from(server), path)).rejects.toMatchObject({ code: "http.404" });
    expect(existsSync(path)).toBe(false);
    expect(existsSync(`${path}.part`)).toBe(false);
  });
});
