import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { runProcess } from "../../../src/lib/run-process.ts";
import { type FakeWorkspace, startWorkspace } from "../../fakes/workspace/server.ts";
import { processVariables, testPython } from "../../support/mlflow-server.ts";
import { type Answer, CASES, type Case } from "./cases.ts";
import { type TestHome, testHome } from "./world.ts";

const ID_TOKENS = "https://factory.example.com";
let a: FakeWorkspace;
let b: FakeWorkspace;
beforeAll(async () => {
  a = await startWorkspace({ principals: [{ name: "ci" }] });
  a.federate({
    issuer: a.issuer.url,
    audiences: [ID_TOKENS, `${a.url}/oidc/v1/token`],
    servicePrincipal: "ci",
    subject: SUBJECT,
  });
  b = await startWorkspace();
});
afterAll(async () => {
  await Promise.all([a?.stop(), b?.stop()]);
});
const SUBJECT = "repo:acme/models:environment:production";

/** A case with its stand-ins replaced, in a home of its own. */
function settle(each: Case): { home: TestHome; variables: Record<string, string> } {
  const home = testHome();
  const idFile = join(home.folder, "id-token");
  writeFileSync(idFile, a.issuer.idToken(ID_TOKENS));
  const ci = a.identity("ci");
  const fill = (text: string): string =>
    text
      .replace(/\bA\b/g, a.url)
      .replace(/\bB\b/g, b.url)
      .replace("CLIENT", ci.clientId ?? "")
      .replace("SECRET", ci.clientSecret ?? "")
      .replace("IDFILE", idFile)
      .replace("IDTOKEN", a.issuer.idToken(ID_TOKENS))
      .replace("GITHUB", a.issuer.requestUrl)
      .replace("REQUEST", a.issuer.requestToken);
  if (each.file !== undefined) home.profiles(fill(each.file));
  const expiry = new Date(Date.now() + 3_600_000).toISOString();
  const login = JSON.stringify({ access_token: a.admin.token, token_type: "Bearer", expiry });
  home.program("databricks", { version: "Databricks CLI v0.298.0", ...(each.loggedIn && { "auth token": login }) });
  const entries = Object.entries(each.variables ?? {}).map(([name, value]) => [name, fill(value)]);
  return { home, variables: Object.fromEntries(entries) };
}

const named = (url: string | null | undefined): string => (url === a.url ? "A" : url === b.url ? "B" : String(url));

describe("which credential is used, and for which host", () => {
  test.each(CASES)("$name", async (each) => {
    const { home, variables } = settle(each);
    try {
      const pin = each.pin === undefined ? {} : { host: each.pin === "A" ? a.url : b.url };
      const opened = await home
        .open(each.profile, { variables, ...pin })
        .then(
          ({ host, credential }): Answer => ({ authType: credential.authType, host: named(host) === "B" ? "B" : "A" }),
        )
        .catch((error: unknown) => ({ error: String(error) }));
      if ("error" in each.ours)
        expect(opened).toEqual({ error: expect.stringContaining(each.ours.error.replace(/\bA$/, a.url)) });
      else expect(opened).toEqual(each.ours);
    } finally {
      home.remove();
    }
  });
});

test("the official SDK says the same, but where the table says why not", { timeout: 120_000 }, async () => {
  const settled = CASES.map((each) => ({ each, ...settle(each) }));
  const { bin } = await testPython();
  try {
    const input = settled.map(({ each, home, variables }) => ({
      profile: each.python?.profile ?? each.profile,
      variables: { ...home.variables(variables), DATABRICKS_CONFIG_FILE: join(home.folder, ".databrickscfg") },
    }));
    const script = join(import.meta.dirname, "resolve.py");
    const { HOME: _, ...around } = processVariables();
    const ran = await runProcess({
      argv: [join(bin, "python"), script],
      cwd: settled[0]?.home.folder ?? "/",
      env: around,
      input: JSON.stringify(input),
    });
    expect(ran.status, ran.stderr).toBe(0);
    const answers = z
      .array(z.object({ authType: z.string().nullish(), host: z.string().nullish(), error: z.string().optional() }))
      .parse(JSON.parse(ran.stdout));
    const differing = settled.flatMap(({ each }, i) => {
      const said = answers[i];
      const expected = each.python?.answer ?? each.ours;
      const agrees =
        "error" in expected
          ? (said?.error ?? said?.host ?? "").includes(expected.error.replace(/\bA\b/, a.url))
          : said?.authType === expected.authType && named(said.host) === expected.host;
      return agrees ? [] : [{ case: each.name, expected, said }];
    });
    expect(differing).toEqual([]);
  } finally {
    for (const { home } of settled) home.remove();
  }
});
