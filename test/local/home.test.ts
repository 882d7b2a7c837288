import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { findHome } from "../../src/local/home.ts";

let root: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "factory-home-")));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const put = (path: string, text: string): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};
const policy = (registry: string): string =>
  `factory: 1\nversion: 1\norganisation: Example\nenvironments: [{ name: dev, catalog: dev, registry: ${registry} }]\nriskTiers: { low: {} }\n`;
const local = policy('{ kind: mlflow, uri: "http://127.0.0.1:6001" }');
const project = (named: string): string =>
  `factory: 1\nproject: claims\npolicy: ${named}\nmodel: { name: claims.triage, train: python train.py }\n`;

it.each<[string, Record<string, string>, string, string, number]>([
  ["nothing around", { "a/x": "" }, "a", "a", 5210],
  ["policy above", { "policy.yaml": local, "claims/src/x": "" }, "claims/src", "", 6001],
  [
    "policy above the project",
    { "policy.yaml": local, "claims/factory.yaml": project("../policy.yaml") },
    "claims",
    "",
    6001,
  ],
  [
    "policy elsewhere, named by the project",
    { "org/policy.yaml": local, "claims/factory.yaml": project("../org/policy.yaml") },
    "claims",
    "org",
    6001,
  ],
  [
    "project without its policy",
    { "claims/factory.yaml": project("../policy.yaml"), "claims/src/x": "" },
    "claims/src",
    "claims",
    5210,
  ],
  [
    "registry on another machine",
    { "policy.yaml": policy('{ kind: mlflow, uri: "https://mlflow.example.com" }') },
    "",
    "",
    5210,
  ],
  ["registry of another kind", { "policy.yaml": policy("{ kind: unity-catalog, profile: dev }") }, "", "", 5210],
])("%s", (_name, files, cwd, home, defaultPort) => {
  for (const [path, text] of Object.entries(files)) put(path, text);
  expect(findHome(join(root, cwd), undefined, true)).toEqual({ home: join(root, home), defaultPort });
});

it("takes the given folder, with the port of the policy in it", () => {
  put("org/policy.yaml", local);
  put("file", "");
  expect(findHome(root, "org", true)).toEqual({ home: join(root, "org"), defaultPort: 6001 });
  expect(findHome(root, "not/there", true)).toEqual({ home: join(root, "not/there"), defaultPort: 5210 });
  expect(() => findHome(root, "file", true)).toThrow("is not a folder");
});

it("refuses a broken policy where its port decides, and looks past it where it does not", () => {
  put("policy.yaml", "factory: 1\n");
  expect(() => findHome(root, undefined, true)).toThrow(/problems/);
  expect(findHome(root, undefined, false)).toEqual({ home: root, defaultPort: 5210 });
});
