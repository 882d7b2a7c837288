import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type FakeServer, fakeServer } from "../../fakes/http-server.ts";
import { factory, type Home, makeHome } from "../../support/factory.ts";

const hex = "0123456789abcdef".repeat(2);
const letters = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789".repeat(3);
const cut = (from: number, length: number) => letters.slice(from, from + length);
/** Put together here, so that no scanner takes this file for a leak. Each is unlike the others. */
const SHAPES: Readonly<Record<string, string>> = {
  pat: `da${"pi"}${hex}`,
  numberedPat: `da${"pi"}${hex.split("").reverse().join("")}-3`,
  oauthSecret: `do${"se"}${hex}`,
  serviceToken: `dk${"ea"}${hex}`,
  jwt: `ey${"J"}hbGciOiJSUzI1NiJ9.ey${"J"}zdWIiOiJmYWN0b3J5In0.${cut(3, 43)}`,
  opaque: `opaque-${cut(5, 40)}`,
  azureSecret: `abc8${"Q~"}${cut(1, 34)}`,
  entraToken: `ey${"J"}0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.ey${"J"}hdWQiOiJhenVyZSJ9.${cut(9, 50)}`,
  githubPersonal: `gh${"p_"}${cut(0, 36)}`,
  githubOauth: `gh${"o_"}${cut(1, 36)}`,
  githubUser: `gh${"u_"}${cut(2, 36)}`,
  githubServer: `gh${"s_"}${cut(3, 36)}`,
  githubRefresh: `gh${"r_"}${cut(4, 36)}`,
  githubFine: `github_${"pat"}_${cut(0, 82)}`,
  gitlab: `gl${"pat"}-${cut(0, 20)}`,
  slackBot: `xo${"xb"}-${cut(0, 30)}`,
  slackUser: `xo${"xp"}-${cut(7, 30)}`,
  awsKey: `AK${"IA"}ABCDEFGHIJKLMNOP`,
  awsSession: `AS${"IA"}ABCDEFGHIJKLMNOP`,
  googleKey: `AI${"za"}${cut(0, 35)}`,
  googleToken: `ya${"29"}.${cut(11, 40)}`,
  npm: `np${"m_"}${cut(5, 36)}`,
  pypi: `py${"pi"}-AgEI${cut(0, 60)}`,
  openai: `s${"k-"}proj-${cut(0, 40)}`,
  anthropic: `s${"k-"}ant-${cut(8, 40)}`,
  huggingFace: `h${"f_"}${cut(0, 34)}`,
  privateKey: `-----BEGIN ${"PRIVATE"} KEY-----\n${cut(0, 64)}\n-----END ${"PRIVATE"} KEY-----`,
  bearer: `Bearer ${cut(13, 40)}`,
  basic: `Basic ${cut(17, 40)}==`,
  urlPassword: `https://user:${cut(19, 24)}@example.com/x`,
  signature: `https://storage.example.com/x?sig=${cut(21, 44)}`,
  storageKey: `AccountKey=${cut(2, 60)}`,
};
/** What must not be found: the longest run of the secret itself. */
const cores = Object.entries(SHAPES).map(([name, text]) => {
  const [core = ""] = [...text.matchAll(/[A-Za-z0-9_-]{16,}/g)].map(([run]) => run).sort((x, y) => y.length - x.length);
  return { name, core: core.slice(-16) };
});

let home: Home;
let server: FakeServer;
let next = "";
beforeAll(async () => {
  home = makeHome();
  // It says back whatever it can: the planted text in its error body, what came in its headers, and a link that is signed.
  server = await fakeServer((request, response) => {
    response.writeHead(400, { "content-type": "application/json", "x-request-id": "req-1", location: next });
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

const leaks = (text: string): string[] => cores.filter(({ core }) => text.includes(core)).map(({ name }) => name);

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
