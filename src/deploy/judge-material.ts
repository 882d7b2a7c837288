import { checkBundle } from "../bundle/check-bundle.ts";
import type { BundleFinding } from "../bundle/finding.ts";
import { matcher } from "../bundle/glob.ts";
import { type BundleDocument, loadBundle } from "../bundle/load.ts";
import { localReferences } from "../bundle/local-paths.ts";
import { at, entriesOf, isMap, textOf } from "../bundle/node.ts";
import { type ResolvedBundle, resolveBundle } from "../bundle/resolve.ts";
import { declaredVariables, targetsOf } from "../bundle/variables.ts";
import { no, type Verdict, yes } from "../rules/rule.ts";
import { bundleFilesOf, type Material } from "./material.ts";
import { type Stranger, strangersOf } from "./only-checked.ts";

export interface DeployAsk {
  /** Environment and target of the bundle have one name. */
  target: string;
  isFirst: boolean;
  /** Origin of the workspace that policy names. */
  host: string;
  /** What factory knows of a deployment; a bundle takes what it declares. */
  known: Readonly<Record<string, string>>;
}

export interface JudgedMaterial {
  verdicts: readonly Verdict[];
  /** Of the check without a workspace. */
  findings: readonly BundleFinding[];
  /** Where the wheel has to lie, from the bundle's folder. */
  wheelPaths: readonly string[];
  /** Variables for the command line. */
  variables: Readonly<Record<string, string>>;
}

/** Whether these very files can be deployed to a target without anything else being picked up, built or run. Pure. */
export function judgeMaterial(material: Material, ask: DeployAsk): JudgedMaterial {
  const files = bundleFilesOf(material);
  const { documents } = loadBundle(files);
  const declared = declaredVariables(documents);
  const variables = Object.fromEntries(Object.entries(ask.known).filter(([name]) => declared.includes(name)));
  const { findings } = checkBundle(files, variables);
  const errors = findings.filter((each) => each.severity === "error");
  const resolved = resolveBundle(documents, ask.target, variables);
  const { paths, misfits } = placesOfWheel(documents, material.wheel.path);
  const verdicts: Verdict[] = [
    {
      rule: "bundle",
      ...(errors.length === 0
        ? yes(`${files.paths.size} files without a flaw, as far as can be told without the workspace`)
        : no(
            `${errors.length === 1 ? "a flaw" : `${errors.length} flaws`}: ${errors.slice(0, 3).map(placed).join("; ")}${errors.length > 3 ? " …" : ""}`,
            "mend them, commit, train, check and promote again",
          )),
    },
    { rule: "target", ...judgeTarget(resolved, documents, ask) },
    {
      rule: "wheel",
      ...(misfits.length === 0
        ? yes(paths.length === 0 ? "the bundle installs none" : `${material.wheel.path}, as it was checked`)
        : no(
            `the bundle asks for ${misfits.join(", ")}, and ${material.wheel.path} is what was checked`,
            "../dist/*.whl in the resources",
          )),
    },
    { rule: "nothing built", ...judgeBuilds(resolved, documents) },
    { rule: "nothing else", ...judgeStrangers(strangersOf(documents, resolved, material, ask.isFirst)) },
  ];
  return { verdicts, findings, wheelPaths: paths, variables };
}

/** `resources/jobs.yml:7 there is no field …` */
function placed({ file, line, message }: BundleFinding): string {
  return `${file}${line === undefined ? "" : `:${line}`} ${message}`;
}

function judgeTarget(
  resolved: ResolvedBundle | undefined,
  documents: readonly BundleDocument[],
  { target, isFirst, host }: DeployAsk,
) {
  if (resolved === undefined) {
    const names = targetsOf(documents).map((each) => each.name);
    return no(
      `the bundle has no target ${target}${names.length === 0 ? "" : `: it has ${names.join(", ")}`}`,
      "a target has the name of its environment",
    );
  }
  if (!isFirst && resolved.mode !== "production")
    return no(
      `target ${target} is not of mode production: it would be named after whoever deploys`,
      "mode: production",
    );
  const workspace = at(resolved.config, "workspace");
  const stated = textOf(at(workspace, "host"));
  if (stated !== undefined && stated.replace(/\/+$/, "") !== host)
    return no(`target ${target} is of ${stated}, and the policy says ${host}`, "leave workspace.host out");
  const login = ["profile", "auth_type", "client_id"].filter((name) => at(workspace, name) !== undefined);
  if (login.length > 0)
    return no(`target ${target} says how to log in (${login.join(", ")})`, "leave it out: the policy says it");
  // What is deployed lies in a folder of its own, which is no git repository.
  const fromGit = resolved.left.filter((reference) => reference.startsWith("bundle.git."));
  if (fromGit.length > 0)
    return no(
      `\${${fromGit[0]}} is asked of git, and what was checked is deployed outside of it`,
      "a variable commit, with that as its default: factory gives it",
    );
  return yes(`${resolved.mode === "production" ? "production" : (resolved.mode ?? "no mode")}, at ${host}`);
}

function judgeStrangers(strangers: readonly Stranger[]) {
  if (strangers.length === 0) return yes("what is uploaded, installed and run is what was checked");
  const shown = strangers.slice(0, 5);
  const more = strangers.length > shown.length ? `; and ${strangers.length - shown.length} more` : "";
  return no(
    `the bundle also brings ${shown.map(({ what }) => what).join("; ")}${more}`,
    [...new Set(shown.map(({ fix }) => fix))].join("; "),
  );
}

/** Whatever would run on this machine while deploying: it could make something else than what was checked. */
function judgeBuilds(resolved: ResolvedBundle | undefined, documents: readonly BundleDocument[]) {
  const config = resolved?.config;
  const building = entriesOf(at(config, "artifacts"))
    .filter(
      ([, artifact]) =>
        at(artifact, "build") !== undefined ||
        at(artifact, "files") === undefined ||
        textOf(at(artifact, "dynamic_version")) === "true",
    )
    .map(([name]) => `artifacts.${name}`);
  const experimental = ["scripts", "python", "pydabs"]
    .filter((name) => at(config, "experimental", name) !== undefined)
    .map((name) => `experimental.${name}`);
  const python = isMap(at(config, "python")) ? ["python"] : [];
  const dynamic =
    textOf(at(config, "presets", "artifacts_dynamic_version")) === "true" ? ["presets.artifacts_dynamic_version"] : [];
  // Another engine than the one that is asked for brings a program and providers of its own.
  const engine = [undefined, "direct"].includes(textOf(at(config, "bundle", "engine"))) ? [] : ["bundle.engine"];
  const running = [...building, ...experimental, ...python, ...dynamic, ...engine];
  if (running.length === 0) return yes("nothing is built or run while deploying");
  const [first = ""] = running;
  const path = first.split(".");
  const where = documents.find(({ value }) => at(value, ...path) !== undefined);
  const line = where?.lineOf(path);
  const place = where === undefined ? "" : ` (${where.file}${line === undefined ? "" : `:${line}`})`;
  return no(
    `${running.join(", ")}${place} would make or change something while deploying`,
    "leave it out: the wheel that was checked is put into dist/; by hand: uv build --wheel",
  );
}

function placesOfWheel(documents: readonly BundleDocument[], wheel: string): { paths: string[]; misfits: string[] } {
  const paths = new Set<string>();
  const misfits = new Set<string>();
  for (const { file, text, built } of localReferences(documents)) {
    if (!built || file === undefined) continue;
    const folder = file.slice(0, file.lastIndexOf("/") + 1);
    const fits = file.endsWith(".whl") && !/[*?[]/.test(folder) && matcher(file)?.(folder + wheel) === true;
    if (fits) paths.add(folder + wheel);
    else misfits.add(text);
  }
  return { paths: [...paths].sort(), misfits: [...misfits] };
}
