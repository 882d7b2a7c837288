import { join } from "node:path";
import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import { count, MARK, table } from "../cli/style.ts";
import { againstRegistering } from "../evidence/against.ts";
import { findEvidence } from "../evidence/find-evidence.ts";
import { GATE_NAMES } from "../policy/policy.ts";
import { openProject } from "../project/read-project.ts";

export const command = defineCommand({
  name: "evidence show",
  summary: "list what an evidence holds, digests verified",
  description:
    "Reads the evidence that factory check sealed last, or the one that is named, and verifies every file of it first.",
  arguments: [
    { name: "digest", description: "the evidence's digest (its first 8 digits are enough); default: the latest" },
  ],
  examples: ["factory evidence show", "factory evidence show 90ac41d7 --json"],
  input: z.object({ digest: z.string().min(1).optional() }),
  output: z.object({
    digest: z.string(),
    folder: z.string(),
    project: z.string(),
    run: z.string(),
    model: z.object({ name: z.string(), digest: z.string() }),
    commit: z.string().nullable(),
    dirty: z.boolean(),
    finished: z.string(),
    champion: z.string(),
    people: z
      .array(z.object({ address: z.string(), known: z.boolean(), changes: z.int() }))
      .nullable()
      .describe("null: not known, the history is incomplete"),
    gates: z
      .array(z.object({ gate: z.string(), verdict: z.string(), summary: z.string() }))
      .describe("in the order in which they run"),
    against: z
      .array(z.string())
      .describe("what the evidence itself says against registering it; register may find more"),
    files: z.array(z.object({ path: z.string(), sha256: z.string(), mediaType: z.string(), bytes: z.int() })),
  }),
  async run(input, context) {
    const { folder } = openProject(context.cwd);
    const evidence = await findEvidence(join(folder, ".factory", "evidence"), input.digest);
    const { facts } = evidence;
    const { champion } = facts;
    const order: readonly string[] = GATE_NAMES;
    const gates = evidence.gates.toSorted((a, b) => order.indexOf(a.gate) - order.indexOf(b.gate));
    return {
      ok: true,
      data: {
        digest: evidence.digest,
        folder: evidence.folder,
        project: facts.project,
        run: facts.run.id,
        model: facts.model,
        commit: facts.commit,
        dirty: facts.dirty,
        finished: facts.finished,
        champion:
          typeof champion === "string"
            ? champion
            : `${champion.environment} v${champion.version} sha256:${champion.digest}`,
        people: facts.people?.people ?? null,
        gates: gates.map(({ gate, verdict, summary }) => ({ gate, verdict, summary })),
        against: againstRegistering(facts, gates),
        files: [...evidence.files],
      },
    };
  },
  render(data, style) {
    const rows = data.gates.map(({ gate, verdict, summary }) => [
      gate,
      `${verdict === "pass" ? MARK.pass : verdict === "fail" ? MARK.fail : verdict === "error" ? MARK.error : MARK.skipped} ${verdict}`,
      summary,
    ]);
    const colour = (cell: string, _: number, column: number): string =>
      column !== 1
        ? cell
        : cell.startsWith(MARK.pass)
          ? style.ok(cell)
          : cell.startsWith(MARK.fail)
            ? style.bad(cell)
            : style.warn(cell);
    const indent = (text: string): string => text.replace(/^/gm, "  ");
    return [
      `evidence sha256:${data.digest}  ${style.ok(`${MARK.pass} every digest verified`)}`,
      indent(
        table([
          ["model", `${data.model.name} sha256:${data.model.digest}`],
          ["run", `${data.run}, checked ${data.finished}`],
          [
            "code",
            data.commit === null ? "not in git" : `${data.commit}${data.dirty ? " with uncommitted changes" : ""}`,
          ],
          ["champion", data.champion],
          [
            "people",
            data.people === null
              ? "not known: the history is incomplete"
              : data.people
                  .map((each) => `${each.address} (${each.changes}${each.known ? "" : ", address not readable"})`)
                  .join(", ") || "none",
          ],
        ]),
      ),
      "",
      indent(table(rows, colour)),
      data.against.length === 0
        ? style.dim(
            "  nothing in it stands against registering it; factory register looks at its run and the policy too",
          )
        : style.warn(`  ${MARK.note} not to be registered as it is: ${data.against.join("; ")}`),
      "",
      indent(
        table(
          data.files.map((file) => [file.path, `${count(file.bytes)} bytes`, `sha256:${file.sha256.slice(0, 12)}…`]),
          (cell) => style.dim(cell),
        ),
      ),
    ].join("\n");
  },
});
