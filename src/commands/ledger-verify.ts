import { existsSync } from "node:fs";
import { resolve } from "node:path";
import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import { count, MARK } from "../cli/style.ts";
import { type AskedLedger, demandKnown, policyLedger, sayWhose } from "../ledger/ask-policy.ts";
import { printHead } from "../ledger/entry.ts";
import { openLedger } from "../ledger/open-ledger.ts";
import type { LedgerPlace } from "../ledger/store.ts";
import { usageError } from "../lib/error.ts";
import { policyAround, projectAround } from "../project/policy-around.ts";

export const command = defineCommand({
  name: "ledger verify",
  summary: "verify the ledger alone: chain, signatures, policies",
  description:
    "Every entry covers the one before it and is signed by a key that the policy in force at that entry lists; every policy is signed by " +
    "the owners named before it. With a file nothing else is read and no network is used; of a Delta table its history is read too, in which every operation but an " +
    "append is a problem. Whether the last entries were cut off, a chain " +
    "cannot say by itself: the anchors in the registries do.",
  arguments: [{ name: "file", description: "a ledger or a copy of one; default: the ledger that the policy names" }],
  options: [
    { flags: "--policy <file>", description: "default: the project's, else the nearest policy.yaml upward" },
    { flags: "--project <name>", description: "whose ledger; default: the project here" },
  ],
  examples: ["factory ledger verify", "factory ledger verify backup/ledger.jsonl --json"],
  input: z.object({
    file: z.string().min(1).optional(),
    policy: z.string().min(1).optional(),
    project: z.string().min(1).optional(),
  }),
  output: z.object({
    place: z.string(),
    entries: z.int().describe("that hold, from the first on"),
    head: z.string().describe("seq:hash of the last of them"),
    project: z.string().nullable(),
    policy: z
      .object({ version: z.int(), digest: z.string() })
      .nullable()
      .describe("in force at the end; null: the ledger was not opened"),
    tornBytes: z.int().describe("bytes of a line that its writer did not finish; they are no entry"),
    problems: z.array(z.object({ seq: z.int().nullable(), message: z.string() })),
  }),
  async run(input, context) {
    const asked = placeOf(input, context.cwd);
    const store = await context.clients.ledger(asked.place);
    const ledger = openLedger(store, asked.project);
    const view = await ledger.view();
    if ("names" in asked) demandKnown(asked, view);
    const { entries, head, policy, tornBytes, problems } = view;
    const found = (await store.inspect?.()) ?? [];
    const [first] = entries;
    return {
      // Nothing proves nothing.
      ok: problems.length + found.length === 0 && entries.length > 0,
      data: {
        place: ledger.place,
        entries: entries.length,
        head: printHead(head),
        project: first?.kind === "opened" ? first.body.project : null,
        policy: policy === undefined ? null : { version: policy.version, digest: policy.digest },
        tornBytes,
        problems: [
          ...problems.map(({ seq, message }) => ({ seq: seq ?? null, message })),
          ...found.map(({ message }) => ({ seq: null, message })),
        ],
      },
    };
  },
  render(data, style) {
    const whole = data.problems.length === 0;
    const torn = `a last line without its end, ${count(data.tornBytes)} bytes: no entry; the next entry sets it aside`;
    const policy = data.policy === null ? "" : `, policy v${data.policy.version} sha256:${data.policy.digest} in force`;
    return [
      `${data.place}`,
      ...data.problems.map(({ message }) => `${style.bad(MARK.fail)} ${message}`),
      data.entries === 0
        ? `${style.bad(MARK.fail)} no entry that could be verified`
        : `${whole ? style.ok(MARK.pass) : style.warn(MARK.note)} ${count(data.entries)} signed ${data.entries === 1 ? "entry" : "entries"}, ${whole ? "chain whole" : "whole up to there"}${policy}`,
      ...(data.entries === 0 ? [] : [style.dim(`  head ${data.head}`)]),
      ...(data.tornBytes === 0 ? [] : [`${style.warn(MARK.note)} ${torn}`]),
    ].join("\n");
  },
});

/** A file that is verified by itself. */
interface Chain {
  place: LedgerPlace;
  project: string | undefined;
}

interface Asked {
  file?: string | undefined;
  policy?: string | undefined;
  project?: string | undefined;
}

function placeOf({ file, policy, project }: Asked, cwd: string): AskedLedger | Chain {
  if (file !== undefined) {
    const path = resolve(cwd, file);
    if (!existsSync(path)) throw usageError("file.missing", `ledger not found: ${path}`);
    return { place: { kind: "file", path }, project };
  }
  const around = policyAround(cwd, policy);
  const asked = policyLedger(around, projectAround(cwd), project);
  if (asked === undefined) throw usageError("project.missing", "whose ledger?", `${sayWhose(around)}; or name a file`);
  return asked;
}
