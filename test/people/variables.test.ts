import { expect, test } from "vitest";
import { takeVariables } from "../../src/cli/variables.ts";
import { redact } from "../../src/lib/redact.ts";
import { makeKey } from "../../src/people/key-file.ts";

const { pem } = makeKey(undefined);
const body = pem.split("\n")[1] ?? "";

test("factory's own secrets are taken out of the process, and known to the one place that signs", () => {
  const environment: NodeJS.ProcessEnv = {
    PATH: "/bin",
    FACTORY_SIGNING_KEY: pem,
    FACTORY_SIGNING_KEY_FILE: "ci.pem",
    FACTORY_KEY_PASSPHRASE: "correct horse",
  };
  const taken = takeVariables(environment);
  expect(environment).toEqual({ PATH: "/bin" });
  expect(taken.variables).toEqual({ PATH: "/bin" });
  expect(taken.given).toEqual({ key: pem, file: "ci.pem", passphrase: "correct horse" });
  expect(taken.keysGiven).toEqual(["FACTORY_SIGNING_KEY", "FACTORY_SIGNING_KEY_FILE", "FACTORY_KEY_PASSPHRASE"]);
});

test.each([
  ["as it is", pem],
  ["in one line", pem.replaceAll("\n", "\\n")],
  ["with other line ends", pem.replaceAll("\n", "\r\n")],
])("a key given %s is masked, whole and by the line", (_, key) => {
  const { secrets } = takeVariables({ FACTORY_SIGNING_KEY: key });
  for (const text of [`x ${key} y`, `line ${body} end`, JSON.stringify({ key }), JSON.stringify({ body })])
    expect(redact(text, secrets)).not.toContain(body);
});

test("none given, none known", () => {
  expect(takeVariables({}).given).toEqual({ key: undefined, file: undefined, passphrase: undefined });
});
