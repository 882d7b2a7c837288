import { usageError } from "../lib/error.ts";
import type { Policy } from "../policy/policy.ts";
import { checkName } from "./check-paths.ts";
import { MAX_FILES, type Template } from "./read-template.ts";
import { type RenderedFile, renderTemplate } from "./render-template.ts";
import type { Answers } from "./template-manifest.ts";
import { workspacesOf } from "./workspaces-of.ts";

export interface Schemas {
  /** Bytes of the published JSON schemas. */
  factory: Uint8Array;
  policy: Uint8Array;
}

export interface ProjectPlan {
  files: readonly RenderedFile[];
  /** Sum of all files. */
  bytes: number;
}

const PYTHON_KEYWORDS: ReadonlySet<string> = new Set(
  "and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield".split(
    " ",
  ),
);

/** Throws a usage error when a name cannot be a project's: it becomes a folder, a Python package and a model name. */
export function checkProjectName(name: string): void {
  checkName(name, "NAME");
  if (!/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(name) || name.length < 2 || name.length > 41) {
    throw usageError(
      "new.name",
      `${JSON.stringify(name)} cannot be a project's name`,
      "2 to 41 lower-case letters, digits and single -, starting with a letter: claims-triage",
    );
  }
  if (PYTHON_KEYWORDS.has(name))
    throw usageError(
      "new.name-keyword",
      `${name} is a word of the Python language and cannot name a package`,
      `such as ${name}-model`,
    );
}

/** `claims-triage` → `claims.triage`, `claims` → `claims.model`: schema and model, each starting with a letter. */
function modelNameOf(project: string): string {
  const at = project.indexOf("-");
  const rest = at < 0 ? "" : project.slice(at + 1);
  if (!/^[a-z]/.test(rest)) return `${project.replaceAll("-", "_")}.model`;
  return `${project.slice(0, at)}.${rest.replaceAll("-", "_")}`;
}

/**
 * Every file of the new project, rendered and checked; nothing is read or written. Throws usage errors. Whether its
 * factory.yaml is a valid one, `checkFactoryYaml` tells.
 */
export function planProject(
  template: Template,
  project: string,
  answers: Answers,
  facts: { policyPath: string; schemas: Schemas; now: Date; factoryVersion: string; policy?: Policy | undefined },
): ProjectPlan {
  checkProjectName(project);
  const { name, version } = template.manifest;
  const rendered = renderTemplate(template, {
    ...answers,
    project,
    package: project.replaceAll("-", "_"),
    model_name: modelNameOf(project),
    policy_path: facts.policyPath,
    workspaces: workspacesOf(facts.policy),
    ledger: facts.policy?.ledger.kind ?? "file",
    year: facts.now.getUTCFullYear(),
    template_name: name,
    template_version: version,
    factory_version: facts.factoryVersion,
  });
  const kept = {
    template: { name, version, digest: `sha256:${template.digest}` },
    createdAt: facts.now.toISOString(),
    answers: { ...answers, project },
  };
  const own = (path: string, content: string | Uint8Array): RenderedFile => ({
    path: `.factory/${path}`,
    bytes: Buffer.from(content),
    executable: false,
  });
  const files = [
    ...rendered,
    own(
      "answers.yaml",
      `# What this project was made from; factory reads it again when the template has a newer version.\n${yamlOf(kept)}`,
    ),
    own("schemas/factory.schema.json", facts.schemas.factory),
    own("schemas/policy.schema.json", facts.schemas.policy),
  ];
  if (files.length > MAX_FILES)
    throw usageError("render.too-many", `the project would have more than ${MAX_FILES} files`);
  return { files, bytes: files.reduce((sum, file) => sum + file.bytes.byteLength, 0) };
}

/** Two levels of plain values as YAML. A JSON string is a YAML string too. */
function yamlOf(value: Readonly<Record<string, unknown>>, indent = ""): string {
  return Object.entries(value)
    .map(([key, member]) =>
      typeof member === "object" && member !== null
        ? `${indent}${key}:\n${yamlOf({ ...member }, `${indent}  `)}`
        : `${indent}${key}: ${JSON.stringify(member)}\n`,
    )
    .join("");
}
