import * as z from "zod";
import { minute, span } from "./moments.ts";
import { MARK, type Style, table } from "./style.ts";

const standing = { version: z.string(), digest: z.string(), number: z.string().optional() };
const number = z.string().optional().describe("number in the first environment");

export const statusShape = z.object({
  project: z.string(),
  model: z.string(),
  now: z.string(),
  pilot: z.boolean().describe("the policy does not list it: it goes no further than the first environment"),
  advice: z.string().optional().describe("how a pilot gets on, of which nothing is in the ledger"),
  listed: z
    .object({
      riskTier: z.string(),
      productLine: z.string(),
      slot: z.int().describe("its place among the projects of the product line, from 1"),
      capacity: z.int(),
      noSlot: z.string().optional(),
    })
    .nullable(),
  policy: z.object({
    inForce: z.object({ version: z.int(), digest: z.string() }).nullable(),
    file: z.object({ version: z.int(), digest: z.string() }).nullable(),
    next: z.boolean().describe("the next command that writes puts the file in force"),
    problem: z.string().optional(),
    fix: z.string().optional(),
  }),
  ledger: z.object({
    place: z.string(),
    head: z.string(),
    tornBytes: z.int(),
    pending: z.array(z.string()),
    whole: z
      .boolean()
      .describe("false: entries are missing or do not hold; what is said of environments is by those that do"),
    fix: z.string().optional().describe("the way to a whole one"),
    problems: z.array(z.string()),
  }),
  environments: z.array(
    z.object({
      environment: z.string(),
      champion: z
        .object({
          ...standing,
          since: z.string(),
          by: z.string(),
          rollback: z.string().describe("the version that a rollback goes to; none: it removes champion"),
        })
        .nullable(),
      challenger: z.object(standing).nullable(),
      deployed: z
        .object({ ...standing, seq: z.int(), at: z.string(), by: z.string(), workspace: z.string() })
        .nullable()
        .describe("whose wheel and bundle files were deployed last"),
      deploying: z
        .object({ ...standing, seq: z.int(), at: z.string(), by: z.string(), fix: z.string() })
        .nullable()
        .describe("a deployment that was begun and of which no end is known"),
      open: z.array(
        z.object({ seq: z.int(), kind: z.string(), by: z.string(), at: z.string(), number, fix: z.string() }),
      ),
      differences: z.array(z.string()).describe("where registry or serving endpoints are not what the ledger says"),
      remarks: z
        .array(z.string())
        .describe("what else is to say of its serving endpoints: not seen, not ready, still answering"),
      unanswered: z.string().optional().describe("why the registry could not be looked at"),
      fix: z.string().optional().describe("what to do about that"),
    }),
  ),
  approvals: z
    .array(
      z.object({
        number,
        digest: z.string(),
        environment: z.string(),
        approver: z.string(),
        role: z.string(),
        ticket: z.string().optional(),
        notAfter: z.string(),
        seq: z.int(),
      }),
    )
    .describe("that still count: not withdrawn, not ended, no rollback since, over the newest evidence"),
});
type Status = z.infer<typeof statusShape>;

export function renderStatus(data: Status, style: Style): string {
  return [heading(data, style), ...broken(data, style), ...environmentTable(data, style), ...notes(data, style)].join(
    "\n",
  );
}

/** Before the table, which is by the entries that are left. */
function broken({ ledger }: Status, style: Style): string[] {
  if (ledger.whole) return [];
  return [
    ...ledger.problems.slice(0, 3).map((text) => `${style.bad(MARK.fail)} the ledger is not whole: ${text}`),
    ...(ledger.fix === undefined
      ? []
      : [`  ${style.dim("→")} ${ledger.fix}; below is what the entries say that are left`]),
  ];
}

function heading({ project, model, listed, policy, ledger }: Status, style: Style): string {
  const place =
    listed === null
      ? "pilot: no further than the first environment"
      : `${listed.riskTier} risk, ${listed.productLine} slot ${listed.slot} of ${listed.capacity}`;
  const force = policy.inForce === null ? "no policy in force" : `policy v${policy.inForce.version}`;
  const seq = ledger.head.slice(0, ledger.head.indexOf(":"));
  return `${style.bold(project)}  ${model}   ${style.dim(`${place}   ${force}   ledger entry ${seq}`)}`;
}

function environmentTable(data: Status, style: Style): string[] {
  if (data.environments.length === 0) return [];
  const [first] = data.environments;
  const deploys = data.environments.some(({ deployed }) => deployed !== null);
  const rows = data.environments.map(({ environment, champion, challenger, deployed }, i) => {
    const named = (one: { version: string; number?: string | undefined } | null): string =>
      one === null
        ? MARK.skipped
        : `v${one.version}${i === 0 || one.number === undefined ? "" : ` (${first?.environment} v${one.number})`}`;
    return [
      environment,
      named(champion),
      champion === null ? "" : champion.digest.slice(0, 12),
      champion === null ? "" : `${minute(champion.since)}, ${span(Date.parse(data.now) - Date.parse(champion.since))}`,
      champion === null ? "" : champion.rollback === "none" ? "none" : `v${champion.rollback}`,
      named(challenger),
      ...(deploys ? [named(deployed)] : []),
    ];
  });
  const head = ["", "champion", "sha256", "since (UTC)", "back to", "challenger", ...(deploys ? ["deployed"] : [])];
  return table([head, ...rows], (cell, row, column) =>
    row === 0 ? style.dim(cell) : column === 1 && cell !== MARK.skipped ? style.bold(cell) : cell,
  )
    .split("\n")
    .map((line) => `  ${line}`);
}

function notes(data: Status, style: Style): string[] {
  const note = (text: string): string => `${style.warn(MARK.note)} ${text}`;
  const bad = (text: string): string => `${style.bad(MARK.fail)} ${text}`;
  const now = Date.parse(data.now);
  const { policy, ledger } = data;
  return [
    ...(ledger.whole ? ledger.problems : []).slice(0, 3).map((text) => bad(`ledger: ${text}   factory verify`)),
    ...(data.advice === undefined
      ? []
      : [
          note("a pilot: its versions are registered outside of the ledger; nothing to verify"),
          `  ${style.dim("→")} ${data.advice}`,
        ]),
    ...data.environments.flatMap(({ environment, open }) =>
      open.map((each) =>
        note(
          `${environment}: ${each.kind.replace(".started", "")}${each.number === undefined ? "" : ` of ${each.number}`} ${ledger.whole ? "open" : "begun"}, by ${each.by}, ${span(now - Date.parse(each.at))}   ${each.fix}`,
        ),
      ),
    ),
    ...data.environments.flatMap(({ environment, deploying }) =>
      deploying === null
        ? []
        : [
            note(
              `${environment}: a deployment of v${deploying.version} was begun by ${deploying.by}, ${span(now - Date.parse(deploying.at))} ago, and its end is not known   ${deploying.fix}`,
            ),
          ],
    ),
    ...data.environments.flatMap(({ differences }) => differences.map((text) => note(`${text}   factory verify`))),
    ...data.environments.flatMap(({ remarks }) => remarks.map(note)),
    ...unansweredLines(data).flatMap(({ why, fix }) => [
      note(why),
      ...(fix === undefined ? [] : [`  ${style.dim("→")} ${fix}`]),
    ]),
    ...(ledger.pending.length === 0
      ? []
      : [
          bad(
            `${ledger.pending.length} pending in .factory/pending: the next command that writes, by whoever made them, records them`,
          ),
        ]),
    ...(ledger.tornBytes === 0
      ? []
      : [note(`a torn line of ${ledger.tornBytes} bytes ends the ledger: the next entry sets it aside`)]),
    ...(policy.problem === undefined
      ? []
      : [note(`policy: ${policy.problem}${policy.fix === undefined ? "" : `   ${policy.fix}`}`)]),
    ...(policy.next && policy.file !== null
      ? [note(`policy v${policy.file.version} is signed: the next command that writes puts it in force`)]
      : []),
    ...(data.listed?.noSlot === undefined ? [] : [note(`no slot: ${data.listed.noSlot}`)]),
    ...data.approvals.map(
      (each) =>
        `${style.ok(MARK.pass)} ${each.number ?? each.digest.slice(0, 12)} → ${each.environment} approved by ${each.approver} (${each.role}${each.ticket === undefined ? "" : `, ${each.ticket}`}), until ${minute(each.notAfter)}, ${span(Date.parse(each.notAfter) - now)} left`,
    ),
  ];
}

/** Registries that failed in the same way are told together. */
function unansweredLines({ environments }: Status): { why: string; fix: string | undefined }[] {
  const reasons = new Map<string, { why: string; fix: string | undefined; names: string[] }>();
  for (const { environment, unanswered, fix } of environments) {
    if (unanswered === undefined) continue;
    const key = JSON.stringify([unanswered, fix]);
    const names = [...(reasons.get(key)?.names ?? []), environment];
    reasons.set(key, { why: unanswered, fix, names });
  }
  return [...reasons.values()].map(({ why, fix, names }) => ({
    why: `the registry of ${names.join(", ")} was not looked at: ${why}`,
    fix,
  }));
}
