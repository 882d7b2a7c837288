import { EXIT, FactoryError, type Problem } from "../../lib/error.ts";
import { redact, stripControls } from "../../lib/redact.ts";

/** What the program found, as it prints it: `Error: what`, then `  at resources.jobs.a` and `  in jobs.yml:7:3`. Pure. */
export function findingsOf(output: string): Problem[] {
  const problems: { severity: string; problem: Problem }[] = [];
  for (const line of output.split("\n")) {
    const head = /^(Error|Warning|Recommendation): (.+)$/.exec(line.trimEnd());
    const last = problems.at(-1);
    if (head !== null) problems.push({ severity: head[1] ?? "", problem: { message: head[2] ?? "" } });
    else if (last !== undefined) {
      const at = /^\s+at (\S+)$/.exec(line);
      const place = /^\s+(?:in )?([^\s:]+):(\d+)(?::\d+)?$/.exec(line);
      if (at !== null) last.problem.path = at[1] ?? "";
      else if (place !== null && last.problem.file === undefined) {
        last.problem.file = place[1] ?? "";
        last.problem.line = Number(place[2]);
      }
    }
  }
  return problems.filter(({ severity }) => severity === "Error").map(({ problem }) => problem);
}

/** Why it failed, in words of ours where its own are known, with what it said. */
export function cliFailure(
  doing: "validate" | "deploy",
  ended: { status: number | undefined; timedOut: boolean; output: string; timeoutMs: number },
  secrets: readonly string[],
  label: string,
): Error {
  const output = stripControls(redact(ended.output, secrets));
  const problems = findingsOf(output);
  const known = TRANSLATIONS.find(({ when }) => when.test(output));
  const how = ended.timedOut
    ? `did not end within ${Math.round(ended.timeoutMs / 60_000)} min`
    : ended.status === undefined
      ? "was ended by a signal"
      : `ended with status ${ended.status}`;
  const what = known?.message ?? `databricks bundle ${doing} ${how} at ${label}`;
  const left =
    doing === "deploy" ? "; what was deployed until then stays, and running it again goes on from there" : "";
  const tail = output.trim().split("\n").slice(-6).join(" | ").slice(-600);
  return new FactoryError(`databricks-cli.${doing}`, EXIT.outside, `${what}${left}`, {
    hint: known?.hint ?? HINTS[doing],
    problems: problems.length > 0 ? problems.slice(0, 20) : [{ message: tail === "" ? "it said nothing" : tail }],
  });
}

const HINTS = {
  validate: "mend what it names; the check without a workspace cannot see everything",
  deploy: "run the same command again; who may do what: factory doctor --env ENVIRONMENT",
} as const;

const TRANSLATIONS: readonly { when: RegExp; message: string; hint: string }[] = [
  {
    when: /deploy(?:ment)?[ .]lock|lock (?:is )?(?:already )?(?:held|acquired)/i,
    message: "another deployment of this bundle holds the workspace's lock",
    hint: "wait until it is done; of one that was cut off: databricks bundle deploy --force-lock, by hand",
  },
  {
    when: /cannot (?:resolve|configure|parse) (?:bundle )?(?:auth|credential)|default auth|invalid access token|\b401\b|UNAUTHENTICATED/i,
    message: "the workspace does not take this credential",
    hint: "log in again; which credential is used: factory doctor --env ENVIRONMENT",
  },
  {
    when: /PERMISSION_DENIED|\(403\b|does not have .{0,60}permission/i,
    message: "the workspace does not let this identity deploy",
    hint: "it needs the right to manage the bundle's jobs and its folder: factory doctor --env ENVIRONMENT",
  },
  {
    when: /databricks_cli_version|required CLI version|version constraint/i,
    message: "the bundle asks for another version of the Databricks CLI",
    hint: "install that version, or change bundle.databricks_cli_version",
  },
  {
    when: /dial tcp|no such host|connection refused|ECONNREFUSED|i\/o timeout|TLS handshake/i,
    message: "the Databricks CLI could not reach the workspace",
    hint: "check network and proxy: factory doctor --env ENVIRONMENT",
  },
];
