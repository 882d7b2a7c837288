import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeHome } from "../support/factory.ts";
import { runJson } from "./documents.ts";

const home = makeHome();
afterAll(() => home.remove());

const PROJECT =
  "factory: 1\nproject: proj\npolicy: ../policy.yaml\nmodel:\n  name: claims.triage\n  train: python train.py\n";
/** How much longer than a small file with a slip in it the worst of files may take; starting the program is in both. */
const TIMES = 20;
let usualMs = 0;
beforeAll(async () => {
  const cwd = world({ project: `${PROJECT}gaets: {}\n` });
  const once = async () => {
    const started = performance.now();
    await runJson("check", ["check", "--project-only", "--only", "secrets"], { cwd, variables: home.variables });
    return performance.now() - started;
  };
  usualMs = Math.min(await once(), await once(), await once());
});

/** Folder with these two files. */
function world(files: { policy?: string; project?: string }): string {
  const folder = mkdtempSync(join(home.folder, "world-"));
  const project = join(folder, "proj");
  mkdirSync(project);
  if (files.policy !== undefined) writeFileSync(join(folder, "policy.yaml"), files.policy);
  writeFileSync(join(project, "factory.yaml"), files.project ?? PROJECT);
  return project;
}

async function refused(files: { policy?: string; project?: string }) {
  const cwd = world(files);
  const started = performance.now();
  const ran = await runJson("check", ["check", "--project-only", "--only", "secrets"], {
    cwd,
    variables: home.variables,
  });
  expect((performance.now() - started) / usualMs).toBeLessThan(TIMES);
  expect(ran.status).toBe(2);
  return ran.document.error;
}

describe("unknown keys", () => {
  test("factory.yaml: file, line and the key that was meant", async () => {
    const error = await refused({ project: `${PROJECT}gaets: {}\n` });
    expect(error?.problems).toEqual([
      expect.objectContaining({
        file: expect.stringMatching(/factory\.yaml$/),
        line: 7,
        path: "gaets",
        hint: 'did you mean "gates"?',
      }),
    ]);
  });

  test("policy.yaml: two at once, each with its line", async () => {
    const error = await refused({
      policy:
        "factory: 1\nversion: 1\norganisation: X\nenvironments:\n  - { name: dev, catalog: dev, registri: 1 }\nrolse: {}\n",
    });
    const unknown = error?.problems?.filter((problem) => problem.message.startsWith("unknown key"));
    expect(unknown).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          file: expect.stringMatching(/policy\.yaml$/),
          line: 6,
          hint: 'did you mean "roles"?',
        }),
        expect.objectContaining({ line: 5, hint: 'did you mean "registry"?' }),
      ]),
    );
  });
});

describe("values that are none of those that may stand there", () => {
  test("policy.yaml: the value, what may stand there, and the one that was meant", async () => {
    const error = await refused({
      policy: `factory: 1
version: 1
organisation: X
environments:
  - { name: dev, catalog: dev, registry: { kind: mlfow, uri: "http://127.0.0.1:5210" } }
  - { name: prod, catalog: prod, registry: {} }
riskTiers: { low: { prod: { gates: [unit, units, zzz], ticket: 7 } } }
`,
    });
    for (const problem of [
      {
        line: 5,
        message: expect.stringMatching(/^"mlfow" is no kind: one of mlflow, /),
        hint: 'did you mean "mlflow"?',
      },
      { line: 6, message: expect.stringMatching(/^is required: one of mlflow, /) },
      {
        line: 7,
        message: expect.stringMatching(/^"units" is no gate: one of lint, unit, /),
        hint: 'did you mean "unit"?',
      },
      { line: 7, message: "7 is none of required, optional" },
    ])
      expect(error?.problems).toContainEqual(expect.objectContaining(problem));
    const far = error?.problems?.find((problem) => problem.message.startsWith('"zzz"'));
    expect(far).not.toHaveProperty("hint");
    expect(JSON.stringify(error)).not.toMatch(/Invalid (?:option|discriminator)/);
  });
});

const levels = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(", ")}]`);
const HOSTILE: Record<string, string> = {
  "an alias bomb": `l0: &l0 [x]\n${levels.join("\n")}\n`,
  "flow nested 100,000 deep": `a: ${"[".repeat(100_000)}`,
  "closed flow nested 100,000 deep": `a: ${"[".repeat(100_000)}${"]".repeat(100_000)}\n`,
  "maps nested 100,000 deep": `a: ${"{a: ".repeat(100_000)}${"}".repeat(100_000)}\n`,
  "block lists nested deep": `${"- ".repeat(100_000)}x\n`,
  "duplicate keys": "factory: 1\nfactory: 1\n",
  "more than a megabyte": `a: ${"x".repeat(1_100_000)}\n`,
  "many anchors": `${Array.from({ length: 30_000 }, (_, i) => `k${i}: &a${i} x`).join("\n")}\n`,
  "a hundred thousand unknown keys": `${Array.from({ length: 60_000 }, (_, i) => `k${i}: 1`).join("\n")}\n`,
  "a tag": "a: !!js/function 'x'\n",
  "prototype keys": "__proto__: { polluted: true }\nconstructor: { prototype: { polluted: true } }\n",
  "two documents": `${PROJECT}---\n${PROJECT}`,
  "an empty file": "",
  binary: "\u0000\u0001\u0002\ufffd",
  "a list": "- a\n- b\n",
};

describe.each(Object.entries(HOSTILE))("%s", (_, text) => {
  test.each(["project", "policy"])("as %s", async (which) => {
    const error = await refused({ [which]: text });
    expect(error?.code).toMatch(/^(?:yaml\.|file\.|project\.|policy\.)/);
    expect(JSON.stringify(error).length).toBeLessThan(20_000);
  });
});
