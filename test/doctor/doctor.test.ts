import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import {
  examine,
  judgeDisk,
  judgeGit,
  judgeLocal,
  judgeManaged,
  judgeNode,
  judgePython,
  judgeRegistry,
  judgeUv,
} from "../../src/doctor/doctor.ts";
import { usageError } from "../../src/lib/error.ts";
import { factory, type Home, makeHome } from "../support/factory.ts";

const uri = "http://127.0.0.1:5210";
const local = {
  uri: "http://127.0.0.1:5210",
  port: 5210,
  pid: 1,
  version: "3.17.2",
  folder: "/f",
  processes: [],
  since: undefined,
  message: "m",
};

describe("verdicts", () => {
  it.each<[string, ReturnType<typeof judgeNode>, string, RegExp]>([
    ["node", judgeNode("20.19.0"), "ok", /20\.19\.0/],
    ["a later node", judgeNode("v24.1.0"), "ok", /24/],
    ["an old node", judgeNode("20.18.9"), "missing", /too old/],
    ["git", judgeGit({ version: "2.39", name: "A", email: "a@example.com" }), "ok", /A <a@example.com>/],
    [
      "git without a name",
      judgeGit({ version: "2.39", name: undefined, email: "a@example.com" }),
      "warn",
      /user\.name not set/,
    ],
    ["no git", judgeGit(undefined), "missing", /git is not on PATH/],
    ["python", judgePython({ path: "/p", version: "3.11.7" }), "ok", /3\.11\.7/],
    ["only an old python", judgePython({ others: ["python3 is 3.8.18"] }), "missing", /python3 is 3\.8\.18/],
    ["uv", judgeUv({ path: "/uv", version: "0.13.9" }), "ok", /0\.13\.9/],
    ["no uv", judgeUv(undefined), "warn", /its own copy/],
    ["no environment", judgeManaged(undefined), "warn", /not installed yet/],
    ["room", judgeDisk(50e9, false), "ok", /50\.0 GB/],
    ["hardly room", judgeDisk(2e9, false), "warn", /2\.0 GB/],
    ["no room to install", judgeDisk(1e9, false), "missing", /1\.5 GB needed/],
    ["room once installed", judgeDisk(1e9, true), "ok", /1\.0 GB/],
    ["no room at all", judgeDisk(1e8, true), "missing", /0\.2 GB needed/],
    ["server runs", judgeLocal({ ...local, state: "running" }), "ok", /5210/],
    ["server stopped", judgeLocal({ ...local, state: "stopped" }), "ok", /stopped/],
    ["server crashed", judgeLocal({ ...local, state: "crashed", hint: "h" }), "warn", /crashed: m/],
    ["registry", judgeRegistry(uri, { health: 200, version: "3.17.2" }), "ok", /MLflow 3\.17\.2/],
    [
      "registry of another major version",
      judgeRegistry(uri, { health: 200, version: "2.22.0" }),
      "missing",
      /2\.22\.0/,
    ],
    ["not MLflow", judgeRegistry(uri, { health: 404, version: undefined }), "missing", /404/],
    ["versionless", judgeRegistry(uri, { health: 200, version: undefined }), "warn", /version/],
  ])("%s", (_name, check, verdict, found) => {
    expect(check.verdict).toBe(verdict);
    expect(check.found).toMatch(found);
    if (verdict !== "ok") expect(check.fix).toBeTruthy();
  });

  it("turns what a check throws into its verdict, with the first problem's place", async () => {
    const problems = [{ message: "is required", line: 3, path: "model.name" }, { message: "x" }];
    const check = await examine("project", () =>
      Promise.reject(usageError("x", "f has 2 problems", "mend it", problems)),
    );
    expect(check).toEqual({
      id: "project",
      verdict: "missing",
      found: "f has 2 problems: line 3, model.name is required (and 1 more)",
      fix: "mend it",
    });
    expect(await examine("x", () => Promise.reject(new Error("boom")))).toMatchObject({
      verdict: "missing",
      found: "boom",
    });
  });
});

const answer = z.object({
  ok: z.boolean(),
  data: z.object({
    checks: z.array(z.object({ id: z.string(), verdict: z.string(), found: z.string(), fix: z.string().optional() })),
  }),
});

describe("factory doctor", () => {
  let home: Home;
  beforeAll(() => {
    home = makeHome();
  });
  afterAll(() => home.remove());
  const folder = (name: string, files: Record<string, string>): string => {
    const path = join(home.folder, name);
    mkdirSync(path);
    for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
    return path;
  };
  const doctor = async (cwd: string, ...args: string[]) => {
    const ran = await factory(["doctor", "--json", ...args], { cwd, variables: home.variables });
    const { ok, data } = answer.parse(JSON.parse(ran.stdout));
    return { status: ran.status, ok, of: Object.fromEntries(data.checks.map((check) => [check.id, check])) };
  };
  const policy = (port: number) => `factory: 1
version: 1
organisation: Example Mutual
environments:
  - { name: dev, catalog: dev, registry: { kind: mlflow, uri: "http://127.0.0.1:${port}" } }
  - { name: prod, catalog: prod, registry: { kind: unity-catalog, profile: prod } }
riskTiers:
  low: {}
`;

  it("finds all that is needed on this machine, outside any project", async () => {
    const { status, ok, of } = await doctor(folder("empty", {}));
    expect({ status, ok }).toEqual({ status: 0, ok: true });
    expect(of.git?.found).toContain("Author <author@example.com>");
    expect(Object.keys(of)).toEqual([
      "node",
      "git",
      "python",
      "uv",
      "environment",
      "disk",
      "local",
      "project",
      "policy",
    ]);
  });

  it("asks each environment's registry: reachable, silent, without a profile", async () => {
    const server = createServer(
      (request, reply) =>
        void reply.end(request.url === "/health" ? "OK" : request.url === "/version" ? "3.17.2" : "{}"),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const here = folder("organisation", { "policy.yaml": policy(port) });
    try {
      const all = await doctor(here);
      expect(all.of["registry.dev"]).toMatchObject({ verdict: "ok", found: expect.stringContaining("MLflow 3.17.2") });
      expect(all.of["registry.prod"]?.verdict).toBe("warn");
      expect(all).toMatchObject({ status: 0, ok: true });
      const prod = await doctor(here, "--env", "prod");
      expect(prod).toMatchObject({ status: 3, ok: false });
      expect(Object.keys(prod.of).filter((id) => id.endsWith(".prod"))).toEqual(["host.prod"]);
      expect(prod.of["host.prod"]).toMatchObject({
        verdict: "missing",
        fix: expect.stringContaining("--profile prod"),
      });
      expect((await doctor(here, "--env", "dev")).of["identity.dev"]?.found).toContain("none are sent");
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    const silent = await doctor(here, "--env", "dev");
    expect(silent).toMatchObject({ status: 3, ok: false });
    expect(silent.of["registry.dev"]).toMatchObject({
      verdict: "missing",
      fix: expect.stringContaining("factory local start"),
    });
    const unknown = await factory(["doctor", "--env", "nope"], { cwd: here, variables: home.variables });
    expect(unknown.status).toBe(2);
    expect(unknown.stderr).toContain("dev, prod");
  });

  it("names a broken project by line, and everything else still speaks", async () => {
    const { status, of } = await doctor(folder("broken", { "factory.yaml": "factory: 1\nproject: x-1\nmodle: {}\n" }));
    expect(status).toBe(3);
    expect(of.project).toMatchObject({
      verdict: "missing",
      found: expect.stringContaining("model is required (and 1 more)"),
    });
    expect(of.node?.verdict).toBe("ok");
    expect(of.local?.found).toBeTruthy();
  });
});
