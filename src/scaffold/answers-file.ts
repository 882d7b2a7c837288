import * as z from "zod";
import { readTextFile } from "../lib/files.ts";
import { parseYaml } from "../lib/yaml-document.ts";
import type { Answers } from "./template-manifest.ts";

const plainAnswers = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));
const keptAnswers = z.object({ template: z.unknown(), answers: plainAnswers });

/** Answers of a YAML file: either `name: value` lines, or the answers.yaml of another project (whose name is not taken over). */
export function answersFromFile(path: string): Answers {
  const text = readTextFile(path, "answers file");
  const content = parseYaml(text, path, z.record(z.string(), z.unknown()));
  if (!("answers" in content)) return parseYaml(text, path, plainAnswers);
  const { project: _, ...answers } = parseYaml(text, path, keptAnswers).answers;
  return answers;
}
