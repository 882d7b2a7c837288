import * as z from "zod";
import { defineCommand } from "../cli/command.ts";
import { maySignLines } from "../cli/policy-lines.ts";
import { MARK, table } from "../cli/style.ts";
import { askPolicy, policyLedger, sayWhose } from "../ledger/ask-policy.ts";
import { describePolicy } from "../policy/describe-policy.ts";
import { pilotsBeside } from "../project/pilots.ts";
import { demandPolicy, projectAround } from "../project/policy-around.ts";

export const command = defineCommand({
  name: "policy show",
  summary: "say which policy is in force, and what the file beside it is",
  description:
    "Reads policy.yaml, the signatures beside it and the project's ledger, which alone says what is in force. Changes nothing. " +
    "Outside of a project, name one whose ledger can be asked (kind git or delta), or see the file alone.",
  options: [
    { flags: "--policy <file>", description: "default: the project's, else the nearest policy.yaml upward" },
    { flags: "--project <name>", description: "whose ledger is asked; default: the project here" },
  ],
  examples: [
    "factory policy show",
    "factory policy show --policy governance/policy.yaml --project claims-triage --json",
  ],
  input: z.object({ policy: z.string().min(1).optional(), project: z.string().min(1).optional() }),
  output: z.object({
    file: z.object({
      path: z.string(),
      version: z.int(),
      digest: z.string(),
      organisation: z.string(),
      state: z
        .enum(["in force", "can be adopted", "not in force", "not known"])
        .describe("not known: no ledger was asked; can be adopted: the next writing command does it"),
      problem: z.string().optional(),
      maySign: z.array(z.string()).describe("owners whose signature is missing"),
    }),
    inForce: z
      .object({ version: z.int(), digest: z.string(), seq: z.int(), at: z.string(), by: z.string() })
      .nullable()
      .describe("null: none is in force, or no ledger was asked"),
    ledger: z.string().nullable().describe("null: none was asked"),
    advice: z.string().optional().describe("how one can be asked, where none was"),
    owners: z.array(z.string()),
    quorum: z.int(),
    signedBy: z.array(z.string()).describe("owners whose signature on the file counts"),
    notCounted: z.array(z.string()),
    productLines: z.array(
      z.object({
        name: z.string(),
        used: z.int(),
        capacity: z.int(),
        owner: z.string(),
        projects: z.array(z.string()),
      }),
    ),
    projects: z.array(
      z.object({
        name: z.string(),
        productLine: z.string(),
        riskTier: z.string(),
        owner: z.string(),
        noSlot: z.string().optional(),
      }),
    ),
    pilots: z.array(z.string()).describe("projects beside the file that name it and that it does not list"),
  }),
  async run(input, context) {
    const file = demandPolicy(context.cwd, input.policy);
    const here = projectAround(context.cwd);
    const ledger = policyLedger(file, here, input.project);
    const asked = ledger && (await askPolicy(ledger, context.clients.ledger));
    const { state, signatures, owners, slots, projects } = describePolicy(file, asked, context.now());
    const refused = state !== "same" && !("adopt" in state) ? state : undefined;
    const { path, digest, policy } = file;
    return {
      ok: true,
      data: {
        file: {
          path,
          version: policy.version,
          digest,
          organisation: policy.organisation,
          state:
            asked === undefined
              ? ("not known" as const)
              : state === "same"
                ? ("in force" as const)
                : refused === undefined
                  ? ("can be adopted" as const)
                  : ("not in force" as const),
          ...(refused !== undefined && { problem: refused.problem }),
          maySign: [...(refused?.maySign ?? [])],
        },
        inForce:
          asked?.inForce === undefined || asked.since === undefined
            ? null
            : { version: asked.inForce.version, digest: asked.inForce.digest, ...asked.since },
        ledger: asked?.place ?? null,
        ...(asked === undefined && { advice: sayWhose(file) }),
        owners: [...owners],
        quorum: signatures.quorum,
        signedBy: [...signatures.owners],
        notCounted: [...signatures.notCounted],
        productLines: slots.map(({ productLine, owner, capacity, projects }) => ({
          name: productLine,
          used: projects.length,
          capacity,
          owner,
          projects: [...projects],
        })),
        projects: projects.map(({ noSlot, ...rest }) => ({ ...rest, ...(noSlot !== undefined && { noSlot }) })),
        pilots: pilotsBeside(path, policy),
      },
    };
  },
  render(data, style) {
    const { file, inForce } = data;
    const good = file.state === "in force" || file.state === "can be adopted";
    const mark = good ? style.ok(MARK.pass) : file.state === "not known" ? style.warn(MARK.note) : style.bad(MARK.fail);
    const force =
      data.ledger === null
        ? `not asked: no project here; ${data.advice ?? ""}`
        : inForce === null
          ? `none, by ${data.ledger}`
          : `v${inForce.version} sha256:${inForce.digest.slice(0, 12)}…, entry ${inForce.seq}, ${inForce.at}, by ${inForce.by}`;
    const rows = [
      ["in force", force],
      ["file", `v${file.version} sha256:${file.digest}`],
      ["owners", `${data.owners.join(", ") || "nobody"} (${data.quorum} must sign)`],
      ["signed by", data.signedBy.join(", ") || "nobody"],
      ...data.notCounted.map((text) => ["", `does not count: ${text}`]),
      ...data.productLines.map(({ name, used, capacity, owner }, i) => [
        i === 0 ? "slots" : "",
        `${name}: ${used} of ${capacity} used (${owner})`,
      ]),
      ...data.projects.map(({ name, productLine, riskTier, owner, noSlot }, i) => [
        i === 0 ? "projects" : "",
        `${name}: ${riskTier}, ${productLine}, ${owner}${noSlot === undefined ? "" : `; no slot: ${noSlot}`}`,
      ]),
      ...(data.pilots.length === 0
        ? []
        : [["pilots", `${data.pilots.join(", ")} (go no further than the first environment)`]]),
    ];
    return [
      `${file.path}  ${file.organisation}`,
      table(rows).replace(/^/gm, "  "),
      `${mark} the file is ${STATE[file.state]}${file.problem === undefined ? "" : `: ${file.problem}`}`,
      ...maySignLines(file.maySign, file.version, inForce?.version, style),
    ].join("\n");
  },
});

const STATE = {
  "in force": "in force",
  "can be adopted": "signed by enough owners: the next command that writes to the ledger puts it in force",
  "not in force": "not in force",
  "not known": "judged by itself, since no ledger was asked",
} as const;
