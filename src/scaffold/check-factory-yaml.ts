import { usageError } from "../lib/error.ts";
import { parseYaml } from "../lib/yaml-document.ts";
import { projectSchema } from "../project/project.ts";
import type { RenderedFile } from "./render-template.ts";

/**
 * Refuses (usage error) a rendered project whose factory.yaml is missing, invalid or another project's. For the built-in
 * templates that were not edited the tests hold this for every answer, so that `new` need not.
 */
export function checkFactoryYaml(files: readonly RenderedFile[], project: string): void {
  const file = files.find((each) => each.path === "factory.yaml");
  if (file === undefined)
    throw usageError(
      "template.no-project",
      "the template makes no factory.yaml",
      "a template has files/factory.yaml.liquid",
    );
  const parsed = parseYaml(Buffer.from(file.bytes).toString("utf8"), "factory.yaml (as rendered)", projectSchema);
  if (parsed.project !== project)
    throw usageError(
      "template.project",
      `the template's factory.yaml says project: ${parsed.project}, not ${project}`,
      "write project: {{ project }}",
    );
}
