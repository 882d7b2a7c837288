import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { policySchema } from "../../../src/policy/policy.ts";
import { factory, type Ran } from "../../support/factory.ts";
import { entriesIn } from "../../support/line.ts";
import { answerOf, type LineAnswer, makeLine, type Name, type PolicyDraft } from "../../support/small-line.ts";

type Person = Name;

export interface Clones {
  model: string;
  project: string;
  /** The bare repository of policy, signatures, tickets; its branch `ledger` holds the chains. */
  governance: string;
  /** A person's clones: of the policy for everybody, of the project for its author and CI only. */
  policyOf(who: Person): string;
  projectOf(who: "author" | "ci"): string;
  /** Runs the program as a person, by default with `--json` and in the project where they have it, else beside the policy. */
  run(who: Person, args: readonly string[], cwd?: string): Promise<LineAnswer>;
  /** The same without `--json`: what a person sees. */
  see(who: Person, args: readonly string[], cwd?: string): Promise<Ran>;
  git(cwd: string, who: Person, ...args: string[]): string;
  pull(...who: Person[]): void;
  /** An owner writes a new version in their clone, signs it with the program, and pushes. */
  changePolicy(change: (policy: PolicyDraft) => void): Promise<void>;
  /** The owner writes the register of tickets and pushes it. */
  tickets(tickets: Record<string, unknown>): void;
  /** Author's machine: trains and checks; the folder of evidence is handed over as a plain copy. */
  handOver(wish?: { text?: string; champion?: { version: string; digest: string } }): Promise<Handed>;
  /** The chain as it stands in the branch. */
  chain(): { seq: number; kind: string; by: string }[];
  /** The next pushes to the ledger wait for each other, until two are there. */
  together<T>(work: () => Promise<T>): Promise<T>;
  remove(): void;
}

export interface Handed {
  folder: string;
  evidence: string;
  digest: string;
  run: string;
}

/** Pushes wait here for a second one, so that both rest on the same head. */
const HOOK = `#!/bin/sh
barrier="$(git rev-parse --absolute-git-dir)/barrier"
[ -d "$barrier" ] || exit 0
: > "$barrier/$$"
tries=0
while [ "$(ls "$barrier" | wc -l)" -lt 2 ] && [ "$tries" -lt 600 ]; do sleep 0.1; tries=$((tries + 1)); done
`;

/** Author, approvers, owner and CI, each with a home and clones of their own; one registry, one bare repository for the ledger. */
export function makeClones(server: { uri: string }, wish: (policy: PolicyDraft) => void = () => {}): Clones {
  const folder = mkdtempSync(join(tmpdir(), "factory-clones-"));
  const governance = join(folder, "governance.git");
  const origin = join(folder, "project.git");
  const line = makeLine(server, {
    ledger: { kind: "git", url: governance, branch: "ledger" },
    policy: (policy) => {
      Object.assign(policy.riskTiers?.medium?.prod ?? {}, { ticket: "required" });
      wish(policy);
    },
    project: (project) => {
      project.policy = "../governance/policy.yaml";
    },
  });
  // CI has nothing but the key in its variable.
  rmSync(join(line.people.ci.home, "config"), { recursive: true });
  const git = (cwd: string, who: Person, ...args: string[]): string => {
    const env = { ...line.people[who].variables };
    for (const part of ["AUTHOR", "COMMITTER"]) {
      env[`GIT_${part}_NAME`] = who;
      env[`GIT_${part}_EMAIL`] = `${who}@example.com`;
    }
    return execFileSync("git", args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  };
  for (const path of [governance, origin])
    git(folder, "owner", "init", "--quiet", "--bare", "--initial-branch", "main", path);
  writeFileSync(join(governance, "hooks", "pre-receive"), HOOK, { mode: 0o755 });
  // The author works where the project was made; everybody else clones.
  git(line.folder, "author", "remote", "add", "origin", origin);
  git(line.folder, "author", "push", "--quiet", "origin", "main");
  const policyOf = (who: Person): string => join(who === "author" ? line.root : line.people[who].home, "governance");
  const ciProject = join(line.people.ci.home, "project");
  const projectOf = (who: "author" | "ci"): string => (who === "author" ? line.folder : ciProject);
  git(line.people.ci.home, "ci", "clone", "--quiet", origin, "project");
  git(line.people.owner.home, "owner", "clone", "--quiet", governance, "governance");
  const owners = policyOf("owner");
  const publish = (message: string): void => {
    git(owners, "owner", "add", ".");
    git(owners, "owner", "commit", "--quiet", "--message", message);
    git(owners, "owner", "push", "--quiet", "origin", "HEAD:main");
  };
  for (const name of ["policy.yaml", "policy.sigs.jsonl"]) cpSync(join(line.root, name), join(owners, name));
  for (const name of ["policy.yaml", "policy.sigs.jsonl"]) rmSync(join(line.root, name));
  publish("First policy, signed");
  for (const who of ["author", "approver", "second", "ci"] as const)
    git(folder, who, "clone", "--quiet", governance, policyOf(who));

  const place = (who: Person): string => (who === "author" || who === "ci" ? projectOf(who) : policyOf(who));
  const see = (who: Person, args: readonly string[], cwd = place(who)): Promise<Ran> =>
    factory(args, { cwd, variables: line.people[who].variables });
  let handed = 0;
  return {
    model: line.model,
    project: line.project,
    governance,
    policyOf,
    projectOf,
    see,
    run: async (who, args, cwd) => answerOf(await see(who, [...args, "--json"], cwd)),
    git,
    pull(...who) {
      for (const each of who) git(policyOf(each), each, "pull", "--quiet", "--ff-only");
    },
    async changePolicy(change) {
      const path = join(owners, "policy.yaml");
      const policy = policySchema.parse(JSON.parse(readFileSync(path, "utf8")));
      change(policy);
      writeFileSync(path, `${JSON.stringify(policy, null, 2)}\n`);
      const signed = await see("owner", ["policy", "sign", "--project", line.project, "--yes"]);
      if (signed.status !== 0) throw new Error(signed.stdout + signed.stderr);
      publish(`Policy ${policy.version}`);
    },
    tickets(tickets) {
      writeFileSync(join(owners, "tickets.yaml"), JSON.stringify({ factory: 1, tickets }));
      publish("Tickets");
    },
    async handOver({ text, champion } = {}) {
      const trained = await line.train(text);
      const commit = line.commit();
      const facts =
        champion === undefined
          ? {}
          : {
              champion: { environment: "prod", ...champion, commit },
              people: { since: commit, commits: 0, people: [] },
            };
      const sealed = await line.check(trained, { facts });
      const copy = join(folder, `artifact-${++handed}`);
      cpSync(sealed.folder, copy, { recursive: true });
      return { folder: copy, evidence: sealed.digest, digest: trained.digest, run: trained.run };
    },
    chain() {
      const text = git(governance, "owner", "show", `ledger:${line.project}.jsonl`);
      return entriesIn(text).map(({ seq, kind, by }) => ({ seq, kind, by }));
    },
    async together(work) {
      const barrier = join(governance, "barrier");
      mkdirSync(barrier);
      try {
        const done = await work();
        if (readdirSync(barrier).length < 2) throw new Error("nobody met anybody at the ledger");
        return done;
      } finally {
        rmSync(barrier, { recursive: true });
      }
    },
    remove() {
      line.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
