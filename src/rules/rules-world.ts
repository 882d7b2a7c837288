import { RESTORE } from "../ledger/open-ledger.ts";
import { frozenBy } from "../policy/freeze.ts";
import { listingIn } from "../policy/listing.ts";
import { slotProblem } from "../policy/slots.ts";
import { registerText } from "../tickets/ticket.ts";
import type { DecisionFacts } from "./facts.ts";
import { cannotTell, EVERYWHERE, given, no, type Rule, yes } from "./rule.ts";

/** Rules about the organisation and the moment: policy, project, who acts, freeze, ticket, strategy. */
export const WORLD_RULES: readonly Rule[] = [
  {
    name: "ledger",
    actions: EVERYWHERE,
    judge: (facts) =>
      given(facts.ledger, (problems) =>
        problems.length === 0 ? yes("chain whole, anchors in it") : no(problems.join("; "), RESTORE),
      ),
  },
  {
    name: "policy",
    actions: EVERYWHERE,
    judge: (facts) =>
      given(facts.policy, ({ inForce, problem, fix }) =>
        problem === undefined ? yes(`policy v${inForce.version} is in force, signed by its owners`) : no(problem, fix),
      ),
  },
  {
    name: "project",
    actions: EVERYWHERE,
    judge: (facts) =>
      given(facts.policy, ({ inForce: { policy } }) => {
        const listing = listingIn(policy, facts.project);
        return listing === undefined
          ? no(
              `${facts.project} is a pilot: the policy does not list it, so it goes no further than ${policy.environments[0]?.name}`,
              "a policy owner adds it under projects, raises the version and signs: factory policy sign",
            )
          : yes(`${facts.project} is in product line ${listing.productLine}, risk tier ${listing.riskTier}`);
      }),
  },
  {
    name: "slot",
    actions: EVERYWHERE,
    judge: (facts) =>
      given(facts.policy, ({ inForce: { policy } }) => {
        const problem = slotProblem(policy, facts.project);
        return problem === undefined
          ? yes("its product line has a slot for it")
          : no(problem, "a policy owner raises the capacity or takes another project out");
      }),
  },
  {
    name: "actor",
    actions: EVERYWHERE,
    judge: (facts) =>
      given(facts.actor, (actor) => {
        if ("problem" in actor) return no(actor.problem, "a policy owner adds the line that factory keys list prints");
        if (actor.kind === "bot") return no(`${actor.address} is a bot: it can do nothing here`);
        if (facts.action === "approve" && actor.kind !== "person")
          return no(`${actor.address} is a service: only people approve`);
        return yes(`${actor.address} (${actor.kind})`);
      }),
  },
  {
    name: "freeze",
    actions: EVERYWHERE,
    judge: (facts) =>
      given(facts.now, (now) =>
        given(facts.policy, ({ inForce: { policy } }) => {
          const range = frozenBy(facts.environment, now, policy.timezone);
          if (range === undefined) return yes("no freeze");
          // An approval may be given in a freeze; it takes effect after it.
          return facts.action === "approve"
            ? yes(`frozen now (${range}): it can be promoted afterwards`)
            : no(`${facts.environment.name} is frozen: ${range} (${policy.timezone})`, "wait until it is over");
        }),
      ),
  },
  {
    name: "ticket",
    actions: EVERYWHERE,
    judge: (facts) =>
      given(facts.rules, ({ rules }) => {
        const required = rules.stage.ticket === "required";
        return given(facts.ticket, (named) => {
          if (named === undefined)
            return required
              ? no(`${facts.environment.name} asks for a change ticket`, ticketFix(facts))
              : yes("no ticket is asked for");
          const { id, ticket, seen, spentOn } = named;
          if (ticket === undefined) return no(`there is no ticket ${id}`, "check its id");
          if (spentOn !== undefined)
            return no(`ticket ${id} is spent: it was used for ${spentOn}`, "a ticket of its own");
          // Which register said so is for the record: a copy of the policy may bring another one.
          const state = `ticket ${id} is ${ticket.state}${seen ? ` in ${registerText(seen.register)}` : ""}`;
          if (ticket.state !== "approved") return no(state, "have it approved");
          if (ticket.project !== undefined && ticket.project !== facts.project)
            return no(`ticket ${id} is for ${ticket.project}`, "a ticket of its own");
          if (ticket.project === undefined) {
            // Each project has a ledger of its own, which does not see that another one used it.
            if (!facts.policy.known) return cannotTell(facts.policy.why, facts.policy.fix);
            const { length } = Object.keys(facts.policy.value.inForce.policy.projects);
            if (length > 1)
              return no(
                `ticket ${id} names no project, and the policy lists ${length}: each of them could use it once`,
                `project: ${facts.project} in the register`,
              );
          }
          if (ticket.environment !== undefined && ticket.environment !== facts.environment.name)
            return no(`ticket ${id} is for ${ticket.environment}`, "a ticket of its own");
          return given(facts.now, (now) => {
            // Written so that what is no time does not pass.
            if (facts.action !== "approve" && ticket.from !== undefined && !(now >= new Date(ticket.from)))
              return no(`ticket ${id} allows the change from ${ticket.from} only`, "wait for its window");
            if (ticket.until !== undefined && !(now <= new Date(ticket.until)))
              return no(`ticket ${id} allowed the change until ${ticket.until}`, "have the ticket renewed");
            return yes(state);
          });
        });
      }),
  },
  {
    name: "human review",
    actions: EVERYWHERE,
    judge: (facts) =>
      given(facts.rules, ({ rules }) =>
        rules.stage.humanReview === "required"
          ? no(
              `${facts.environment.name} asks for a human review, and none is recorded: this version of factory cannot`,
              "the policy of this tier must do without it, or wait for a version that can",
            )
          : yes("none asked for"),
      ),
  },
  {
    name: "strategy",
    actions: ["release"],
    judge: (facts) =>
      given(facts.rules, ({ rules }) => {
        const { strategy } = facts;
        if (strategy === undefined) return cannotTell("how it is to be released was not said", "--strategy NAME");
        const allowed = [rules.stage.strategy ?? []].flat();
        if (rules.stage.strategy === undefined) return yes(`${strategy}: the policy leaves it open`);
        return allowed.some((each) => each === strategy)
          ? yes(`${strategy}, which the policy allows`)
          : no(
              `the policy allows ${allowed.join(", ") || "no strategy"} in ${facts.environment.name}, not ${strategy}`,
              "leave --strategy out",
            );
      }),
  },
];

/** How a ticket is named. A release takes that of its promotion; where there was none, the rule `order` says how to promote. */
function ticketFix({ action, standing, number, environment }: DecisionFacts): string | undefined {
  if (action !== "release") return "--ticket ID";
  if (standing.known && standing.value.at === undefined) return undefined;
  return `promote it again with its ticket: factory promote ${number ?? "VERSION"} --to ${environment.name} --ticket ID`;
}
