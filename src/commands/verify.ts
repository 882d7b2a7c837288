import * as z from "zod";
import { auditBundles } from "../audit/audit-bundles.ts";
import { auditLedger } from "../audit/audit-ledger.ts";
import { auditPlace } from "../audit/audit-place.ts";
import { auditRegistries } from "../audit/audit-registries.ts";
import { auditOpenStarts, startJudge } from "../audit/audit-starts.ts";
import { type Finding, outcomeOf } from "../audit/finding.ts";
import { placeAsksNetwork } from "../audit/network.ts";
import { type ObjectSource, objectSource } from "../audit/object-source.ts";
import { pendingEntries } from "../audit/pending.ts";
import { unlessMoved } from "../audit/unless-moved.ts";
import { defineCommand } from "../cli/command.ts";
import type { Context } from "../cli/context.ts";
import { LINE_OPTIONS } from "../cli/line-world.ts";
import { renderVerify, verifyShape } from "../cli/verify-lines.ts";
import { printHead } from "../ledger/entry.ts";
import type { LedgerPlace, LedgerStore } from "../ledger/store.ts";
import { EXIT, FactoryError, usageError } from "../lib/error.ts";
import { withTask } from "../lib/progress.ts";
import { findLine } from "../line/find-line.ts";
import type { Line } from "../line/line.ts";
import { misfitsOf } from "../line/misfits.ts";

export const command = defineCommand({
  name: "verify",
  summary: "prove ledger, bundles and registries against each other",
  description:
    "Three questions: is the ledger whole and signed; does every bundle that it names, with its evidence, hold, and every decision " +
    "when it is made again; are the registries and serving endpoints what the ledger says, the bytes of what serves read anew. The first two need no " +
    "network when the objects are in the cache.\n" +
    "Exit 3: something does not hold. Exit 4: nothing is wrong, but something could not be told.",
  options: [
    {
      flags: "--offline",
      description: "ask no network: the registries are left out, objects come from the cache alone",
    },
    {
      flags: "--policy-digest <sha>",
      description:
        "digest of the policy with which the ledger must have been opened, as you were told it by another way",
    },
    ...LINE_OPTIONS,
  ],
  examples: [
    "factory verify",
    "factory verify --offline",
    "factory verify --policy governance/policy.yaml --project claims-triage --json",
  ],
  input: z.object({
    offline: z.boolean().default(false),
    policyDigest: z
      .string()
      .regex(/^(?:sha256:)?[0-9a-fA-F]{64}$/, "the whole SHA-256, 64 hex digits")
      .optional(),
    policy: z.string().min(1).optional(),
    project: z.string().min(1).optional(),
  }),
  output: verifyShape,
  async run(input, context) {
    let place: LedgerPlace | undefined;
    let store: LedgerStore | undefined;
    const open = async (asked: LedgerPlace): Promise<LedgerStore> => {
      if (input.offline && placeAsksNetwork(asked))
        throw usageError(
          "verify.offline",
          "the ledger is reached over the network, and --offline asks none",
          "leave --offline out; or verify an export without any network: factory evidence export",
        );
      place = asked;
      store = await context.clients.ledger(asked);
      return store;
    };
    const where = { cwd: context.cwd, policy: input.policy, project: input.project, model: undefined };
    const { line, folder } = await findLine(where, open, context.now());
    const given = input.policyDigest?.replace(/^sha256:/, "").toLowerCase();
    const ledger = auditLedger(line, pendingEntries(folder), given, context.now());
    const placed = await auditPlace(store);
    const source = sourceOf(line, input.offline, context);
    const bundles = await bundlesOf(line, source, context);
    const judge = startJudge(line.view, source);
    const starts = await auditOpenStarts(line.state, judge);
    // What the third part asks of the stores is no network of the first two.
    const network = source.asked() || (place !== undefined && placeAsksNetwork(place));
    const { registry: registryOf, serving: servingOf } = context.clients;
    const registry = input.offline
      ? undefined
      : await auditRegistries(line, { registryOf, servingOf }, judge, context.report);
    const findings: Finding[] = [
      ...ledger.findings,
      ...placed,
      ...starts,
      ...bundles.findings,
      ...(registry === undefined ? [] : await unlessMoved(registry.findings, line)),
    ];
    const outcome = outcomeOf(findings);
    const data = {
      outcome,
      project: line.project,
      model: line.model,
      ledger: {
        place: line.ledger.place,
        entries: ledger.entries,
        head: printHead(ledger.head),
        tornBytes: ledger.tornBytes,
        pending: [...ledger.pending],
        firstPolicy: ledger.firstPolicy ?? null,
        policy: ledger.policy ?? null,
        pilot: ledger.pilot,
        ...(given !== undefined && { given }),
      },
      bundles: { named: bundles.named, good: bundles.good, evidence: bundles.evidence },
      registry:
        registry === undefined
          ? null
          : registry.environments.map((each) => ({ ...each, endpoints: [...each.endpoints] })),
      network,
      findings,
    };
    if (outcome !== "cannot tell") return { ok: outcome === "yes", data };
    return { ok: false, data, failure: cannotTell(findings) };
  },
  render: renderVerify,
});

function sourceOf(line: Line, offline: boolean, context: Context): ObjectSource {
  const environments = line.policy.known ? line.policy.value.inForce.policy.environments : [];
  const storeOf = async (name: string) => {
    const environment = environments.find((each) => each.name === name);
    return environment && context.clients.objects(environment, line.model);
  };
  return objectSource(context.places.cache, offline ? undefined : storeOf);
}

function bundlesOf(line: Line, source: ObjectSource, context: Context) {
  const setAside = new Set(misfitsOf(line).setAside.map(({ seq }) => seq));
  return withTask(
    context.report,
    "audit.bundles",
    "bundles and evidence",
    (advance) => auditBundles(line.view, source, setAside, advance),
    { unit: "steps" },
  );
}

function cannotTell(findings: readonly Finding[]): FactoryError {
  const open = findings.filter((each) => each.verdict === "cannot tell");
  return new FactoryError(
    "verify.cannot-tell",
    EXIT.outside,
    `nothing is wrong, but ${open.length} ${open.length === 1 ? "thing" : "things"} could not be told`,
    {
      // What is to be done is said once, with the first that asks for it.
      problems: open.map(({ message, fix }, i) => ({
        message,
        ...(fix !== undefined && open.findIndex((each) => each.fix === fix) === i && { hint: fix }),
      })),
    },
  );
}
