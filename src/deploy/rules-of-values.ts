import { at, entriesOf, isMap, textOf } from "../bundle/node.ts";
import { isCommitId } from "../lib/commit-id.ts";
import type { Refusal } from "./allowed.ts";

/** What values are judged by. */
export interface Scope {
  /** Files of the bundle that it names, as they are written. */
  named: ReadonlySet<string>;
  /** File name of the checked wheel. */
  wheel: string;
  /** Names of the bundle's own jobs. */
  jobs: ReadonlySet<string>;
  /** The job that a value stands in takes its code from one commit. */
  pinned: boolean;
}

export interface Strange extends Refusal {
  /** Said in the place of the path. */
  what?: string;
}

type Judge = (value: unknown, scope: Scope, block: unknown) => Strange | undefined;

/** A name with or without a version, as an index has it: `pandas>=2,<3`, `mlflow[extras]==3.1 ; python_version > "3.9"`. */
const REQUIREMENT =
  /^(?![\s\S]*(?:\s-|[\r\n]))([A-Za-z0-9][\w.-]*)(?:\[[\w., -]*\])?\s*(?:[=<>!~][^/\\$@{}]*)?(?:;[^/\\$@{}]*)?$/;
const BY_ARCHIVE = /\.(?:whl|jar|egg|zip|gz|txt)$/i;
/** A place that a cluster loads from: a path, or the address of a store. */
const ELSEWHERE = /^\s*(?:[/~\\]|[A-Za-z][\w+.-]*:)/;
/** Settings of Spark by which no class, jar, archive, interpreter or repository is chosen. */
const SPARK_SETTINGS =
  /^(?!.*(?:[cC]lass|[mM]anager|[pP]rovider|[pP]lugin|[eE]xtension)s?$)spark\.(?:speculation(?:\..+)?|default\.parallelism|network\.timeout|rpc\.message\.maxSize|rdd\.compress|task\.(?:cpus|maxFailures|resource\.gpu\.amount)|memory\.(?:fraction|storageFraction|offHeap\.enabled|offHeap\.size)|(?:driver|executor)\.(?:memory|memoryOverhead|cores|instances|maxResultSize)|dynamicAllocation\.\w+|kryoserializer\.buffer(?:\.max)?|sql\.(?:adaptive|files|parquet|shuffle|broadcastTimeout|autoBroadcastJoinThreshold|ansi|caseSensitive|session\.timeZone|execution\.arrow|sources\.partitionOverwriteMode|legacy)(?:\.[\w.]+)?|databricks\.(?:delta|io\.cache|adaptive)\.[\w.]+|databricks\.cluster\.profile|master)$/;

/** Whether a text is a requirement that a package index answers, and nothing else. */
export function isRequirement(text: string): boolean {
  return REQUIREMENT.test(text) && !BY_ARCHIVE.test(text);
}

/** Whether a package has the name of the wheel: the index would bring other code under it. */
export function isNamedLike(text: string, wheel: string): boolean {
  return normalized(REQUIREMENT.exec(text)?.[1] ?? text) === normalized(wheel.split("-")[0] ?? "");
}

/** As package indexes compare names. */
function normalized(name: string): string {
  return name.replace(/[-_.]+/g, "-").toLowerCase();
}

/** Whether code comes from one commit, which nobody can change after the approval. */
export function isPinned(source: unknown): boolean {
  const moving = ["git_branch", "git_tag"].some((key) => at(source, key) !== undefined);
  return isCommitId(textOf(at(source, "git_commit")) ?? "") && !moving;
}

/** A path inside of a repository. */
function isInRepository(text: string): boolean {
  return !ELSEWHERE.test(text) && !/[$\\]|\{\{/.test(text) && !text.split("/").includes("..");
}

const GIT_FIELDS = ["git_url", "git_provider", "git_commit", "sparse_checkout"];
const matching =
  (pattern: RegExp, refusal: Refusal): Judge =>
  (value) =>
    pattern.test(textOf(value) ?? "") ? undefined : refusal;

/** How a value that could bring code is judged, by the mark that it has in the list of what is allowed. */
export const RULES_OF_VALUES: Readonly<Record<string, Judge>> = {
  code: (value, { named, pinned }, block) => {
    const text = textOf(value) ?? "";
    if (named.has(text) || (pinned && textOf(at(block, "source")) !== "WORKSPACE" && isInRepository(text)))
      return undefined;
    return {
      what: `the code at ${text}`,
      why: "no file of the bundle",
      fix: "a file beside the bundle, by its relative path",
    };
  },
  file: (value, { named }) =>
    named.has(textOf(value) ?? "")
      ? undefined
      : { why: "no file of the bundle", fix: "a file beside the bundle, by its relative path" },
  commit: (value) =>
    isPinned(value) && entriesOf(value).every(([name]) => GIT_FIELDS.includes(name))
      ? undefined
      : { why: "from git without a commit", fix: "git_commit: the commit in full, without git_branch and git_tag" },
  ownPackage: (value, { wheel }) =>
    isNamedLike(textOf(value) ?? "", wheel)
      ? undefined
      : {
          why: `${textOf(value) ?? "…"} is not the package of the checked wheel`,
          fix: `package_name: ${normalized(wheel.split("-")[0] ?? "")}`,
        },
  ownJob: (value, { jobs }) =>
    jobs.has(/^\$\{resources\.jobs\.([\w-]+)\.id\}$/.exec(textOf(value) ?? "")?.[1] ?? "")
      ? undefined
      : {
          why: `job ${textOf(value) ?? "…"} is none of this bundle`,
          fix: `a job of this bundle, by reference: \${resources.jobs.<name>.id}`,
        },
  requirement: (value, { wheel }) => {
    const text = textOf(value) ?? "";
    if (!isRequirement(text))
      return { why: `${text} is no name for the package index`, fix: "package: a name, with or without a version" };
    return isNamedLike(text, wheel) ? { why: NAMED_LIKE, fix: "whl: ../dist/*.whl" } : undefined;
  },
  coordinates: matching(/^[\w.-]+(?::[\w.+-]+){2,4}$/, {
    why: "no coordinates of Maven",
    fix: "coordinates: group:artifact:version",
  }),
  name: matching(/^[A-Za-z_][\w.-]*$/, { why: "no plain name", fix: "a name: letters, digits, _ . -" }),
  version: matching(/^[\w.-]+$/, {
    why: "no version of a runtime of Databricks",
    fix: "a version as Databricks names it, written out or in a variable",
  }),
  sparkConf: (value) => {
    if (!isMap(value)) return { why: "no map", fix: "a map of settings" };
    const other = Object.entries(value).find(
      ([name, each]) =>
        !SPARK_SETTINGS.test(name) ||
        ELSEWHERE.test(textOf(each) ?? "/") ||
        (name === "spark.master" && !/^local(?:\[[\d*, ]+\])?$/.test(String(each))),
    );
    return other === undefined
      ? undefined
      : {
          why: `${other[0]} may choose other code`,
          fix: "leave it out, or let the workspace's admins set it in a cluster policy",
        };
  },
};

export const NAMED_LIKE = "the package index would bring other code under the name of the checked wheel";
