import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeStyle } from "../../src/cli/style.ts";
import { command } from "../../src/commands/init.ts";
import { parseYaml } from "../../src/lib/yaml-document.ts";
import { personLine } from "../../src/policy/person-line.ts";
import { GATE_NAMES, policySchema } from "../../src/policy/policy.ts";
import { stageOf } from "../../src/policy/stage-of.ts";
import { starterPolicy } from "../../src/policy/starter-policy.ts";
import { makeWorld, type World } from "../scaffold/world.ts";

const URI = "http://127.0.0.1:5210";
const parse = (text: string) => parseYaml(text, "policy.yaml", policySchema);

test("the starter is closed: every tier asks for approvals in prod, and nobody can give them", () => {
  const policy = parse(starterPolicy({ organisation: "Example", registries: { kind: "mlflow", uri: URI } }));
  expect(policy.environments.map((each) => each.name)).toEqual(["dev", "test", "prod"]);
  expect(Object.keys(policy.riskTiers)).toEqual(["low", "medium", "high"]);
  for (const tier of Object.keys(policy.riskTiers)) {
    const prod = stageOf(policy, tier, "prod");
    expect(prod.approvals?.length).toBeGreaterThan(0);
    expect(prod.ticket).toBe("required");
    expect([...(prod.gates ?? [])].sort()).toEqual([...GATE_NAMES].sort());
    expect(stageOf(policy, tier, "dev").gates).toContain("secrets");
  }
  expect(Object.values(policy.roles).flat()).toEqual([]);
  expect([policy.people, policy.projects]).toEqual([{}, {}]);
  expect(policy.ledger).toEqual({ kind: "file" });
});

test.each(['A "quoted" one', "a: b # c", "{}", "- x", "Zürich 🏔", "\\n", "'"])(
  "the organisation %j stays what it is",
  (organisation) => {
    expect(parse(starterPolicy({ organisation, registries: { kind: "mlflow", uri: URI } })).organisation).toBe(
      organisation,
    );
  },
);

test("projects are listed, and a product line of their own is added", () => {
  const projects = { "claims-triage": { productLine: "motor", riskTier: "medium", owner: "o@example.com" } };
  const policy = parse(
    starterPolicy({
      organisation: "Example",
      registries: { kind: "mlflow", uri: "https://mlflow.example.com" },
      projects,
    }),
  );
  expect(policy.projects).toEqual(projects);
  expect(Object.keys(policy.productLines)).toEqual(["claims", "revenue", "quality", "motor"]);
  expect(policy.environments[2]?.registry).toEqual({ kind: "mlflow", uri: "https://mlflow.example.com" });
});

test("people are listed by the lines that keys new prints, in the roles that are given", () => {
  const key = `ed25519:${generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }).x?.replaceAll("-", "+").replaceAll("_", "/")}=`;
  const line = personLine({ address: "o@example.com", kind: "person", key, from: "2026-11-25" });
  const roles = { "policy-owner": ["o@example.com"], "model-risk": ["o@example.com"] };
  const policy = parse(
    starterPolicy({ organisation: "Example", registries: { kind: "mlflow", uri: URI }, people: [line], roles }),
  );
  expect(policy.people).toEqual({ "o@example.com": { keys: [{ key, from: "2026-11-25" }] } });
  expect(policy.roles).toEqual(roles);
  expect(policy.policyQuorum).toBe(1);
});

let world: World;
beforeEach(() => {
  world = makeWorld();
});
afterEach(() => world.remove());

test("init writes a policy that parses, keeps its comments, and says what is next", async () => {
  const answer = await command.run({ dir: "governance", organisation: "Example Mutual" }, world.context());
  expect(answer).toMatchObject({
    ok: true,
    data: { policy: "governance/policy.yaml", organisation: "Example Mutual", uri: URI },
  });
  const text = readFileSync(join(world.cwd, "governance/policy.yaml"), "utf8");
  expect(parse(text).organisation).toBe("Example Mutual");
  expect(text.match(/#/g)?.length).toBeGreaterThan(10);
  expect(command.render(answer.data, makeStyle(false, 100))).toContain("name people");
});

test("init never overwrites, and a dry run writes nothing", async () => {
  const before = world.snapshot();
  await command.run({}, world.context({ dryRun: true }));
  expect(world.snapshot()).toEqual(before);
  writeFileSync(join(world.cwd, "policy.yaml"), "mine");
  await expect(command.run({}, world.context())).rejects.toMatchObject({ code: "init.exists", exit: 2 });
  expect(readFileSync(join(world.cwd, "policy.yaml"), "utf8")).toBe("mine");
});

test("init refuses a dangling link, a URL with a password, an empty name, and a question without a terminal", async () => {
  const elsewhere = mkdtempSync(join(tmpdir(), "factory-init-"));
  symlinkSync(join(elsewhere, "nowhere"), join(world.cwd, "policy.yaml"));
  await expect(command.run({}, world.context())).rejects.toMatchObject({ code: "init.exists" });
  rmSync(elsewhere, { recursive: true });
  await expect(command.run({ dir: "a", uri: "http://u:p@host" }, world.context())).rejects.toMatchObject({
    code: "init.uri",
    exit: 2,
  });
  await expect(command.run({ dir: "a", organisation: " " }, world.context())).rejects.toMatchObject({
    code: "init.organisation",
    exit: 2,
  });
  await expect(command.run({ dir: "a" }, world.context({ yes: false }))).rejects.toMatchObject({
    exit: 2,
    hint: "--organisation NAME",
  });
});
