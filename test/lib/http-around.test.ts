import { createServer } from "node:http";
import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { httpFailure, sendHttp } from "../../src/lib/http.ts";
import { cicdProvider, setUpHttp, userAgent } from "../../src/lib/http-settings.ts";
import { proxyFor } from "../../src/lib/proxy.ts";
import { type FakeServer, fakeServer, json } from "../fakes/http-server.ts";

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  setUpHttp({ variables: {}, trace: undefined, userAgent: "factory" });
  await Promise.all(stops.splice(0).map((stop) => stop()));
});
async function serve(answer: Parameters<typeof fakeServer>[0]): Promise<FakeServer> {
  const server = await fakeServer(answer);
  stops.push(server.stop);
  return server;
}

test.each<[string, Record<string, string>, string | undefined]>([
  ["https://a.example.com/", { HTTPS_PROXY: "http://p:1" }, "http://p:1"],
  ["https://a.example.com/", { https_proxy: "p:1" }, "http://p:1"],
  ["https://a.example.com/", { HTTP_PROXY: "http://p:1" }, undefined],
  ["http://a.example.com/", { HTTP_PROXY: "http://p:1" }, "http://p:1"],
  ["https://a.example.com/", { ALL_PROXY: "http://p:1" }, "http://p:1"],
  ["https://a.example.com/", { HTTPS_PROXY: "http://p:1", NO_PROXY: "example.com" }, undefined],
  ["https://a.example.com/", { HTTPS_PROXY: "http://p:1", no_proxy: "x, .example.com" }, undefined],
  ["https://a.example.com/", { HTTPS_PROXY: "http://p:1", NO_PROXY: "ample.com" }, "http://p:1"],
  ["https://a.example.com/", { HTTPS_PROXY: "http://p:1", NO_PROXY: "example.com:8443" }, "http://p:1"],
  ["https://a.example.com/", { HTTPS_PROXY: "http://p:1", NO_PROXY: "*" }, undefined],
  ["http://127.0.0.1:5000/", { HTTP_PROXY: "http://p:1" }, undefined],
  ["http://localhost:5000/", { ALL_PROXY: "http://p:1" }, undefined],
])("%s with %j goes through %s", (url, variables, proxy) => {
  expect(proxyFor(new URL(url), variables)).toBe(proxy);
});

test("a proxy is asked for a tunnel, with its password, and is told nothing else", async () => {
  const target = await serve((_, response) => json(response, 200, { through: true }));
  const asked: { url: string | undefined; authorization: string | undefined }[] = [];
  const proxy = createServer();
  proxy.on("connect", (request, socket) => {
    asked.push({ url: request.url, authorization: request.headers["proxy-authorization"] });
    const on = connect(Number(new URL(target.uri).port), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      on.pipe(socket);
      socket.pipe(on);
    });
    on.on("error", () => socket.destroy());
    socket.on("error", () => on.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  stops.push(
    () =>
      new Promise((resolve) => {
        proxy.close(resolve);
        proxy.closeAllConnections();
      }),
  );
  const address = proxy.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  setUpHttp({ variables: { HTTP_PROXY: `http://me:pass@127.0.0.1:${port}` } });
  const reply = await sendHttp({
    method: "GET",
    url: "http://workspace.example.com/x",
    headers: { authorization: "Bearer a" },
  });
  expect(reply.json).toEqual({ through: true });
  expect(asked).toEqual([
    { url: "workspace.example.com:80", authorization: `Basic ${Buffer.from("me:pass").toString("base64")}` },
  ]);
  expect(target.seen[0]?.headers.authorization).toBe("Bearer a");
});

describe("what is told and repeated", () => {
  test("a POST that was turned away is sent again; one that its caller forbids is not", async () => {
    const server = await serve((_, response, count) =>
      json(response, count % 2 === 1 ? 429 : 200, {}, { "retry-after": "0" }),
    );
    expect((await sendHttp({ method: "POST", url: server.uri, json: {} })).status).toBe(200);
    expect((await sendHttp({ method: "POST", url: server.uri, json: {}, idempotent: false })).status).toBe(429);
    expect(server.seen).toHaveLength(3);
  });

  test("where Retry-After asks for more than the budget, the reply is returned at once", async () => {
    const server = await serve((_, response) => json(response, 429, {}, { "retry-after": "3600" }));
    const started = performance.now();
    expect((await sendHttp({ method: "GET", url: server.uri })).status).toBe(429);
    expect(performance.now() - started).toBeLessThan(2000);
    expect(server.seen).toHaveLength(1);
  });

  test.each<[string, Record<string, string>, string, string]>([
    [
      "a code in words",
      { "content-type": "application/json" },
      '{"error_code":"NOT_FOUND","message":"no such"}',
      "answered 400: NOT_FOUND no such (request r-1)",
    ],
    [
      "a code in digits",
      { "content-type": "application/json" },
      '{"error_code":403,"message":"no. [ReqId: r-1]"}',
      "answered 400: 403 no. [ReqId: r-1]",
    ],
    [
      "OAuth",
      { "content-type": "application/json" },
      '{"error":"invalid_client","error_description":"wrong"}',
      "answered 400: invalid_client wrong (request r-1)",
    ],
    [
      "SCIM",
      { "content-type": "application/json" },
      '{"schemas":[],"detail":"none","status":"404"}',
      "answered 400: SCIM_404 none (request r-1)",
    ],
    [
      "plain text",
      { "content-type": "text/plain" },
      "INVALID_STATE: not now\nmore",
      "answered 400: INVALID_STATE not now (request r-1)",
    ],
  ])("%s, with the id of the request", async (_, headers, body, expected) => {
    const server = await serve((_request, response) =>
      response.writeHead(400, { ...headers, "x-request-id": "r-1" }).end(body),
    );
    const request = { method: "POST", url: `${server.uri}/x?token=planted`, json: {} } as const;
    expect(httpFailure(request, await sendHttp(request)).message).toBe(`POST ${server.uri}/x ${expected}`);
  });

  test("the trace tells of each try, and no value of a query or header", async () => {
    const lines: string[] = [];
    setUpHttp({ trace: (line) => lines.push(line) });
    const server = await serve((_, response, count) =>
      json(response, count === 1 ? 503 : 200, { a: 1 }, { "x-request-id": "r-2" }),
    );
    await sendHttp({
      method: "GET",
      url: `${server.uri}/x?sig=planted&name=n`,
      headers: { authorization: "Bearer planted" },
    });
    expect(lines).toEqual([
      expect.stringMatching(/^GET http:\S+\/x\?sig=…&name=… → 503 in \d+ ms, 7 B, request r-2, again in \d+ ms$/),
      expect.stringMatching(/^GET http:\S+\/x\?sig=…&name=… → 200 in \d+ ms, 7 B, request r-2$/),
    ]);
  });
});

test("who asks, and which CI runs it", () => {
  const machine = { node: "20.19.0", platform: "linux" };
  expect(userAgent("1.2.3", machine, { GITHUB_ACTIONS: "true" })).toBe(
    "factory/1.2.3 node/20.19.0 os/linux cicd/github",
  );
  expect(userAgent("1.2.3-dev (x)", machine, {})).toBe("factory/1.2.3-dev--x- node/20.19.0 os/linux");
  expect(cicdProvider({ GITLAB_CI: "true" })).toBe("gitlab");
  expect(cicdProvider({ TF_BUILD: "True" })).toBe("azure-devops");
  expect(cicdProvider({ TF_BUILD: "" })).toBeUndefined();
});
