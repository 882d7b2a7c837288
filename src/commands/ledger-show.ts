import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import { second } from "../cli/moments.ts";
import { MARK, table } from "../cli/style.ts";
import { demandKnown, policyLedger, sayWhose } from "../ledger/ask-policy.ts";
import { describeEntry } from "../ledger/describe.ts";
import { printHead } from "../ledger/entry.ts";
import { openLedger } from "../ledger/open-ledger.ts";
import { usageError } from "../lib/error.ts";
import { policyAround, projectAround } from "../project/policy-around.ts";

export const command = defineCommand({
  name: "ledger show",
  summary: "list the entries of a project's ledger, every one verified",
  description:
    "Reads the ledger that the policy names and verifies it first: hashes, chain, and each signature by the policy that was in force " +
    "at its entry. Entries behind a problem are not shown: nobody knows what they are.",
  options: [
    { flags: "--from <n>", description: "begin with this entry" },
    { flags: "--policy <file>", description: "default: the project's, else the nearest policy.yaml upward" },
    { flags: "--project <name>", description: "whose ledger; default: the project here" },
  ],
  examples: ["factory ledger show", "factory ledger show --from 20 --json"],
  input: z.object({
    from: z
      .string()
      .regex(/^[1-9]\d{0,14}$/, "the number of an entry")
      .optional(),
    policy: z.string().min(1).optional(),
    project: z.string().min(1).optional(),
  }),
  output: z.object({
    place: z.string(),
    project: z.string(),
    head: z.string().describe("seq:hash of the last entry that holds; 0 and 64 zeros when there is none"),
    entries: z.array(
      z.object({
        seq: z.int(),
        at: z.string(),
        kind: z.string(),
        by: z.string(),
        what: z.string(),
        key: z.string(),
        body: z.record(z.string(), z.unknown()).describe("as it is in the ledger"),
        hash: z.string(),
      }),
    ),
    tornBytes: z.int().describe("bytes of a line that its writer did not finish; they are no entry"),
    problems: z.array(z.string()),
  }),
  async run(input, context) {
    const around = policyAround(context.cwd, input.policy);
    const asked = policyLedger(around, projectAround(context.cwd), input.project);
    if (asked === undefined) throw usageError("project.missing", "whose ledger?", sayWhose(around));
    const ledger = openLedger(await context.clients.ledger(asked.place), asked.project);
    const view = await ledger.view();
    demandKnown(asked, view);
    const from = Number(input.from ?? 1);
    return {
      ok: view.problems.length === 0,
      data: {
        place: ledger.place,
        project: asked.project,
        head: printHead(view.head),
        entries: view.entries
          .filter(({ seq }) => seq >= from)
          .map((entry) => {
            const { seq, at, kind, by, key, body, hash } = entry;
            return { seq, at, kind, by, what: describeEntry(entry), key, body: { ...body }, hash };
          }),
        tornBytes: view.tornBytes,
        problems: view.problems.map(({ message }) => message),
      },
    };
  },
  render(data, style) {
    const rows = data.entries.map(({ seq, at, kind, by, what }) => [String(seq), second(at), kind, by, what]);
    const none = data.problems.length > 0 ? [] : [nothingShown(data)];
    return [
      data.place,
      ...(rows.length === 0
        ? none
        : [
            table([["entry", "at (UTC)", "kind", "by", "what"], ...rows], (cell, row) =>
              row === 0 ? style.dim(cell) : cell,
            ),
          ]),
      ...(data.tornBytes === 0
        ? []
        : [
            `${style.warn(MARK.note)} a last line without its end (${data.tornBytes} bytes): set aside with the next entry`,
          ]),
      ...data.problems.map((problem) => `${style.bad(MARK.fail)} ${problem}`),
    ].join("\n");
  },
});

function nothingShown({ project, head }: { project: string; head: string }): string {
  const [last = "0"] = head.split(":");
  return last === "0"
    ? `Nothing is recorded yet in the ledger of ${project}.`
    : `The ledger of ${project} has no such entry yet: its last is ${last}.`;
}
