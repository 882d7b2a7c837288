/** Variables that carry a key of factory's own: taken out of the process environment before anything else runs. */
const OWN_SECRETS = ["FACTORY_SIGNING_KEY", "FACTORY_SIGNING_KEY_FILE", "FACTORY_KEY_PASSPHRASE"] as const;
const SECRET_NAME =
  /(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|PRIVATE_KEY|API_KEY|ACCESS_KEY|SIGNING_KEY$)/i;

export interface TakenVariables {
  variables: Record<string, string>;
  /** Values to mask wherever anything is written. */
  secrets: string[];
  /** Names of factory's own secrets that were given. */
  keysGiven: string[];
  /** Their values, for the one place that signs. */
  given: { key: string | undefined; file: string | undefined; passphrase: string | undefined };
}

/** Copies the environment without factory's own secrets and deletes those from the process, so that no child inherits them. */
export function takeVariables(environment: NodeJS.ProcessEnv): TakenVariables {
  const keysGiven = OWN_SECRETS.filter((name) => environment[name] !== undefined);
  const given = {
    key: environment.FACTORY_SIGNING_KEY,
    file: environment.FACTORY_SIGNING_KEY_FILE,
    passphrase: environment.FACTORY_KEY_PASSPHRASE,
  };
  // A key is masked line by line too: a message may hold a part of it.
  const lines = (given.key ?? "")
    .split(/[\r\n]+|\\[rn]/)
    .filter((line) => line.length >= 16 && !line.startsWith("-----"));
  const ownValues = [given.key ?? "", given.passphrase ?? "", ...lines].filter((value) => value !== "");
  for (const name of OWN_SECRETS) delete environment[name];
  const variables: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) if (value !== undefined) variables[name] = value;
  const secrets = Object.entries(variables)
    .filter(([name, value]) => SECRET_NAME.test(name) && value.length >= 8)
    .map(([, value]) => value);
  return { variables, secrets: [...secrets, ...basicCredentials(variables), ...ownValues], keysGiven, given };
}

/**
 * User and password as HTTP sends them (https://www.rfc-editor.org/rfc/rfc7617), which a server may echo. Without padding, and in
 * the alphabet for addresses, too. Empty when either is missing.
 */
function basicCredentials(variables: Readonly<Record<string, string>>): string[] {
  const { MLFLOW_TRACKING_USERNAME: user, MLFLOW_TRACKING_PASSWORD: password } = variables;
  if (user === undefined || password === undefined || password === "") return [];
  const sent = Buffer.from(`${user}:${password}`);
  return [
    ...new Set([sent.toString("base64"), sent.toString("base64").replace(/=+$/, ""), sent.toString("base64url")]),
  ];
}
