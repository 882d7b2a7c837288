import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import { MARK, table } from "../cli/style.ts";
import { keyIdOf } from "../lib/signing.ts";
import { keysFolder } from "../people/key-file.ts";
import { folderProblem, listKeys } from "../people/list-keys.ts";
import { identityOfKey } from "../policy/identity.ts";
import { localDate } from "../policy/local-time.ts";
import { personLine } from "../policy/person-line.ts";
import { policyAround } from "../project/policy-around.ts";

export const command = defineCommand({
  name: "keys list",
  summary: "list your keys, and whose they are in the policy here",
  description:
    "No passphrase is asked for: of an encrypted key it tells what was noted beside it when it was made. Keys that a job is given " +
    "by variables are not listed.",
  options: [{ flags: "--policy <file>", description: "default: the project's, else the nearest policy.yaml upward" }],
  examples: ["factory keys list", "factory keys list --json"],
  input: z.object({ policy: z.string().min(1).optional() }),
  output: z.object({
    folder: z.string(),
    policy: z.string().nullable().describe("the policy file that was looked at; null: none is here"),
    keys: z.array(
      z.object({
        name: z.string(),
        file: z.string(),
        keyId: z.string().nullable().describe("null: encrypted, and nothing is noted beside it"),
        publicKey: z.string().nullable(),
        encrypted: z.boolean(),
        problem: z.string().optional().describe("why it cannot be used"),
        address: z.string().nullable().describe("whose it is by the policy file; null: nobody's"),
        listed: z.string().optional().describe("why it counts for nobody"),
        line: z.string().optional().describe("what would list it in policy.yaml"),
      }),
    ),
    warnings: z.array(z.string()),
  }),
  async run(input, context) {
    const { config } = context.places;
    const file = policyAround(context.cwd, input.policy);
    const now = context.now();
    const keys = listKeys(config).map(({ name, path, encrypted, publicKey, problem }) => {
      const keyId = publicKey === undefined ? undefined : keyIdOf(publicKey);
      const base = {
        name,
        file: path,
        keyId: keyId ?? null,
        publicKey: publicKey ?? null,
        encrypted,
        ...(problem !== undefined && { problem }),
      };
      if (keyId === undefined || publicKey === undefined || file === undefined) return { ...base, address: null };
      const identity = identityOfKey(file.policy, keyId, now);
      if (!("problem" in identity)) return { ...base, address: identity.address };
      const from = localDate(now, file.policy.timezone);
      const line = personLine({ address: "someone@example.com", kind: "person", key: publicKey, from });
      return { ...base, address: null, listed: identity.problem, line };
    });
    const loose = folderProblem(config);
    return {
      ok: true,
      data: {
        folder: keysFolder(config),
        policy: file?.path ?? null,
        keys,
        warnings: loose === undefined ? [] : [loose],
      },
    };
  },
  render(data, style) {
    const warnings = data.warnings.map((text) => `${style.warn(MARK.note)} ${text}`);
    if (data.keys.length === 0)
      return [`No keys in ${data.folder}.`, "Make one: factory keys new", ...warnings].join("\n");
    const rows = data.keys.map((key) => [
      key.name,
      key.keyId === null ? "id not known" : `${key.keyId.slice(0, 16)}…`,
      key.encrypted ? "encrypted" : "not encrypted",
      key.problem !== undefined
        ? `${MARK.fail} ${key.problem}`
        : data.policy === null
          ? "no policy here"
          : key.address === null
            ? `nobody's in the policy${key.listed === undefined ? "" : `: ${key.listed}`}`
            : key.address,
    ]);
    const lines = data.keys.flatMap((key) => (key.line === undefined ? [] : [key.line]));
    return [
      `Keys in ${data.folder}${data.policy === null ? "" : `, by ${data.policy}`}`,
      table(rows).replace(/^/gm, "  "),
      ...(lines.length === 0
        ? []
        : ["", "To list one, under people in policy.yaml, with the right address:", "", ...lines]),
      ...warnings,
    ].join("\n");
  },
});
