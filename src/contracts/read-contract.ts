import { sha256 } from "../lib/hash.ts";
import { parseYaml, yamlLines } from "../lib/yaml-document.ts";
import { type Contract, contractSchema } from "./contract.ts";

/**
 * The contract in the text of a file. All problems (misspelt keys, rules that could not be judged, duplicate
 * columns) are reported together with file and line, as a usage error.
 */
export function readContract(text: string, file: string): Contract {
  const document = parseYaml(text, file, contractSchema);
  return { file, digest: sha256(text), document, lineOf: yamlLines(text) };
}
