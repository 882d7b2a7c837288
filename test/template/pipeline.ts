import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { factory } from "../support/factory.ts";
import { program } from "../support/paths.ts";
import { makeLine, type SmallLine } from "../support/small-line.ts";
import { type Contexts, type JobRun, type Runner, readWorkflow, runJob, type Step } from "./workflow.ts";

const HOST = "git.example.com";
const DEPLOY_KEY = "the deploy key\nof the ledger";
const KNOWN_HOST = `${HOST} ssh-ed25519 AAAA`;

/** Stands for ssh: lets in who shows the deploy key and knows the host, then serves the repository from this machine. */
const SSH = `#!/bin/sh
key= hosts=
while [ "$#" -gt 2 ]; do
  case "$1" in
    -i) key="$2"; shift ;;
    -o) case "$2" in UserKnownHostsFile=*) hosts="\${2#*=}" ;; esac; shift ;;
    -F) shift ;;
  esac
  shift
done
[ "$1" = "git@${HOST}" ] || { echo "what host is $1?" >&2; exit 255; }
[ "$(ls -l "$key" | cut -c1-10)" = "-rw-------" ] && [ "$(cat "$key")" = "${DEPLOY_KEY}" ] || { echo "Permission denied (publickey)." >&2; exit 255; }
[ "$(cat "$hosts")" = "${KNOWN_HOST}" ] || { echo "Host key verification failed." >&2; exit 255; }
exec sh -c "git \${2#git-}"
`;

/** Stands for npm: installs nothing, since factory is there, and says what it was asked for. */
const NPM = `#!/bin/sh
echo "npm $*"
`;

/** A generated project's workflows, with runners that have what GitHub would give them, and people on their own machines. */
export interface Pipeline {
  line: SmallLine;
  /** Of a push to main, with all variables and secrets. */
  contexts: Contexts;
  /** What the check job leaves behind, by its own steps that hand over; a small model stands for training. */
  handOver(champion?: { version: string; digest: string }): Promise<{ run: string; digest: string; artifacts: string }>;
  sign(artifacts: string, more?: Partial<Runner>): Promise<JobRun>;
  ship(inputs: Record<string, string>, more?: Partial<Runner>): Promise<JobRun>;
  /** A new place for artifacts. */
  artifacts(): string;
  /** Runs git in the bare repository of policy and ledger. */
  governance(...args: string[]): string;
}

export async function makePipeline(server: { uri: string }): Promise<Pipeline> {
  const line = makeLine(server, {
    policy: (policy, people) => {
      // Where it is, is known only once the line has a folder.
      const url = `ssh://git@${HOST}${join(people.ci.home, "governance.git")}`;
      policy.ledger = { kind: "git", url, branch: "ledger" };
      Object.assign(policy.riskTiers?.medium?.prod ?? {}, { ticket: "required" });
    },
  });
  const folder = line.people.ci.home;
  const git = (cwd: string, ...args: string[]): string =>
    execFileSync("git", args, { cwd, env: line.variables, stdio: "pipe", encoding: "utf8" });
  // People reach the ledger with a key of their own, which is not what is tested here.
  const people = join(folder, "people-bin");
  const bin = join(folder, "bin");
  for (const each of [people, bin]) mkdirSync(each);
  script(join(people, "ssh"), `#!/bin/sh\nfor last; do :; done\nexec sh -c "git \${last#git-}"\n`);
  script(join(bin, "ssh"), SSH);
  script(join(bin, "npm"), NPM);
  script(join(bin, "factory"), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
  for (const each of Object.values(line.people)) each.variables.PATH = `${people}:${line.variables.PATH}`;

  const made = await factory(["new", "claims-triage", "--yes"], { cwd: folder, variables: line.variables });
  if (made.status !== 0) throw new Error(made.stderr);
  const workflows = join(folder, "claims-triage", ".github", "workflows");
  const automatic = readWorkflow(join(workflows, "factory.yml"));
  const manual = readWorkflow(join(workflows, "ship.yml"));

  const bare = join(folder, "governance.git");
  git(folder, "init", "--quiet", "--bare", "--initial-branch", "main", bare);
  git(line.root, "init", "--quiet", "--initial-branch", "main");
  writeFileSync(join(line.root, ".gitignore"), "project/\n");
  const prod = { state: "approved", project: line.project, environment: "prod" };
  line.tickets({ "CHG-1": prod, "CHG-2": prod });
  git(line.root, "add", ".");
  git(line.root, "commit", "--quiet", "--message", "Policy, signed");
  git(line.root, "push", "--quiet", bare, "main");

  const contexts: Contexts = {
    github: { event_name: "push", ref: "refs/heads/main", token: "of the job" },
    vars: {
      FACTORY_VERSION: "1.2.3",
      FACTORY_REGISTER: "true",
      POLICY_REPOSITORY: "example/governance",
      MLFLOW_TRACKING_URI: server.uri,
      LEDGER_KNOWN_HOSTS: KNOWN_HOST,
    },
    secrets: {
      FACTORY_SIGNING_KEY: line.people.ci.variables.FACTORY_SIGNING_KEY ?? "",
      LEDGER_DEPLOY_KEY: DEPLOY_KEY,
    },
    inputs: {},
  };
  const { PATH = "", LANG = "" } = line.variables;
  let places = 0;
  const artifacts = (): string => join(folder, "artifacts", String(++places));
  const runner = (): Runner => ({
    folder: join(folder, "runners"),
    // CI has nothing but its secrets.
    variables: { PATH: `${bin}:${PATH}`, LANG, CI: "true" },
    contexts,
    repositories: { self: line.folder, "example/governance": bare },
    artifacts: artifacts(),
  });
  return {
    line,
    contexts,
    artifacts,
    async handOver(champion) {
      const trained = await line.train();
      const commit = line.commit();
      const people = { since: commit, commits: 0, people: [] };
      const compared = champion && { champion: { environment: "prod", ...champion, commit }, people };
      const sealed = await line.check(trained, { facts: compared ?? {} });
      const place = runner();
      const done = await runJob(automatic, "check", {
        ...place,
        skip: (step) => step.uses?.startsWith("actions/upload-artifact") !== true,
        before: (_, workspace) => {
          const to = join(workspace, "project", ".factory", "evidence", sealed.digest);
          cpSync(sealed.folder, to, { recursive: true });
          writeFileSync(join(workspace, "project", "factory-junit.xml"), "<testsuites/>");
        },
      });
      if (done.ran.join() !== "Hand over the evidence") throw new Error(`nothing was handed over: ${done.ran.join()}`);
      return { run: trained.run, digest: trained.digest, artifacts: place.artifacts };
    },
    sign: (from, more = {}) => runJob(automatic, "sign", { ...runner(), artifacts: from, ...more }),
    ship(inputs, more = {}) {
      const skip = (step: Step): boolean => step.name === "Say what stands now";
      return runJob(manual, "ship", { ...runner(), skip, contexts: { ...contexts, inputs }, ...more });
    },
    governance: (...args) => git(bare, ...args),
  };
}

function script(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}
