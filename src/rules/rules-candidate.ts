import { listingIn } from "../policy/listing.ts";
import { stageOf } from "../policy/stage-of.ts";
import { type DecisionFacts, HOW_SEEN } from "./facts.ts";
import { EVERYWHERE, given, no, type Rule, yes } from "./rule.ts";

/** Rules about the candidate: where it stands, its version, its bytes, and what the registries hold. */
export const CANDIDATE_RULES: readonly Rule[] = [
  {
    name: "order",
    actions: EVERYWHERE,
    judge: (facts) =>
      given(facts.standing, ({ at, expected }) =>
        at === undefined
          ? no(
              facts.action === "release"
                ? `the ledger knows no promotion of it to ${expected}`
                : `it does not stand in ${expected}, the environment before ${facts.environment.name}`,
              `first: factory promote ${facts.number ?? "VERSION"} --to ${expected}${ticketAsked(facts, expected)}`,
            )
          : yes(`it stands in ${at.environment} as v${at.version.version}`),
      ),
  },
  {
    name: "version",
    actions: EVERYWHERE,
    judge: (facts) =>
      given(facts.standing, ({ at }) =>
        at === undefined
          ? no("there is no version to look at")
          : given(facts.version, (found) => {
              const name = `${at.environment} v${at.version.version}`;
              if (found === undefined) return no(`${name} is not in the registry any more`, "factory verify");
              if (found.createdAt !== at.version.createdAt)
                return no(
                  `${name} is not the version that the ledger knows: it was made at another time`,
                  "factory verify",
                );
              return yes(`${name} is the one that factory made`);
            }),
      ),
  },
  {
    name: "bytes",
    actions: ["promote", "release"],
    judge: (facts) =>
      given(facts.bytes, ({ digest, how }) =>
        digest === facts.digest
          ? yes(`sha256:${digest.slice(0, 12)}…, ${HOW_SEEN[how]}`)
          : no(
              `its bytes are sha256:${digest.slice(0, 12)}…, but sha256:${facts.digest.slice(0, 12)}… was registered: they were changed`,
              "factory verify; then register what was trained again",
            ),
      ),
  },
  {
    name: "registry",
    actions: EVERYWHERE,
    judge: (facts) =>
      given(facts.registry, (differences) =>
        differences.length === 0
          ? yes("versions and aliases are what the ledger says")
          : no(differences.join("; "), "factory verify says more"),
      ),
  },
];

/** The flag that a promotion to an environment needs, where the policy asks for a ticket there. */
function ticketAsked({ policy, project }: DecisionFacts, environment: string): string {
  if (!policy.known) return "";
  const { inForce } = policy.value;
  const stage = stageOf(inForce.policy, listingIn(inForce.policy, project)?.riskTier ?? "", environment);
  return stage.ticket === "required" ? " --ticket ID" : "";
}
