import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type FakeServer, fakeServer } from "../../fakes/http-server.ts";
import { factory, type Home, makeHome } from "../../support/factory.ts";
import { cores, leaks, SHAPES } from "./planted.ts";

let home: Home;
let server: FakeServer;
let next = "";
beforeAll(async () => {
  home = makeHome();
  // It says back whatever it can: the planted text in its error body, what came in its headers, and a link that is signed.
  server = await fakeServer((request, response) => {
    response.writeHead(400, {
      "content-type": "application/json",
      "x-request-id": "req-1",
      location: next.replaceAll("\n", " "),
    });
    const { authorization = "" } = request.headers;
    response.end(
      JSON.stringify({ error_code: "BAD_REQUEST", message: `no: ${next} ${authorization}`, details: [next] }),
    );
  });
});
afterAll(async () => {
  home?.remove();
  await server?.stop();
});

test("there are 30 shapes, and the search finds each", () => {
  expect(cores.length).toBeGreaterThanOrEqual(30);
  expect(leaks(Object.values(SHAPES).join("\n"))).toEqual(cores.map(({ name }) => name));
});

test.each(Object.keys(SHAPES))(
  "%s in a profile, a variable, an error and its headers shows nowhere",
  { timeout: 60_000 },
  async (name) => {
    const secret = SHAPES[name] ?? "";
    const line = secret.replaceAll("\n", " ");
    next = secret;
    const cwd = join(home.folder, name);
    mkdirSync(cwd);
    const userHome = join(cwd, "home");
    mkdirSync(userHome);
    writeFileSync(
      join(userHome, ".databrickscfg"),
      `[prod]\nhost = ${server.uri}?token=${encodeURIComponent(line)}\ntoken = ${line}\n`,
    );
    writeFileSync(
      join(cwd, "policy.yaml"),
      `factory: 1\nversion: 1\norganisation: Example\nenvironments:\n  - { name: prod, catalog: prod, registry: { kind: unity-catalog, profile: prod } }\nriskTiers: { low: {} }\n`,
    );
    const variables = {
      ...home.variables,
      HOME: userHome,
      DATABRICKS_HOST: server.uri,
      ...(name === "opaque" ? {} : { DATABRICKS_TOKEN: line }),
      ARM_CLIENT_SECRET_NOTE: line,
      FACTORY_NOTE: line,
    };
    const before = server.seen.length;
    const runs = [
      ["--env", "prod", "--debug"],
      ["--env", "prod", "--json"],
    ];
    for (const more of runs) {
      const ran = await factory(["doctor", ...more], { cwd, variables });
      expect(leaks(ran.stdout + ran.stderr), `${more.join(" ")}: ${name}`).toEqual([]);
      if (more.includes("--debug"))
        expect(ran.stderr).toMatch(
          /GET http:\/\/127\.0\.0\.1:\d+\/api\/2\.0\/preview\/scim\/v2\/Me → 400 in \d+ ms, \d+ B, request req-1/,
        );
    }
    // It was really sent, and said back.
    expect(server.seen.length - before).toBeGreaterThanOrEqual(2);
    if (!/\s/.test(line)) expect(server.seen.at(-1)?.headers.authorization).toBe(`Bearer ${line}`);
    const files = readdirSync(cwd, { recursive: true, withFileTypes: true }).filter(
      (entry) => entry.isFile() && entry.name !== ".databrickscfg",
    );
    for (const file of files) expect(leaks(readFileSync(join(file.parentPath, file.name), "utf8"))).toEqual([]);
  },
);
