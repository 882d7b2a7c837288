import { join, resolve } from "node:path";
import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import { MARK } from "../cli/style.ts";
import { extendEvidence, readAttachment } from "../evidence/extend.ts";
import { evidenceOfRun } from "../evidence/find-evidence.ts";
import type { Evidence } from "../evidence/read-evidence.ts";
import { attachmentPath } from "../evidence/seal.ts";
import { requiredOfProject } from "../gates/required-of-project.ts";
import { usageError } from "../lib/error.ts";
import type { Report } from "../lib/progress.ts";
import { type OpenProject, openProject } from "../project/read-project.ts";

const ADDABLE = ["checklist", "report", "model-card", "other"] as const;

export const command = defineCommand({
  name: "evidence add",
  summary: "attach a checklist or report to the latest evidence",
  description:
    "Sealed evidence never changes: this seals new evidence, which holds all of the earlier one and the file, and says which one it " +
    "extends. It has another digest; an approval of the earlier one does not cover it. What is extended is what factory register " +
    "would take: about the run that was checked last the newest evidence of a check of all required gates, else the newest.",
  arguments: [{ name: "file", description: "the file to attach, at most 64 MiB", required: true }],
  options: [
    { flags: "--kind <kind>", description: ADDABLE.join(", ") },
    { flags: "--name <name>", description: "its name in the evidence; default: the file's own" },
  ],
  examples: [
    "factory evidence add fairness.pdf --kind report",
    "factory evidence add docs/release-checklist.md --kind checklist --name checklist.md",
  ],
  writes: true,
  input: z.object({
    file: z.string().min(1),
    kind: z.enum(ADDABLE),
    name: z.string().min(1).optional(),
  }),
  output: z.object({
    digest: z.string().optional().describe("absent with --dry-run"),
    extends: z.string(),
    added: z.string(),
    bytes: z.int(),
    folder: z.string().optional(),
  }),
  async run(input, context) {
    const open = openProject(context.cwd);
    const root = join(open.folder, ".factory", "evidence");
    const { name, content } = await readAttachment(resolve(context.cwd, input.file), input.name);
    const earlier = await extended(open, root, context.report);
    const attachment = { kind: input.kind, name, content };
    if (context.dryRun)
      return {
        ok: true,
        data: { extends: earlier.digest, added: attachmentPath(attachment), bytes: content.byteLength },
      };
    const sealed = await extendEvidence(earlier, attachment, root, context.now());
    return {
      ok: true,
      data: {
        digest: sealed.digest,
        extends: earlier.digest,
        added: sealed.added,
        bytes: content.byteLength,
        folder: sealed.folder,
      },
    };
  },
  render: (data, style) =>
    data.digest === undefined
      ? `Would seal new evidence: all of sha256:${data.extends}, and ${data.added} (${data.bytes} bytes)`
      : [
          `${style.ok(MARK.pass)} evidence sha256:${data.digest}`,
          style.dim(`  extends sha256:${data.extends} by ${data.added} (${data.bytes} bytes)`),
        ].join("\n"),
});

/** The evidence that counts. What a newer check of some gates found must not be hidden by a newer seal: throws exit 2. */
async function extended(open: OpenProject, root: string, report: Report): Promise<Evidence> {
  const required = requiredOfProject(open);
  const { evidence, against } = await evidenceOfRun(root, undefined, required, report);
  if (against.length > 0) throw usageError("evidence.against", against.join("; "), "mend it, then factory check");
  return evidence;
}
