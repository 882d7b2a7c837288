import { variablesFor } from "../lib/child-variables.ts";
import { FactoryError, messageOf } from "../lib/error.ts";
import { runProcess } from "../lib/run-process.ts";

/** What became of the repository; a project without a commit is complete all the same. */
export type FirstCommit =
  | { state: "committed"; commit: string }
  | { state: "no-identity" | "no-git" | "failed" | "left-out"; why: string };

const TIMEOUT_MS = 60_000;

/** Settings of the user that would run code of theirs, ask something, or change what is committed. */
const NEUTRAL = [
  ["init.templateDir", ""],
  ["core.hooksPath", "/dev/null"],
  ["core.fsmonitor", "false"],
  ["core.autocrlf", "false"],
  ["core.excludesFile", "/dev/null"],
  ["core.attributesFile", "/dev/null"],
  ["commit.gpgSign", "false"],
  ["commit.template", ""],
  // Without this git makes an identity up from the machine's name; authors decide who may approve later.
  ["user.useConfigOnly", "true"],
].flatMap(([key, value]) => ["-c", `${key}=${value}`]);

const IDENTITY = /^GIT_(?:AUTHOR|COMMITTER)_(?:NAME|EMAIL)$/;

/** Makes `folder` a git repository on branch main with one commit of everything in it. Never throws but on interruption. */
export async function commitFirst(
  folder: string,
  message: string,
  variables: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<FirstCommit> {
  const identity = Object.entries(variables).filter(([name]) => IDENTITY.test(name));
  const env = { ...variablesFor("git", variables), ...Object.fromEntries(identity) };
  const git = async (...args: string[]): Promise<string> => {
    const done = await runProcess({
      argv: ["git", ...NEUTRAL, ...args],
      cwd: folder,
      env: { ...env, LC_ALL: "C" },
      timeoutMs: TIMEOUT_MS,
      signal,
    });
    if (done.status === 0) return done.stdout.trim();
    throw new Error(
      done.timedOut
        ? `git ${args[0]} took longer than ${TIMEOUT_MS / 1000} s`
        : done.stderr.trim() || `git ${args[0]} ended with status ${done.status}`,
    );
  };
  try {
    await git("init", "--quiet", "--initial-branch=main");
    await git("add", "--all");
    await git("commit", "--quiet", "--no-verify", "--message", message);
    return { state: "committed", commit: await git("rev-parse", "HEAD") };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof FactoryError && error.code === "process.missing")
      return { state: "no-git", why: "git was not found" };
    const why = messageOf(error);
    if (/tell me who you are|no email was given|no name was given|empty ident/i.test(why))
      return { state: "no-identity", why: "git does not know who you are (user.name, user.email)" };
    return { state: "failed", why: why.split("\n").at(-1) ?? why };
  }
}
