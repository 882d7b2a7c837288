import { isNativeError } from "node:util/types";
import { type Context, createContext, runInContext } from "node:vm";

/** Longest time that a template's pattern may take; a catastrophic one would hang for years. */
const LIMIT_MS = 100;

let realm: Context | undefined;

/**
 * Whether a template's regular expression matches the text. It runs in a realm of its own, since only
 * there a regular expression can be stopped; the code that runs is ours, pattern and text are plain strings.
 */
export function patternMatches(pattern: string, text: string): "yes" | "no" | "timeout" {
  if (isCheap(pattern)) return new RegExp(pattern, "u").test(text) ? "yes" : "no";
  realm ??= createContext(Object.create(null));
  realm.pattern = pattern;
  realm.text = text;
  try {
    return runInContext("new RegExp(pattern, 'u').test(text)", realm, { timeout: LIMIT_MS }) === true ? "yes" : "no";
  } catch (error) {
    if (isNativeError(error) && "code" in error && error.code === "ERR_SCRIPT_EXECUTION_TIMEOUT") return "timeout";
    throw error;
  }
}

/** No group and at most two repetitions: a few hundred thousand steps at worst for an answer, and no realm to build. */
function isCheap(pattern: string): boolean {
  const outsideClasses = pattern.replace(/\[(?:[^\]\\]|\\.)*\]/g, "");
  return !outsideClasses.includes("(") && (outsideClasses.match(/[*+?{]/g) ?? []).length <= 2;
}
