import type { Story } from "../../src/quickstart/story.ts";

/** What the two people of quickstart type, step by step, wherever the models are: only how the server is started differs. */
export const TYPED: readonly (readonly [step: string, outcome: string, ...commands: string[]])[] = [
  ["Python environment", "done"],
  [
    "keys and policy",
    "done",
    "factory keys new author@example.com",
    "factory keys new approver@example.com",
    "factory policy sign",
  ],
  ["new claims-triage", "done", "factory new claims-triage --yes"],
  ["project's Python", "done"],
  ["train", "done", "factory train"],
  ["check", "done", "factory check"],
  ["register", "done", "factory register"],
  ["promote → test", "done", "factory promote 1 --to test"],
  ["approve", "refused", "factory approve claims.triage/1 --to prod --ticket CHG-1001 --yes"],
  ["promote → prod", "refused", "factory promote 1 --to prod --ticket CHG-1001"],
  ["approve", "done", "factory approve claims.triage/1 --to prod --ticket CHG-1001 --yes"],
  ["promote → prod, release", "done", "factory promote 1 --to prod --ticket CHG-1001", "factory release 1 --env prod"],
  ["a worse model", "refused", "factory train", "factory check --only model,baseline"],
  [
    "a better model, v2",
    "done",
    "factory train",
    "factory check --run RUN",
    "factory register",
    "factory promote 2 --to test",
    "factory approve claims.triage/2 --to prod --ticket CHG-1002 --yes",
    "factory promote 2 --to prod --ticket CHG-1002",
    "factory release 2 --env prod",
  ],
  ["rollback", "done", 'factory rollback --env prod --reason "to see the way back" --detected-at TIME'],
  ["verify", "done", "factory verify"],
];

/** What each step says came of it, without figures, digests and times: the same in both places. */
export const SAID: Readonly<Record<string, string>> = {
  "approve refused": "author@example.com changed the code (# of # changes)",
  "promote → prod refused": "approvals # of # of role model-risk",
  "a worse model refused": "AUC # < #, and # below the champion",
  "promote → prod, release done": "champion: v#, the same bytes",
  "a better model, v2 done": "AUC #, all gates, approved; champion v# → v#",
  "rollback done": "by hand: champion v# → v#, detected → restored in # s",
  "verify done": "# ledger entries, # of # bundles; # registries agree",
};

/** The story as it was typed, without the step that starts the server, without runs and times. */
export function typed({ steps }: Story): (readonly string[])[] {
  return steps
    .filter(({ name }) => !["MLflow server", "sandbox"].includes(name))
    .map(({ name, outcome, commands }) => [
      name,
      outcome,
      ...commands.map((each) =>
        each.replace(/--run \S+/, "--run RUN").replace(/--detected-at \S+/, "--detected-at TIME"),
      ),
    ]);
}

/** What the steps of `SAID` said. */
export function said({ steps }: Story): Record<string, string> {
  return Object.fromEntries(
    steps
      .filter(({ name, outcome }) => Object.hasOwn(SAID, `${name} ${outcome}`))
      .map(({ name, outcome, what }) => [`${name} ${outcome}`, what.replaceAll(/\d+(?:\.\d+)?/g, "#")]),
  );
}
