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

test.each([
  ["analyst", "correct horse"],
  ["ana", "pässwörd-?>"],
  ["bo", "short"],
])("user %s and password %s are masked as HTTP sends them, with and without padding", (user, password) => {
  const { secrets } = takeVariables({ MLFLOW_TRACKING_USERNAME: user, MLFLOW_TRACKING_PASSWORD: password });
  const sent = Buffer.from(`${user}:${password}`).toString("base64");
  const bare = sent.replace(/=+$/, "");
  for (const each of [sent, bare, Buffer.from(bare, "base64").toString("base64url")])
    for (const text of [`Authorization: Basic ${each}`, JSON.stringify({ got: each })])
      expect(redact(text, secrets)).not.toContain(each.slice(0, 8));
});

test("a user without a password is no secret", () => {
  expect(takeVariables({ MLFLOW_TRACKING_USERNAME: "analyst" }).secrets).toEqual([]);
});
