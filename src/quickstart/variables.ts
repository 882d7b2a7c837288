import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Person } from "./people.ts";

/** What may come from the user's environment: where programs, caches and package indexes are. No identity, no credential of a service. */
const TAKEN =
  /^(?:PATH|LANG|LC_[A-Z]+|TZ|TMPDIR|TERM|CI|NO_COLOR|(?:HTTPS?|NO|ALL)_PROXY|(?:https?|no|all)_proxy|SSL_CERT_(?:FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|NODE_EXTRA_CA_CERTS|PIP_[A-Z_]+|UV_[A-Z_]+|PYENV_ROOT|PYENV_VERSION)$/;

/** The environment of one person's commands: a home and an identity of their own; the caches of packages stay the user's. */
export function quickstartVariables(
  variables: Readonly<Record<string, string>>,
  folder: string,
  places: { data: string },
  person: Person,
): Record<string, string> {
  const taken = Object.fromEntries(Object.entries(variables).filter(([name]) => TAKEN.test(name)));
  const home = join(folder, person.home);
  const userHome = variables.HOME;
  return {
    ...taken,
    HOME: home,
    XDG_CONFIG_HOME: join(home, ".config"),
    // The managed Python environment is shared: it holds packages and nothing of a person.
    XDG_DATA_HOME: join(places.data, ".."),
    ...(userHome !== undefined && {
      UV_CACHE_DIR: variables.UV_CACHE_DIR ?? join(variables.XDG_CACHE_HOME ?? join(userHome, ".cache"), "uv"),
    }),
    ...uvConfig(variables),
    ...(userHome !== undefined && variables.PYENV_ROOT === undefined && { PYENV_ROOT: join(userHome, ".pyenv") }),
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: join(home, ".gitconfig"),
    GIT_AUTHOR_NAME: person.name,
    GIT_AUTHOR_EMAIL: person.address,
    GIT_COMMITTER_NAME: person.name,
    GIT_COMMITTER_EMAIL: person.address,
  };
}

/** uv's own configuration file, where the user may have named an index: it would not be found from another home. */
function uvConfig(variables: Readonly<Record<string, string>>): { UV_CONFIG_FILE?: string } {
  const folder =
    variables.XDG_CONFIG_HOME ?? (variables.HOME === undefined ? undefined : join(variables.HOME, ".config"));
  const file = folder === undefined ? undefined : join(folder, "uv", "uv.toml");
  return variables.UV_CONFIG_FILE === undefined && file !== undefined && existsSync(file)
    ? { UV_CONFIG_FILE: file }
    : {};
}
