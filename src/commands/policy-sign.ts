import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import { MARK } from "../cli/style.ts";
import { askPolicy, policyLedger, sayWhose } from "../ledger/ask-policy.ts";
import { listedIn } from "../line/listed-keys.ts";
import { policyDifference } from "../policy/difference.ts";
import { planSignature, signPolicy } from "../policy/sign-policy.ts";
import { demandPolicy, projectAround } from "../project/policy-around.ts";

export const command = defineCommand({
  name: "policy sign",
  summary: "sign policy.yaml as one of its owners",
  description:
    "Adds your signature over the file's bytes to policy.sigs.jsonl beside it. Owners are the people of role policy-owner in the " +
    "policy in force; for a first policy, in the file itself. Once enough of them signed a higher version, the next command that " +
    "writes to the ledger puts it in force. Exit 3 when yours would not count.",
  options: [
    { flags: "--policy <file>", description: "default: the project's, else the nearest policy.yaml upward" },
    { flags: "--project <name>", description: "whose ledger says what is in force; default: the project here" },
    {
      flags: "--key <name>",
      description: "which of your keys; default: the only one, or the only one that the policy lists",
    },
  ],
  examples: ["factory policy sign", "factory policy sign --policy governance/policy.yaml --key work"],
  writes: true,
  input: z.object({
    policy: z.string().min(1).optional(),
    project: z.string().min(1).optional(),
    key: z.string().min(1).optional(),
  }),
  output: z.object({
    path: z.string(),
    version: z.int(),
    digest: z.string(),
    asked: z.boolean().describe("false: no ledger was asked, so that the owners are those of the file itself"),
    advice: z.string().optional().describe("how a ledger can be asked, where none was"),
    difference: z.array(z.string()).describe("from the policy in force"),
    signed: z.boolean().describe("false with --dry-run"),
    owner: z.string().optional().describe("whose signature it is"),
    signatures: z.string().describe("the file of the signatures"),
    dropped: z.array(z.string()).describe("lines that spoke of other bytes"),
    owners: z.array(z.string()).describe("whose signatures count"),
    quorum: z.int().optional(),
    missing: z.int().optional(),
    problem: z.string().optional(),
    fix: z.string().optional(),
  }),
  async run(input, context) {
    const file = demandPolicy(context.cwd, input.policy);
    const ledger = policyLedger(file, projectAround(context.cwd), input.project);
    const asked = ledger && (await askPolicy(ledger, context.clients.ledger));
    const now = context.now();
    // Who may sign is told by the policy that is in force before this one.
    const listed = async () => listedIn(asked?.inForce?.policy ?? file.policy, now);
    const signer = await context.signer({ name: input.key, listed });
    const before = asked === undefined ? "not asked" : asked.inForce;
    const plan = context.dryRun
      ? planSignature(file, before, signer.keyId, now)
      : await signPolicy(file, before, signer, now, context.signal);
    const { path, digest, policy, signaturesPath } = file;
    const data = {
      path,
      version: policy.version,
      digest,
      asked: asked !== undefined,
      ...(asked === undefined && { advice: sayWhose(file) }),
      difference: asked?.inForce === undefined ? [] : policyDifference(asked.inForce.policy, policy),
      signatures: signaturesPath,
    };
    if (!plan.allowed)
      return { ok: false, data: { ...data, signed: false, dropped: [], owners: [], problem: plan.why, fix: plan.fix } };
    const { owner, dropped, owners, quorum, missing } = plan;
    return {
      ok: true,
      data: { ...data, signed: !context.dryRun, owner, dropped: [...dropped], owners: [...owners], quorum, missing },
    };
  },
  render(data, style) {
    const what = `${data.path} v${data.version} sha256:${data.digest}`;
    const note = data.asked
      ? []
      : [
          style.dim("  no ledger was asked: owners are those that the file names"),
          style.dim(`  → ${data.advice ?? ""}`),
        ];
    const difference = data.difference.map((line) => `  ${line}`);
    if (data.problem !== undefined)
      return [
        what,
        ...difference,
        ...note,
        `${style.bad(MARK.fail)} not signed: ${data.problem} (exit 3)`,
        style.dim(`  → ${data.fix}`),
      ].join("\n");
    return [
      what,
      ...difference,
      ...note,
      `${style.ok(MARK.pass)} ${data.signed ? "signed" : "would be signed"} by ${data.owner}, in ${data.signatures}`,
      ...data.dropped.map((text) => `  ${style.warn(MARK.note)} ${data.signed ? "dropped" : "would drop"} ${text}`),
      data.missing === 0
        ? `  ${data.owners.length} of ${data.quorum} owners signed: the next command that writes to the ledger puts it in force`
        : `  ${data.owners.length} of ${data.quorum} owners signed (${data.owners.join(", ")}): ${data.missing} still missing`,
    ].join("\n");
  },
});
