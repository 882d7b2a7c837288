import { existsSync } from "node:fs";
import { resolve } from "node:path";
import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import type { Context } from "../cli/context.ts";
import { MARK } from "../cli/style.ts";
import { usageError } from "../lib/error.ts";
import { gitEmail } from "../people/git-email.ts";
import { keyExists, keyPath, makeKey, passphraseProblem, writeKeyFile, writePublicKey } from "../people/key-file.ts";
import { normaliseAddress } from "../policy/address.ts";
import { policyFileAbove } from "../policy/find-policy.ts";
import { localDate } from "../policy/local-time.ts";
import { personLine } from "../policy/person-line.ts";

const PLACEHOLDER = { person: "someone@example.com", service: "ci@example.com" };

export const command = defineCommand({
  name: "keys new",
  summary: "make a key to sign with, and print its line for policy.yaml",
  description:
    "An ed25519 key as PKCS#8 PEM, readable by you only. It counts once the printed line is under people in policy.yaml and the " +
    "policy's owners signed that version. A key is never overwritten. With --passphrase it is asked for twice; " +
    "FACTORY_KEY_PASSPHRASE gives it without a terminal.",
  arguments: [{ name: "address", description: "as policy.yaml will list it; default: git's user.email" }],
  options: [
    { flags: "--name <name>", description: "name of the key among yours; default: default" },
    { flags: "--passphrase", description: "encrypt it: whoever copies the file cannot sign with it" },
    { flags: "--service", description: "a key for CI, which can never approve; needs --out" },
    { flags: "--out <file>", description: "where the key of a service is written" },
  ],
  examples: [
    "factory keys new someone@example.com --passphrase",
    "factory keys new ci-claims@example.com --service --out ci-claims.pem",
  ],
  writes: true,
  input: z.object({
    address: z.string().min(1).max(254).optional(),
    name: z.string().min(1).optional(),
    passphrase: z.boolean().default(false),
    service: z.boolean().default(false),
    out: z.string().min(1).optional(),
  }),
  output: z.object({
    kind: z.enum(["person", "service"]),
    address: z.string(),
    placeholder: z.boolean().describe("true: no address was found, put one in its place"),
    file: z.string(),
    encrypted: z.boolean(),
    keyId: z.string().optional().describe("absent with --dry-run, like line and publicKey"),
    publicKey: z.string().optional(),
    line: z.string().optional().describe("what goes under people in policy.yaml"),
  }),
  async run(input, context) {
    const kind = input.service ? "service" : "person";
    if (input.service && (input.passphrase || input.name !== undefined))
      throw usageError(
        "keys.flags",
        "--service takes neither --name nor --passphrase",
        "the CI's secret store keeps that key",
      );
    if (input.service !== (input.out !== undefined))
      throw usageError(
        "keys.flags",
        input.service ? "--service needs --out FILE" : "--out goes with --service",
        "factory keys new --help",
      );
    const found = input.address ?? (input.service ? undefined : gitEmail(context.cwd, context.variables));
    const address = found === undefined ? PLACEHOLDER[kind] : normaliseAddress(found);
    if (address === undefined)
      throw usageError(
        "keys.address",
        `${JSON.stringify(found)}${input.address === undefined ? ", git's user.email," : ""} is no address`,
        `give a plain ASCII one: factory keys new ${PLACEHOLDER[kind]}`,
      );
    const file =
      input.out === undefined
        ? keyPath(context.places.config, input.name ?? "default")
        : resolve(context.cwd, input.out);
    if (existsSync(file)) throw keyExists(file);
    const passphrase = input.service ? undefined : await newPassphrase(input.passphrase, context);
    const data = {
      kind,
      address,
      placeholder: found === undefined,
      file,
      encrypted: passphrase !== undefined,
    } as const;
    const today = localDate(context.now(), policyFileAbove(context.cwd)?.policy.timezone ?? "UTC");
    const made: { keyId?: string; publicKey?: string } = context.dryRun ? {} : makeIn(file, kind, passphrase);
    const line = made.publicKey && personLine({ address, kind, key: made.publicKey, from: today });
    return { ok: true, data: { ...data, ...made, ...(line !== undefined && { line }) } };
  },
  render(data, style) {
    if (data.line === undefined || data.keyId === undefined)
      return `Would make a key for ${data.address} in ${data.file}${data.encrypted ? ", encrypted" : ""}`;
    const lines = [
      `${style.ok(MARK.pass)} key ${data.keyId}`,
      `  in ${data.file}${data.encrypted ? ", encrypted" : ""}`,
      "",
      `Under people in policy.yaml${data.placeholder ? " (put the right address in)" : ""}:`,
      "",
      data.line,
      "",
    ];
    if (data.kind === "service")
      return [
        ...lines,
        "Put the file's content into the secret store of the CI as FACTORY_SIGNING_KEY, for the job that signs only,",
        `then remove the file: rm ${data.file}`,
      ].join("\n");
    if (!data.encrypted)
      lines.push(`${style.warn(MARK.note)} not encrypted: whatever runs as you can sign as you (--passphrase)`);
    return [...lines, "It counts once the owners of the policy signed a version with that line."].join("\n");
  },
});

function makeIn(file: string, kind: "person" | "service", passphrase: string | undefined) {
  const { signer, pem } = makeKey(passphrase);
  writeKeyFile(file, pem);
  if (kind === "person") writePublicKey(file, signer.publicKey);
  return { keyId: signer.keyId, publicKey: signer.publicKey };
}

/** The passphrase for a new key, if it is to have one: given by the variable, or asked for twice. */
async function newPassphrase(
  wanted: boolean,
  { keyPassphrase, prompts, dryRun }: Context,
): Promise<string | undefined> {
  const given = keyPassphrase();
  if (given !== undefined) {
    const problem = passphraseProblem(given);
    if (problem !== undefined)
      throw usageError("keys.passphrase", `FACTORY_KEY_PASSPHRASE ${problem}`, "choose a longer one");
    return given;
  }
  if (!wanted) return undefined;
  // A plan asks for nothing that it does not use.
  if (dryRun) return "";
  const flag = "FACTORY_KEY_PASSPHRASE";
  const first = await prompts.secret({ message: "New passphrase", flag, validate: passphraseProblem });
  const again = await prompts.secret({ message: "The same once more", flag });
  if (first !== again)
    throw usageError("keys.passphrase", "the two passphrases differ; no key was made", "run it again");
  const problem = passphraseProblem(first);
  if (problem !== undefined) throw usageError("keys.passphrase", `the passphrase ${problem}`, "choose a longer one");
  return first;
}
