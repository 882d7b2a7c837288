import type { GateFact } from "../evidence/facts.ts";
import type { GateResult } from "../gates/gate.ts";
import { parseJUnit } from "../gates/junit.ts";
import { stripControls } from "../lib/redact.ts";

const MAX_NAMES = 2000;
const MAX_NAME_CHARACTERS = 300;

/** A gate's result with the names of its tests, from the very report that was judged; a gate without a report as it is. */
export function withTests(gate: GateResult): GateFact {
  const file = gate.files.find((each) => each.name.endsWith("junit.xml"));
  if (file === undefined) return gate;
  const text = typeof file.content === "string" ? file.content : Buffer.from(file.content).toString("utf8");
  const { passed, failures } = parseJUnit(text);
  const failed = [...new Set(failures.map((each) => stripControls(each.name).slice(0, MAX_NAME_CHARACTERS)))];
  return { ...gate, passedTests: passed, failedTests: failed.slice(0, MAX_NAMES) };
}
