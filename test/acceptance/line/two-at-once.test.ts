import { createServer, request, type Server } from "node:http";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openMlflow } from "../../../src/clients/mlflow/open-mlflow.ts";
import { type LosingProxy, losingProxy } from "../../fakes/losing-proxy.ts";
import { type MlflowServer, startMlflowServer } from "../../support/mlflow-server.ts";
import { type LineAnswer, makeLine, type SmallLine } from "../../support/small-line.ts";

let server: MlflowServer;
let proxy: LosingProxy | undefined;
let line: SmallLine | undefined;
beforeAll(async () => {
  server = await startMlflowServer();
});
afterAll(() => server?.stop());
afterEach(async () => {
  line?.remove();
  await proxy?.stop();
  proxy = undefined;
});

describe("two jobs of CI with one key", () => {
  it.each([
    ["on one machine", {}],
    ["on two machines", { XDG_CACHE_HOME: "elsewhere" }],
  ])("%s: the second finds the promotion in hands, and never makes a second version", async (_, other) => {
    let second: Promise<LineAnswer> | undefined;
    let small: SmallLine | undefined;
    // The first is held before it makes its version, until the second has come as far, or to its end.
    proxy = await losingProxy(server.uri, {
      async beforeRequest(_, { kind }) {
        if (kind !== "POST model-versions/create" || small === undefined || second !== undefined) return;
        const { variables, home } = small.people.ci;
        const moved = Object.entries(other).map(([name, folder]) => [name, join(home, folder)]);
        second = small.run("ci", ["promote", "1", "--to", "test", "--yes"], {
          variables: { ...variables, ...Object.fromEntries(moved) },
        });
        await second;
      },
    });
    line = makeLine(server, { through: proxy.uri });
    await line.candidate();
    small = line;
    const first = await line.promote("1", "test");
    expect(first.status, first.ran.stdout).toBe(0);
    expect((await second)?.status, (await second)?.ran.stdout).toBe(5);
    const { registry } = openMlflow(server.uri, { variables: {} });
    expect(await registry.versions(`test.${line.model}`)).toHaveLength(1);
    expect(line.ledger().map((each) => each.kind)).toEqual(["opened", "registered", "promotion.started", "promoted"]);
    const verified = await line.run("ci", ["verify"]);
    expect(verified.status, verified.ran.stdout).toBe(0);
  });
});

describe("a ledger in a file", () => {
  let outside: Server | undefined;
  afterEach(() => outside?.close());

  it("is refused for an environment whose registry is not on this machine, and says which kinds to choose", async () => {
    const host = Object.values(networkInterfaces())
      .flatMap((each) => each ?? [])
      .find((each) => !each.internal && each.family === "IPv4")?.address;
    // Without a network there is a name of the loopback that does not look like one.
    const address = host ?? "0.0.0.0";
    const port = await new Promise<number>((resolve, reject) => {
      outside = createServer((incoming, response) => {
        const to = request(
          new URL(incoming.url ?? "/", server.uri),
          { method: incoming.method, headers: { ...incoming.headers, host: new URL(server.uri).host }, agent: false },
          (reply) => {
            response.writeHead(reply.statusCode ?? 502, reply.headers);
            reply.pipe(response);
          },
        );
        to.on("error", () => response.destroy());
        incoming.pipe(to);
      });
      outside.once("error", reject);
      outside.listen(0, address, () => {
        const found = outside?.address();
        if (typeof found === "object" && found !== null) resolve(found.port);
      });
    });
    line = makeLine(server, {
      policy: (policy) => {
        const test = policy.environments.find((each) => each.name === "test");
        if (test?.registry.kind === "mlflow") test.registry.uri = `http://${address}:${port}`;
      },
    });
    await line.candidate();
    const before = line.ledger();
    for (const args of [
      ["promote", "1", "--to", "test", "--yes"],
      ["promote", "1", "--to", "test", "--dry-run"],
    ]) {
      const said = await line.run("ci", args);
      expect(said.status, said.ran.stdout).toBe(2);
      expect(said.error).toMatchObject({
        code: "ledger.local",
        message: expect.stringContaining("the registry of test is not on this machine"),
      });
      expect(said.ran.stdout).toMatch(/kind: git/);
    }
    expect(line.ledger()).toEqual(before);
    expect(await openMlflow(server.uri, { variables: {} }).registry.model(`test.${line.model}`)).toBeUndefined();
  });
});
