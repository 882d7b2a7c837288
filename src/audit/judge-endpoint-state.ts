import { endpointsOf } from "../ledger/endpoints.ts";
import type { EnvironmentState } from "../ledger/line-state.ts";
import type { EndpointState } from "../release/serving.ts";
import { endOf } from "./audit-starts.ts";
import type { Finding } from "./finding.ts";

/** What a serving endpoint may answer with, by the ledger. */
export interface ExpectedEndpoint {
  endpoint: string;
  /** What is right at rest: that version with all requests; undefined: nothing. */
  version: string | undefined;
  /** Something was ended there: it is more than a name in a release that was abandoned. */
  used: boolean;
  /** It has to be there: the champion answers by it. */
  needed: boolean;
  /** What a release or a rollback that is begun and not ended moves it to; absent: nothing is under way there. */
  underWay?: { version: string | undefined };
  champion: string | undefined;
  /** Versions that were ever released here: they may stand by without requests. */
  released: readonly string[];
}

/** Every endpoint that entries of this environment name, open starts included. Pure. */
export function expectedEndpoints(here: EnvironmentState): ExpectedEndpoint[] {
  const records = endpointsOf(here);
  const moving = new Map<string, { version: string | undefined }>();
  for (const { kind, body } of here.open) {
    if (kind === "promotion.started") continue;
    const to = kind === "release.started" ? body : body.to === "none" ? undefined : body.to;
    if (body.endpoint !== undefined) moving.set(body.endpoint, { version: to?.version });
    // A rollback moves every endpoint that answers what it undoes.
    if (kind === "rollback.started")
      for (const [endpoint, { version }] of records)
        if (version === body.from.version) moving.set(endpoint, { version: to?.version });
  }
  const champion = here.champion?.version;
  const released = here.released.map(({ entry }) => entry.body.version);
  return [...new Set([...records.keys(), ...moving.keys()])].map((endpoint) => {
    const record = records.get(endpoint);
    const underWay = moving.get(endpoint);
    return {
      endpoint,
      version: record?.version,
      used: record?.used === true,
      needed: record?.used === true && record.version !== undefined && record.version === champion,
      ...(underWay && { underWay }),
      champion,
      released,
    };
  });
}

const BY_HAND = "somebody changed it by hand: put it back as the ledger says, and find out who";
const NOBODYS = "take it down, or release a version to it";

/** Where an endpoint does something else than the ledger says; what a start that is open may have done cannot be told. Pure. */
export function endpointFindings(
  environment: string,
  place: string,
  expected: ExpectedEndpoint,
  state: EndpointState | undefined,
): Finding[] {
  const of = (verdict: Finding["verdict"], message: string, fix: string): Finding => ({
    part: "registry",
    verdict,
    environment,
    message,
    fix,
  });
  const { version, needed, underWay, champion } = expected;
  const otherwise = (now: string, explained: boolean): Finding => {
    const message = `${place} ${now}; by the ledger it ${does(expected)}`;
    if (explained) return of("cannot tell", message, endOf(environment));
    return of("no", message, needed || underWay !== undefined ? BY_HAND : NOBODYS);
  };
  if (state === undefined)
    return needed ? [otherwise("is gone", underWay !== undefined && underWay.version === undefined)] : [];
  const shares = sharesOf(state);
  // Its name went to another model after nothing of this one was behind it any more.
  if (!needed && underWay === undefined && state.served.length === 0) return [];
  const found: Finding[] = [];
  if (state.strangers.length > 0)
    found.push(of("no", `${place} serves ${state.strangers.join(", ")} too`, "an endpoint of its own for each model"));
  const atRest = answers(shares, [version]);
  if (!atRest)
    found.push(
      otherwise(`answers ${inWords(shares)}`, underWay !== undefined && answers(shares, [version, underWay.version])),
    );
  const strange = state.served.filter(
    (each) => each.traffic === 0 && each.version !== underWay?.version && !expected.released.includes(each.version),
  );
  for (const each of strange)
    found.push(of("no", `${place} has v${each.version} up, which was never released`, "take that version off it"));
  if (underWay !== undefined) return found;
  if (atRest && version !== undefined && version !== champion)
    found.push(
      of(
        "note",
        `${place} still answers v${version}, ${champion === undefined ? "and nothing is champion" : `and v${champion} is champion`}`,
        "take it down once nobody asks it",
      ),
    );
  if (state.phase === "changing")
    found.push(
      of("cannot tell", `${place} is being changed, and no release is under way`, "ask again once it is done"),
    );
  else if (!state.ready && needed)
    found.push(
      of(
        "note",
        `${place} is not ready${state.trouble === undefined ? "" : `: v${state.trouble.version}: ${state.trouble.said}`}`,
        "look at the endpoint's events and logs",
      ),
    );
  return found;
}

/** Versions that get requests, with their share in percent. One may be up twice, with other settings. */
function sharesOf({ served }: EndpointState): ReadonlyMap<string, number> {
  const shares = new Map<string, number>();
  for (const each of served)
    if (each.traffic > 0) shares.set(each.version, (shares.get(each.version) ?? 0) + each.traffic);
  return shares;
}

/** Whether all requests are with versions among these; undefined among them: nothing need answer. */
function answers(shares: ReadonlyMap<string, number>, right: readonly (string | undefined)[]): boolean {
  if (shares.size === 0) return right.includes(undefined);
  let total = 0;
  for (const share of shares.values()) total += share;
  return [...shares.keys()].every((each) => right.includes(each)) && total === 100;
}

function inWords(shares: ReadonlyMap<string, number>): string {
  if (shares.size === 0) return "with nothing";
  return [...shares].map(([version, traffic]) => `v${version} with ${traffic} %`).join(", ");
}

function does({ version, underWay }: ExpectedEndpoint): string {
  const at = (each: string | undefined) => (each === undefined ? "answers nothing" : `answers v${each}`);
  if (underWay === undefined) return at(version);
  return `${at(version)} and is on its way to ${underWay.version === undefined ? "nothing" : `v${underWay.version}`}`;
}
