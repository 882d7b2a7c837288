import { expect, test } from "vitest";
import { parseYaml } from "../../src/lib/yaml-document.ts";
import { policyDifference } from "../../src/policy/difference.ts";
import { policySchema } from "../../src/policy/policy.ts";
import { newSigner, personLine, policyText } from "./world.ts";

const parse = (text: string) => parseYaml(text, "policy.yaml", policySchema);
const key = newSigner();
const TEXT = policyText({ owners: ["ann@example.com"], people: [personLine("ann@example.com", [{ key }])] });
const dev = TEXT.split("\n").find((line) => line.includes("name: dev")) ?? "";
const prod = TEXT.split("\n").find((line) => line.includes("name: prod")) ?? "";

test.each([
  ["nothing", TEXT, []],
  ["a comment", `# hello\n${TEXT}`, []],
  ["a value", TEXT.replace("version: 1", "version: 2"), ["~ version: 1 → 2"]],
  ["what was said by default before", `${TEXT}productLines: {}\n`, []],
  [
    "something new",
    `${TEXT}tickets: { system: file, path: t.yaml }\n`,
    ['+ tickets: {"system":"file","path":"t.yaml"}'],
  ],
  [
    "a value of an environment, told by its name",
    TEXT.replace("catalog: prod,", "catalog: live,"),
    ["~ environments.prod.catalog: prod → live"],
  ],
  [
    "an environment taken out",
    TEXT.replace(`${dev}\n`, ""),
    [expect.stringMatching(/^- environments\.dev: \{"name":"dev"/)],
  ],
  [
    "environments in another order",
    TEXT.replace(`${dev}\n${prod}`, `${prod}\n${dev}`),
    ["~ environments: order dev, prod → prod, dev"],
  ],
  [
    "another person",
    TEXT.replace("people:\n", "people:\n  bob@example.com: { kind: bot }\n"),
    ['+ people.bob@example.com: {"kind":"bot"}'],
  ],
  [
    "a role taken from someone",
    TEXT.replace("[ann@example.com]", "[]"),
    ['~ roles.policy-owner: ["ann@example.com"] → []'],
  ],
  [
    "text that would steer a terminal",
    `${TEXT}tickets: { system: file, path: "a\\e[2J\\nb" }\n`,
    ['+ tickets: {"system":"file","path":"a\\u001b[2J\\nb"}'],
  ],
])("%s", (_, text, lines) => {
  expect(policyDifference(parse(TEXT), parse(text))).toEqual(lines);
});

test("a long value is cut", () => {
  const long = `${TEXT}tickets: { system: file, path: ${"x".repeat(500)} }\n`;
  expect(policyDifference(parse(TEXT), parse(long))[0]?.length).toBeLessThan(160);
});
