import { type Problem, usageError } from "../lib/error.ts";
import { sha256 } from "../lib/hash.ts";
import { holdsSecret } from "../lib/redact.ts";
import { parseYaml, yamlLines } from "../lib/yaml-document.ts";
import { type Contract, contractSchema } from "./contract.ts";

/**
 * The contract in the text of a file. All problems (misspelt keys, rules that could not be judged, duplicate
 * columns) are reported together with file and line, as a usage error; so is what looks like a secret.
 */
export function readContract(text: string, file: string): Contract {
  const document = parseYaml(text, file, contractSchema);
  const lineOf = yamlLines(text);
  const secrets = secretsIn(text, file, document, lineOf);
  // Its values go into statements, which a warehouse keeps, and the whole of it into evidence.
  if (secrets.length > 0)
    throw usageError(
      "contract.secret",
      `${file} holds what looks like a secret`,
      "take it out, and revoke it",
      secrets,
    );
  return { file, digest: sha256(text), document, lineOf };
}

function secretsIn(text: string, file: string, document: unknown, lineOf: Contract["lineOf"]): Problem[] {
  // A value may be spelt otherwise in the file than it is.
  const values = valuesOf(document, []).flatMap(({ path, value }) => (holdsSecret(value) ? [lineOf(path) ?? 1] : []));
  const lines = text.split("\n").flatMap((line, i) => (holdsSecret(line) ? [i + 1] : []));
  return [...new Set([...lines, ...values])]
    .sort((a, b) => a - b)
    .map((line) => ({ message: "looks like a secret", file, line, hint: "take it out, and revoke it at its issuer" }));
}

function valuesOf(value: unknown, path: readonly PropertyKey[]): { path: readonly PropertyKey[]; value: string }[] {
  if (typeof value === "string") return [{ path, value }];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => [
    { path: [...path, key], value: key },
    ...valuesOf(member, [...path, Array.isArray(value) ? Number(key) : key]),
  ]);
}
