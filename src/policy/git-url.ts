/**
 * What is wrong with the address of a git repository in a policy; undefined for a sound one. Only what git reaches by itself is
 * taken: a helper such as `ext::` would run a program, and a text that starts with a dash would be a flag. Pure.
 */
export function gitUrlProblem(url: string): string | undefined {
  if (!/^[\x21-\x7e]+$/.test(url)) return "is not plain ASCII without blanks";
  if (url.startsWith("-")) return "starts with a dash";
  if (/^[a-z][a-z0-9+.-]*::/i.test(url)) return "names a helper program of git";
  if (/^https?:\/\/[^/]*@/i.test(url)) return "holds credentials: they do not belong in a file that is shared";
  if (/^ssh:\/\/[^/]*:[^/]*@/i.test(url)) return "holds a password: it does not belong in a file that is shared";
  if (/^ssh:\/\/-|@-/i.test(url)) return "has a host that starts with a dash";
  const sound = [
    /^https?:\/\/[^/]+\/./i,
    /^ssh:\/\/[^/]+\/./i,
    /^file:\/\/\/./i,
    /^\/./,
    // As git and ssh write it: user@host:path
    /^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:(?!\/\/)./,
  ];
  return sound.some((form) => form.test(url))
    ? undefined
    : "is no https, ssh or file URL, no user@host:path and no absolute path";
}

/** What is wrong with the name of a branch, by the rules of `git check-ref-format`; undefined for a sound one. Pure. */
export function branchProblem(branch: string): string | undefined {
  const bad =
    !/^[\x21-\x7e]+$/.test(branch) ||
    /[~^:?*[\\]|\.\.|@\{|\/\/|^[-/]|\/$|\.$/.test(branch) ||
    branch === "@" ||
    branch.split("/").some((part) => part.startsWith(".") || part.endsWith(".lock"));
  return bad ? "is no name of a branch" : undefined;
}
