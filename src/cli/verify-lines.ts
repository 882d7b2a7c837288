import * as z from "zod";
import { count, MARK, type Style } from "./style.ts";
import { shortDigest } from "./verdict-lines.ts";

const finding = z.object({
  part: z.enum(["ledger", "bundles", "registry"]),
  verdict: z.enum(["no", "cannot tell", "note"]),
  environment: z.string().optional(),
  message: z.string(),
  missing: z
    .object({ entry: z.int(), cause: z.string() })
    .optional()
    .describe("a bundle that was not obtained: its entry, and why, as it may be said of others too"),
  fix: z.string().optional(),
});

/** What `factory verify` found. */
export const verifyShape = z.object({
  outcome: z.enum(["yes", "no", "cannot tell"]),
  project: z.string(),
  model: z.string(),
  ledger: z.object({
    place: z.string(),
    entries: z.int().describe("that hold, from the first on"),
    head: z.string().describe("seq:hash of the last of them"),
    tornBytes: z.int(),
    pending: z.array(z.string()).describe("files in .factory/pending"),
    firstPolicy: z.string().nullable().describe("digest of the policy with which the ledger was opened"),
    policy: z.object({ version: z.int(), digest: z.string() }).nullable().describe("in force at the end"),
    pilot: z
      .boolean()
      .describe("the policy does not list the project, and nothing was ever written: there is nothing to verify"),
    given: z.string().optional().describe("--policy-digest"),
  }),
  bundles: z.object({
    named: z.int().describe("by the ledger"),
    good: z.int().describe("of which everything holds, the evidence included"),
    evidence: z.int().describe("that they name, each once"),
  }),
  registry: z
    .array(
      z.object({
        environment: z.string(),
        name: z.string(),
        answered: z.boolean(),
        place: z.string().optional(),
        versions: z.int().optional(),
        read: z.int().optional().describe("versions whose every byte was read"),
        champion: z.string().nullable().optional().describe("by the registry"),
        challenger: z.string().nullable().optional().describe("by the registry"),
        anchor: z.string().nullable().optional().describe("seq:hash"),
        endpoints: z
          .array(z.string())
          .describe("serving endpoints that the ledger names and that said what they answer"),
      }),
    )
    .nullable()
    .describe("null: not asked (--offline)"),
  network: z.boolean().describe("whether ledger or bundles needed the network"),
  findings: z.array(finding).describe("no: a problem; cannot tell: nobody answered; note: worth knowing"),
});
export type Verified = z.infer<typeof verifyShape>;

/** One line a part, then every problem with what to do. */
export function renderVerify(data: Verified, style: Style): string {
  const { ledger, bundles, registry } = data;
  const line = (part: "ledger" | "bundles" | "registry", text: string): string => {
    const own = data.findings.filter((each) => each.part === part);
    const mark = own.some((each) => each.verdict === "no")
      ? style.bad(MARK.fail)
      : own.some((each) => each.verdict === "cannot tell")
        ? style.warn(MARK.error)
        : style.ok(MARK.pass);
    return `${mark} ${part.padEnd(9)}  ${text}`;
  };
  return [
    line("ledger", ledgerText(data)),
    ...(ledger.firstPolicy === null
      ? []
      : [
          style.dim(
            `             opened under policy sha256:${ledger.firstPolicy}${ledger.given === ledger.firstPolicy ? ", as given" : ""}`,
          ),
        ]),
    line("bundles", bundlesText(bundles)),
    registry === null
      ? `${style.dim(MARK.skipped)} registry   not asked (--offline)`
      : line("registry", registryText(data, registry)),
    ...(data.network
      ? []
      : [`${style.ok(MARK.pass)} offline    nothing was asked of the network for the first two lines`]),
    ...problems(data, style),
  ].join("\n");
}

function ledgerText({ ledger, findings }: Verified): string {
  if (ledger.pilot) return "none: a pilot is registered outside of the ledger; nothing to verify";
  const entries = `${count(ledger.entries)} signed ${ledger.entries === 1 ? "entry" : "entries"}`;
  const whole = !findings.some((each) => each.part === "ledger" && each.verdict === "no");
  const policy = ledger.policy === null ? "" : `   policy v${ledger.policy.version} in force`;
  return `${entries}, ${whole ? "chain whole" : "and something is wrong"}${policy}`;
}

function bundlesText({ named, good, evidence }: Verified["bundles"]): string {
  if (named === 0) return "none yet: nothing was promoted";
  return `${count(good)} of ${count(named)}: signatures, digests, subjects; ${count(evidence)} evidence`;
}

function registryText({ ledger, findings }: Verified, registry: NonNullable<Verified["registry"]>): string {
  const own = findings.filter((each) => each.part === "registry");
  const number = (verdict: "no" | "cannot tell") => own.filter((each) => each.verdict === verdict).length;
  const [wrong, open] = [number("no"), number("cannot tell")];
  const parts = [
    ...(wrong > 0 ? [`${wrong} ${wrong === 1 ? "difference" : "differences"} from the ledger`] : []),
    ...(open > 0 ? [`${open} could not be told`] : []),
  ];
  if (parts.length > 0) return parts.join(", ");
  if (ledger.pilot) return "no version beyond the first environment";
  const read = registry.reduce((sum, each) => sum + (each.read ?? 0), 0);
  const endpoints = registry.reduce((sum, each) => sum + each.endpoints.length, 0);
  const anchored = registry.filter((each) => (each.anchor ?? null) !== null).length;
  return [
    "champion and challenger are what the ledger says",
    ...(endpoints > 0
      ? [`so ${endpoints === 1 ? "is its serving endpoint" : `are ${endpoints} serving endpoints`}`]
      : []),
    ...(read > 0 ? [`${read} ${read === 1 ? "model" : "models"} read anew`] : []),
    ...(anchored > 0 ? [anchored === 1 ? "its anchor is in the chain" : `${anchored} anchors are in the chain`] : []),
  ].join("; ");
}

function problems({ findings }: Verified, style: Style): string[] {
  const order = { no: 0, "cannot tell": 1, note: 2 } as const;
  const marks = { no: style.bad(MARK.fail), "cannot tell": style.warn(MARK.error), note: style.warn(MARK.note) };
  const groups = new Map<string, Verified["findings"]>();
  for (const each of [...findings].sort((a, b) => order[a.verdict] - order[b.verdict])) {
    const key = each.fix === undefined ? `${groups.size}` : JSON.stringify([each.verdict, each.fix]);
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  const lines = [...groups.values()].flatMap((group) => {
    const [{ verdict, fix } = { verdict: "note" as const, fix: undefined }] = group;
    return [
      ...messages(group).map((message) => `  ${marks[verdict]} ${shortened(message)}`),
      ...(fix === undefined ? [] : [`    ${style.dim("→")} ${fix}`]),
    ];
  });
  return lines.length === 0 ? [] : ["", ...lines];
}

/** Bundles that were not obtained for one and the same cause are one line, with their entries; the others stay as they are. */
function messages(group: Verified["findings"]): string[] {
  const causes = new Map<string, Verified["findings"]>();
  for (const each of group)
    if (each.missing !== undefined) causes.set(each.missing.cause, [...(causes.get(each.missing.cause) ?? []), each]);
  const several = [...causes].filter(([, found]) => found.length > 1);
  const rest = group.filter((each) => !several.some(([, found]) => found.includes(each)));
  return [
    ...several.map(([cause, found]) => {
      const entries = [...new Set(found.map((each) => each.missing?.entry))];
      return `${found.length} bundles, of entries ${entries.join(", ")}: ${cause}`;
    }),
    ...inEnvironments(rest),
  ];
}

/** What was found alike in several environments is said once, with their names. */
function inEnvironments(group: Verified["findings"]): string[] {
  const alike = new Map<string, string[]>();
  for (const { message, environment } of group) {
    const [before, ...after] = environment === undefined ? [message] : message.split(` of ${environment} `);
    const key = JSON.stringify(after.length === 1 ? [before, after[0]] : [message]);
    alike.set(key, [...(alike.get(key) ?? []), ...(environment === undefined ? [] : [environment])]);
  }
  return [...alike].map(([key, names]) =>
    z
      .array(z.string())
      .parse(JSON.parse(key))
      .join(` of ${names.join(", ")} `),
  );
}

/** Whole digests are in `--json`; on a screen twelve digits tell them apart. */
function shortened(message: string): string {
  return message.replace(/sha256:([0-9a-f]{64})/g, (_, digest: string) => shortDigest(digest));
}
