import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ObjectStore } from "../evidence/object-store.ts";
import { type EntryOf, type LineState, lineState } from "../ledger/line-state.ts";
import type { LedgerView } from "../ledger/view.ts";
import { findCandidate } from "../line/find-candidate.ts";
import { identityOfKey } from "../policy/identity.ts";
import type { PolicyInForce } from "../policy/in-force.ts";
import type { Environment } from "../policy/policy.ts";
import { rulesDigest, rulesFor } from "../project/rules.ts";
import { approvalsOf } from "../promotion/facts-of-approvals.ts";
import { gatherEvidence, registrationOf } from "../promotion/facts-of-evidence.ts";
import { championOf } from "../promotion/facts-of-line.ts";
import { spentOn } from "../promotion/facts-of-ticket.ts";
import { registeredName } from "../registry/registry.ts";
import { decide } from "../rules/decide.ts";
import { type DecisionFacts, known, unknown } from "../rules/facts.ts";

type Begun = EntryOf<"promotion.started" | "release.started">;

/** What speaks against a decision when it is made again. */
export interface Against {
  rule: string;
  why: string;
}

/**
 * Makes a decision once more, by the table of rules, from what is kept: the chain before it, the policy in force at it, the
 * evidence in the cache. What was only to be seen then (registries, bytes, the ticket's state) is left out: those rules cannot
 * tell. Empty when no rule says no. Throws exit 4 or 2 when the evidence changes while it is read.
 */
export async function decideAgain(
  begun: Begun,
  view: Pick<LedgerView, "entries" | "policyAt">,
  cacheFolder: string,
): Promise<Against[]> {
  const inForce = view.policyAt(begun.seq);
  const state = lineState(view.entries.slice(0, begun.seq - 1));
  const { environments } = inForce?.policy ?? { environments: [] };
  const index = environments.findIndex((each) => each.name === begun.body.environment);
  const target = environments[index];
  const source = begun.kind === "release.started" ? target : environments[index - 1];
  const { model, digest } = begun.body;
  const registered = state.registered.findLast((each) => each.body.digest === digest && each.body.model === model);
  if (inForce === undefined || target === undefined || source === undefined)
    return [{ rule: "order", why: `the policy of that time lists no environment ${begun.body.environment} to go to` }];
  if (registered === undefined) return [{ rule: "order", why: "the ledger registered no such model before it" }];
  const newest = registered.body.evidence;
  const facts = await factsOf(begun, state, inForce, source, target, cacheFolder);
  return [
    ...(newest === begun.body.evidence
      ? []
      : [
          {
            rule: "evidence",
            why: `the newest evidence at that time was sha256:${newest}, not sha256:${begun.body.evidence}`,
          },
        ]),
    ...(!facts.rules.known || rulesOf(facts) === begun.body.rules
      ? []
      : [
          {
            rule: "rules",
            why: `policy and evidence give the rules sha256:${rulesOf(facts)}, not sha256:${begun.body.rules}`,
          },
        ]),
    ...(begun.body.policy === inForce.digest
      ? []
      : [{ rule: "policy", why: `the policy in force was sha256:${inForce.digest}, not sha256:${begun.body.policy}` }]),
    ...misrouted(begun, facts),
    ...misplaced(begun, facts, registeredName(target.catalog, begun.body.model)),
    ...decide(facts).flatMap(({ rule, verdict, why }) => (verdict === "no" ? [{ rule, why }] : [])),
  ];
}

/** Where the entry names another version, or another place, than the one that the decision was about. Pure. */
function misplaced(begun: Begun, { standing }: DecisionFacts, target: string): Against[] {
  const at = standing.known ? standing.value.at : undefined;
  // That it stands nowhere, the rule says.
  if (at === undefined) return [];
  const why = (named: string, stood: string): Against[] =>
    named === stood ? [] : [{ rule: "version", why: `it names ${named}, and the candidate was ${stood}` }];
  const stood = `${at.environment} v${at.version.version}`;
  if (begun.kind === "release.started") return why(`${begun.body.environment} v${begun.body.version}`, stood);
  const { from, target: named } = begun.body;
  return [
    ...why(`${from.environment} v${from.version}`, stood),
    ...(named === target ? [] : [{ rule: "order", why: `it goes to ${named}, not to ${target}` }]),
  ];
}

/** Where a release names another serving endpoint than the rules that it was decided by. Pure. */
function misrouted(begun: Begun, { rules }: DecisionFacts): Against[] {
  if (begun.kind !== "release.started" || !rules.known) return [];
  const say = (endpoint: string | undefined) => endpoint ?? "no endpoint";
  const [named, ruled] = [begun.body.endpoint, rules.value.rules.endpoint];
  return named === ruled
    ? []
    : [{ rule: "endpoint", why: `it goes to ${say(named)}, and the rules say ${say(ruled)}` }];
}

function rulesOf({ rules }: DecisionFacts): string {
  return rules.known ? rules.value.digest : "";
}

async function factsOf(
  begun: Begun,
  state: LineState,
  inForce: PolicyInForce,
  source: Environment,
  target: Environment,
  cacheFolder: string,
): Promise<DecisionFacts> {
  const { body } = begun;
  const { policy } = inForce;
  const at = new Date(begun.at);
  const store = cacheStore(cacheFolder);
  const evidence = await gatherEvidence(
    body.evidence,
    [store],
    target.name,
    policy,
    cacheFolder,
    registrationOf(state, body.evidence),
  );
  const seenThen = unknown("it was to be seen at that time only");
  return {
    action: begun.kind === "release.started" ? "release" : "promote",
    project: state.project ?? "",
    model: body.model,
    digest: body.digest,
    environment: target,
    now: known(at),
    policy: known({ inForce, problem: undefined, fix: undefined }),
    actor: known(identityOfKey(policy, begun.key, at)),
    rules: evidence.project.known
      ? known({
          rules: rulesFor(evidence.project.value, policy, target),
          digest: rulesDigest(evidence.project.value, policy, target),
        })
      : evidence.project,
    standing: known({ at: standingOf(state, source, policy.environments[0], body.digest), expected: source.name }),
    version: seenThen,
    bytes: seenThen,
    evidence: evidence.seen,
    evidenceProblem: evidence.problem,
    ledger: seenThen,
    champion: known(championOf(state, policy)),
    registry: seenThen,
    approvals: known(approvalsOf({ state }, policy)),
    role: undefined,
    strategy: begun.kind === "release.started" ? begun.body.strategy : undefined,
    ticket: known(ticketOf(begun, state)),
  };
}

/** Where it stood, by the ledger of that time. */
function standingOf(state: LineState, source: Environment, first: Environment | undefined, digest: string) {
  const placed =
    source.name === first?.name
      ? state.registered.findLast((each) => each.body.digest === digest && each.body.environment === source.name)
      : state.environment(source.name).promoted.findLast((each) => each.entry.body.digest === digest)?.entry;
  if (placed === undefined) return undefined;
  const { version, createdAt } = placed.body;
  return { environment: source.name, version: { version, digest, createdAt } };
}

/** What its system said of the ticket is not kept: it is taken for approved. That it was named and not spent, can be told. */
function ticketOf({ body }: Begun, state: LineState) {
  const id = body.ticket;
  if (id === undefined) return undefined;
  const nothing = {
    project: state.project,
    environment: undefined,
    summary: undefined,
    from: undefined,
    until: undefined,
  };
  const number = state.registered.findLast((each) => each.body.digest === body.digest)?.body.version ?? "";
  const candidate = findCandidate(state, body.model, number);
  const spent = spentOn(state, id, { candidate, environment: body.environment });
  return { id, ticket: { id, state: "approved" as const, ...nothing }, spentOn: spent };
}

/** The cache as a store, so that what is read is verified once more and nobody is asked. */
function cacheStore(cacheFolder: string): ObjectStore {
  const folderOf = (digest: string): string => join(cacheFolder, "objects", digest);
  return {
    async list(digest) {
      const folder = folderOf(digest);
      const signatures = join(folder, "signatures");
      if (!existsSync(folder)) return [];
      const signed = existsSync(signatures) ? readdirSync(signatures).map((name) => `signatures/${name}`) : [];
      return ["evidence.json", ...signed];
    },
    read: async (digest, path, maxBytes) => {
      const bytes = await readFile(join(folderOf(digest), path));
      return bytes.length > maxBytes ? undefined : bytes;
    },
    write: async () => {
      throw new TypeError("an audit writes nothing");
    },
  };
}
