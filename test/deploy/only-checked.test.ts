import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fieldsOf } from "../../src/bundle/shape.ts";
import { RESOURCE_KINDS, RESOURCE_SHAPES, TASK_KIND_FIELDS } from "../../src/bundle/shapes-of-resources.ts";
import { ALLOWED_KINDS, ALLOWED_SHAPES, REFUSED_FIELDS, REFUSED_KINDS } from "../../src/deploy/allowed.ts";
import { judgeMaterial } from "../../src/deploy/judge-material.ts";
import type { Material, MaterialFile } from "../../src/deploy/material.ts";
import { RULES_OF_VALUES } from "../../src/deploy/rules-of-values.ts";
import { treeFiles } from "../../src/deploy/working-tree.ts";
import { sha256 } from "../../src/lib/hash.ts";
import { templateBundle } from "../bundle/template.ts";
import { root } from "../support/paths.ts";
import { BUNDLE, WHEEL } from "./world.ts";

const JOBS = BUNDLE["resources/jobs.yml"] ?? "";
const WHEEL_TASK = "python_wheel_task: { package_name: claims-triage, entry_point: score }";
const RUNTIME = "spark_version: 16.4.x-scala2.12, node_type_id: Standard_DS3_v2, num_workers: 1";
const reference = (name: string) => `$\{${name}}`;

const file = (path: string, text: string): MaterialFile => ({ path, sha256: sha256(text), bytes: Buffer.from(text) });
const wheelNamed = (name: string): MaterialFile => ({ path: name, sha256: sha256(WHEEL.bytes), bytes: WHEEL.bytes });
const materialOf = (files: Readonly<Record<string, string>>): Material => ({
  files: Object.entries({ ...BUNDLE, ...files }).map(([path, text]) => file(path, text)),
  wheel: wheelNamed(WHEEL.name),
});

const jobs = (text: string) => ({ "resources/jobs.yml": text });
/** The task of the bundle with another thing to do, at line 17; what stands beside it follows. */
const task = (does: string, ...beside: string[]) =>
  jobs(
    JOBS.replace(
      /python_wheel_task:[\s\S]*?environments:/,
      `${[does, ...beside].join("\n          ")}\n      environments:`,
    ),
  );
const cluster = (field: string) => task(WHEEL_TASK, `new_cluster: { ${RUNTIME}, ${field} }`);
const library = (text: string) => task(WHEEL_TASK, `libraries: [{ ${text} }]`);
const spec = (text: string) => jobs(JOBS.replace("          spec:\n", `          spec:\n            ${text}\n`));
const dependency = (text: string) => jobs(JOBS.replace("- ../dist/*.whl", `- ../dist/*.whl\n              - ${text}`));
const job = (text: string) => jobs(JOBS.replace("      tags:\n", `      ${text}\n      tags:\n`));
const resource = (kind: string, fields: string) => jobs(`${JOBS}  ${kind}:\n    other: { ${fields} }\n`);
const top = (text: string) => ({ "databricks.yml": `${BUNDLE["databricks.yml"]}${text}\n` });
const target = (text: string) => ({
  "databricks.yml": (BUNDLE["databricks.yml"] ?? "").replace("  prod:\n", `  prod:\n    ${text}\n`),
});
const git = `git_source: { git_provider: gitHub, git_url: https://example.com/x, git_commit: ${"d".repeat(40)} }`;

const judged = (material: Material, { isFirst = false, to = "prod" } = {}) =>
  judgeMaterial(material, {
    target: to,
    isFirst,
    host: "https://adb-1.azuredatabricks.net",
    known: { model_version: "7", commit: "c".repeat(40) },
  }).verdicts;
const against = (files: Readonly<Record<string, string>>, options: { isFirst?: boolean } = {}) =>
  judged(materialOf(files), options).filter((each) => each.verdict !== "yes");
const nothingElse = (files: Readonly<Record<string, string>>) =>
  judged(materialOf(files)).find((each) => each.rule === "nothing else");

describe("outside of the first environment nothing comes along that was not checked", () => {
  it.each<[string, Readonly<Record<string, string>>, RegExp, RegExp]>([
    // Clusters.
    [
      "a script for each machine",
      cluster("init_scripts: [{ volumes: { destination: /Volumes/a/b/setup.sh } }]"),
      /tasks\[0\].new_cluster.init_scripts \(resources\/jobs.yml:18\): scripts that run on each machine/,
      /wheel.*cluster policy/,
    ],
    ["an image", cluster("docker_image: { url: registry.example/x }"), /docker_image .*an image/, /spark_version/],
    [
      "an image by its version",
      task(WHEEL_TASK, 'new_cluster: { spark_version: "custom:x/y", num_workers: 1 }'),
      /spark_version .*no version of a runtime/,
      /version/,
    ],
    [
      "variables for Python",
      cluster("spark_env_vars: { PYTHONPATH: /Volumes/a/b }"),
      /spark_env_vars .*variables that can lead/,
      /parameters/,
    ],
    [
      "keys to log in with",
      cluster("ssh_public_keys: [ssh-ed25519 AAAA]"),
      /ssh_public_keys .*keys to log in/,
      /leave it out/,
    ],
    [
      "jars by a setting of Spark",
      cluster("spark_conf: { spark.jars: dbfs:/x.jar }"),
      /spark_conf .*spark.jars may choose other code/,
      /cluster policy/,
    ],
    [
      "packages by a setting of Spark",
      cluster("spark_conf: { spark.jars.packages: a:b:1 }"),
      /spark.jars.packages may choose/,
      /cluster policy/,
    ],
    [
      "a path in a setting of Spark",
      cluster("spark_conf: { spark.sql.files.x: /Volumes/a/b }"),
      /spark.sql.files.x may choose/,
      /cluster policy/,
    ],
    [
      "a class in a setting of Spark",
      cluster("spark_conf: { spark.sql.parquet.output.committer.class: a.B }"),
      /committer.class may choose/,
      /cluster policy/,
    ],
    ["another master", cluster("spark_conf: { spark.master: spark }"), /spark.master may choose/, /cluster policy/],
    [
      "the same in a cluster of the job",
      job(
        `job_clusters: [{ job_cluster_key: a, new_cluster: { ${RUNTIME}, init_scripts: [{ workspace: { destination: /Shared/x/y.sh } }] } }]`,
      ),
      /jobs.scoring.job_clusters\[0\].new_cluster.init_scripts \(resources\/jobs.yml:8\)/,
      /wheel/,
    ],
    [
      "a cluster of others",
      task(WHEEL_TASK, "existing_cluster_id: 0101-abc"),
      /existing_cluster_id \(resources\/jobs.yml:18\): a cluster that others set up/,
      /environment_key/,
    ],
    [
      "a cluster of others for all tasks",
      target("cluster_id: 0101-abc"),
      /brings cluster_id \(databricks.yml:\d+\): every task/,
      /environment_key/,
    ],
    [
      "the same at the root",
      {
        "databricks.yml": (BUNDLE["databricks.yml"] ?? "").replace(
          "name: claims-triage\n",
          "name: claims-triage\n  cluster_id: 0101-abc\n",
        ),
      },
      /bundle.cluster_id \(databricks.yml:3\): every task/,
      /new_cluster/,
    ],
    [
      "files that are not uploaded",
      top("presets: { source_linked_deployment: true }"),
      /presets.source_linked_deployment \(databricks.yml:\d+\)/,
      /leave it out/,
    ],
    // Libraries and environments.
    [
      "an index of one's own",
      library('pypi: { package: pandas, repo: "https://index.example/simple" }'),
      /libraries\[0\].pypi.repo \(resources\/jobs.yml:18\): a package index that the bundle chooses/,
      /leave repo out/,
    ],
    [
      "a repository of one's own",
      library('maven: { coordinates: "a:b:1", repo: "https://index.example" }'),
      /maven.repo .*a package index/,
      /leave repo out/,
    ],
    [
      "a repository of R's",
      library('cran: { package: x, repo: "https://index.example" }'),
      /cran.repo .*a package index/,
      /leave repo out/,
    ],
    [
      "a package by its address",
      library('pypi: { package: "x @ https://index.example/x" }'),
      /pypi.package .*no name for the package index/,
      /a name/,
    ],
    [
      "a package by an option",
      library('pypi: { package: "--index-url=https://index.example" }'),
      /pypi.package .*no name/,
      /a name/,
    ],
    [
      "a jar in the place of coordinates",
      library("maven: { coordinates: dbfs:/x.jar }"),
      /maven.coordinates .*no coordinates/,
      /group:artifact/,
    ],
    [
      "the wheel's name from the index",
      library("pypi: { package: claims.triage }"),
      /pypi.package .*under the name of the checked wheel/,
      /dist\/\*.whl/,
    ],
    [
      "the wheel's name from the index, for an environment",
      dependency("Claims_Triage==9"),
      /the library Claims_Triage==9 \(resources\/jobs.yml:29\): .*name of the checked wheel/,
      /leave it out/,
    ],
    [
      "an option of the installer",
      dependency('"--index-url https://index.example"'),
      /the library --index-url/,
      /leave it out/,
    ],
    ["an option behind a name", dependency('"pandas==2 --pre"'), /the library pandas==2 --pre/, /leave it out/],
    ["a jar from elsewhere", library("jar: s3a://a/b.jar"), /the library s3a:/, /leave it out/],
    [
      "an environment that is defined elsewhere",
      spec("base_environment: /Volumes/a/env.yaml"),
      /spec.base_environment \(resources\/jobs.yml:26\): an environment that is defined elsewhere/,
      /dependencies/,
    ],
    ["one of the project's", spec("project_environment: ../uv.lock"), /spec.project_environment/, /dependencies/],
    [
      "variables of a job",
      job("environment_variables: [{ key: a }]"),
      /jobs.scoring.environment_variables .*variables that can lead/,
      /parameters/,
    ],
    // Tasks.
    [
      "what is submitted to Spark",
      task('spark_submit_task: { parameters: ["--py-files", "/Volumes/a/x.py"] }'),
      /tasks\[0\].spark_submit_task \(resources\/jobs.yml:17\): a task that runs what was not checked/,
      /python_wheel_task/,
    ],
    [
      "a jar",
      task('spark_jar_task: { main_class_name: a.B, jar_uri: "dbfs:/x.jar" }'),
      /spark_jar_task .*not checked/,
      /python_wheel_task/,
    ],
    [
      "a project of dbt",
      task('dbt_task: { project_directory: /Workspace/Users/x/dbt, commands: ["dbt run"] }'),
      /dbt_task .*not checked/,
      /sql_task/,
    ],
    [
      "SQL of somebody's",
      task("sql_task: { warehouse_id: w, file: { path: /Workspace/Users/x/q.sql, source: WORKSPACE } }"),
      /the code at \/Workspace\/Users\/x\/q.sql \(resources\/jobs.yml:17\): no file of the bundle/,
      /relative path/,
    ],
    [
      "a query by its number",
      task("sql_task: { warehouse_id: w, query: { query_id: q } }"),
      /sql_task.query .*others may change/,
      /sql_task.file/,
    ],
    [
      "a job by its number",
      task("run_job_task: { job_id: 7 }"),
      /run_job_task.job_id \(resources\/jobs.yml:17\): job 7 is none of this bundle/,
      /by reference/,
    ],
    [
      "a job that the bundle has not",
      task(`run_job_task: { job_id: "${reference("resources.jobs.other.id")}" }`),
      /job \$\{resources.jobs.other.id\} is none/,
      /by reference/,
    ],
    [
      "a script by its address",
      task("spark_python_task: { python_file: s3://a/b.py }"),
      /the code at s3:/,
      /relative path/,
    ],
    [
      "a script by its address beside one commit",
      {
        "resources/jobs.yml": (
          task("spark_python_task: { python_file: dbfs:/x.py }")["resources/jobs.yml"] ?? ""
        ).replace("      tags:\n", `      ${git}\n      tags:\n`),
      },
      /the code at dbfs:\/x.py/,
      /relative path/,
    ],
    [
      "another package's entry point",
      task("python_wheel_task: { package_name: pip, entry_point: pip }"),
      /python_wheel_task.package_name .*pip is not the package of the checked wheel/,
      /package_name: claims-triage/,
    ],
    [
      "an expression as entry point",
      task('python_wheel_task: { package_name: claims-triage, entry_point: "{{job.parameters.x}}" }'),
      /python_wheel_task.entry_point .*no plain name/,
      /letters/,
    ],
    [
      "a task for each item",
      task(
        "for_each_task: { inputs: '[1]', task: { task_key: one, existing_cluster_id: a, clean_rooms_notebook_task: { notebook_name: x, clean_room_name: y } } }",
      ),
      /for_each_task.task.existing_cluster_id .*for_each_task.task.clean_rooms_notebook_task/,
      /environment_key.*python_wheel_task/,
    ],
    // What is not known yet.
    [
      "fields that nobody has heard of",
      task(WHEEL_TASK, "quantum_task: { circuit: x }"),
      /tasks\[0\].quantum_task \(resources\/jobs.yml:18\): not known to bring no code/,
      /first environment/,
    ],
    [
      "a task by a variable without a value",
      task(WHEEL_TASK, `new_cluster: ${reference("var.nothing")}`),
      /new_cluster .*not known before it is deployed/,
      /value/,
    ],
    [
      "a cluster by a variable",
      {
        "databricks.yml": (BUNDLE["databricks.yml"] ?? "").replace(
          "  commit:\n",
          "  machine:\n    type: complex\n    default: { num_workers: 1, init_scripts: [] }\n  commit:\n",
        ),
        ...task(WHEEL_TASK, `new_cluster: ${reference("var.machine")}`),
      },
      /new_cluster.init_scripts \(resources\/jobs.yml:18\)/,
      /wheel/,
    ],
    [
      "what a target adds to a task",
      target("resources: { jobs: { scoring: { tasks: [{ task_key: score, existing_cluster_id: a }] } } }"),
      /jobs.scoring.tasks\[0\].existing_cluster_id \(databricks.yml:25\)/,
      /environment_key/,
    ],
    // Kinds.
    [
      "what an endpoint serves",
      resource(
        "model_serving_endpoints",
        'name: e, config: { served_entities: [{ name: x, entity_name: prod.claims.triage, entity_version: "99" }] }',
      ),
      /model_serving_endpoints.other \(resources\/jobs.yml:\d+\): .*factory release alone/,
      /factory release/,
    ],
    [
      "a pipeline of others",
      resource(
        "pipelines",
        "name: p, libraries: [{ notebook: { path: /Workspace/Users/x/n } }, { file: { path: /Workspace/Users/x/n.py } }]",
      ),
      /pipelines.other \(resources\/jobs.yml:\d+\): a kind of resource that is not checked/,
      /bundle of its own/,
    ],
    [
      "a pipeline of a folder",
      resource(
        "pipelines",
        "name: p, root_path: /Workspace/Users/x, libraries: [{ glob: { include: /Workspace/Users/x/** } }]",
      ),
      /pipelines.other/,
      /bundle of its own/,
    ],
    [
      "an app",
      resource("apps", "name: a, source_code_path: /Workspace/Users/x/app"),
      /apps.other/,
      /bundle of its own/,
    ],
    [
      "a dashboard from this machine",
      resource("dashboards", "display_name: d, file_path: /etc/passwd"),
      /dashboards.other.file_path .*no file of the bundle/,
      /relative path/,
    ],
    [
      "an alias",
      resource(
        "registered_models",
        "name: m, catalog_name: c, schema_name: s, aliases: [{ alias_name: champion, version_num: 9 }]",
      ),
      /registered_models.other.aliases .*would move/,
      /factory release/,
    ],
  ])("%s", (_, files, why, fix) => {
    const verdict = nothingElse(files);
    expect(verdict?.verdict).toBe("no");
    expect(verdict?.why).toMatch(why);
    expect(verdict?.fix).toMatch(fix);
  });

  it.each(TASK_KIND_FIELDS.filter((kind) => !fieldsOf(ALLOWED_SHAPES.task ?? "").has(kind)))("no %s", (kind) => {
    expect(nothingElse(task(`${kind}: {}`))?.why).toContain(
      `tasks[0].${kind} (resources/jobs.yml:17): a task that runs`,
    );
  });

  it.each(RESOURCE_KINDS.filter((kind) => !Object.hasOwn(ALLOWED_KINDS, kind)))("none of %s", (kind) => {
    expect(nothingElse(resource(kind, "name: x"))?.why).toContain(`resources.${kind}.other (resources/jobs.yml:30)`);
  });

  it("says the first five, and how many there are besides", () => {
    const kinds = TASK_KIND_FIELDS.filter((kind) => !fieldsOf(ALLOWED_SHAPES.task ?? "").has(kind)).slice(0, 7);
    const [first = "", ...others] = kinds.map((kind) => `${kind}: {}`);
    expect(nothingElse(task(first, ...others))?.why).toMatch(/; and 2 more$/);
  });
});

describe("what honest bundles have", () => {
  it.each<[string, Readonly<Record<string, string>>]>([
    [
      "a cluster",
      cluster(
        "policy_id: p, data_security_mode: SINGLE_USER, custom_tags: { a: b }, spark_conf: { spark.sql.session.timeZone: Europe/Vienna, spark.sql.shuffle.partitions: 8, spark.databricks.delta.optimizeWrite.enabled: true }",
      ),
    ],
    [
      "one machine",
      cluster('spark_conf: { spark.master: "local[*, 4]", spark.databricks.cluster.profile: singleNode }'),
    ],
    ["machines of a pool", cluster("instance_pool_id: p, driver_instance_pool_id: p")],
    [
      "a runtime by a variable",
      {
        "databricks.yml": (BUNDLE["databricks.yml"] ?? "").replace(
          "  commit:\n",
          "  runtime:\n    default: 16.4.x-scala2.12\n  commit:\n",
        ),
        ...task(WHEEL_TASK, `new_cluster: { spark_version: "${reference("var.runtime")}", num_workers: 1 }`),
      },
    ],
    ["packages of the index", library('pypi: { package: "pandas>=2,<3" }')],
    ["the wheel as a library", library("whl: ../dist/*.whl")],
    ["coordinates", library('maven: { coordinates: "org.example:lib_2.12:1.0", exclusions: ["a:b"] }')],
    ["dependencies beside the wheel", dependency("scikit-learn==1.7.2")],
    [
      "a notebook of the bundle",
      {
        ...task(
          "notebook_task: { notebook_path: ../notebooks/score.py, base_parameters: { input: /Volumes/a/b, output: s3://a/b } }",
        ),
        "notebooks/score.py": "",
      },
    ],
    [
      "a notebook without its ending",
      { ...task("notebook_task: { notebook_path: ../notebooks/score }"), "notebooks/score.ipynb": "{}" },
    ],
    [
      "a script of the bundle",
      {
        ...task('spark_python_task: { python_file: ../jobs/score.py, parameters: ["dbfs:/a", "/Volumes/b"] }'),
        "jobs/score.py": "",
      },
    ],
    [
      "SQL of the bundle",
      { ...task("sql_task: { warehouse_id: w, file: { path: ../sql/a.sql } }"), "sql/a.sql": "select 1" },
    ],
    [
      "places of data as parameters",
      task(
        'python_wheel_task: { package_name: claims_triage, entry_point: score, parameters: ["--in", "abfss://a@b/c", "--out", "/Workspace/Shared/x"] }',
      ),
    ],
    ["a job of its own", { ...task(`run_job_task: { job_id: "${reference("resources.jobs.scoring.id")}" }`) }],
    ["a condition", task("condition_task: { op: EQUAL_TO, left: a, right: b }")],
    [
      "a task for each item",
      task(
        `for_each_task: { inputs: '[1]', concurrency: 2, task: { task_key: one, environment_key: default, ${WHEEL_TASK} } }`,
      ),
    ],
    [
      "a script of one commit",
      {
        "resources/jobs.yml": (
          task("spark_python_task: { python_file: jobs/score.py, source: GIT }")["resources/jobs.yml"] ?? ""
        ).replace("      tags:\n", `      ${git}\n      tags:\n`),
      },
    ],
    [
      "a start by files",
      jobs(
        JOBS.replace(
          /schedule:[\s\S]*?tasks:/,
          "trigger: { pause_status: UNPAUSED, file_arrival: { url: /Volumes/a/b/ } }\n      tasks:",
        ),
      ),
    ],
    [
      "an experiment with a place of its own",
      jobs(JOBS.replace("  jobs:\n", "      artifact_location: dbfs:/Volumes/a/b/c\n  jobs:\n")),
    ],
    [
      "a registered model",
      resource(
        "registered_models",
        "name: m, catalog_name: c, schema_name: s, storage_location: s3://a/b, grants: [{ principal: team, privileges: [EXECUTE] }]",
      ),
    ],
    ["a schema", resource("schemas", "name: s, catalog_name: c, storage_root: s3://a/b")],
    [
      "a volume",
      resource(
        "volumes",
        "name: v, catalog_name: c, schema_name: s, volume_type: EXTERNAL, storage_location: abfss://a@b/c",
      ),
    ],
    [
      "a dashboard",
      {
        ...resource("dashboards", "display_name: d, warehouse_id: w, file_path: ../dash/d.lvdash.json"),
        "dash/d.lvdash.json": "{}",
      },
    ],
  ])("%s is deployed", (_, files) => expect(against(files)).toEqual([]));

  it("is in every template, for each environment", async () => {
    const folder = mkdtempSync(join(tmpdir(), "factory-deploy-"));
    try {
      for (const [, laid] of await templateBundle(folder)) {
        const material = { files: await treeFiles(laid), wheel: wheelNamed(WHEEL.name) };
        for (const to of ["test", "prod"])
          expect(judged(material, { to }).filter((each) => each.verdict !== "yes")).toEqual([]);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("is in a bundle with many fields", async () => {
    const files = await treeFiles(join(root, "test/bundle/rich"));
    const verdicts = judged({ files, wheel: wheelNamed("tiny-0.1.0-py3-none-any.whl") });
    expect(verdicts.filter((each) => each.verdict !== "yes")).toEqual([]);
  });

  it("may be tried in the first environment, and more", () => {
    expect(
      against(cluster("init_scripts: [{ workspace: { destination: /Shared/x/y.sh } }]"), { isFirst: true }),
    ).toEqual([]);
  });
});

describe("the list of what is allowed", () => {
  it("names fields that there are, shapes that there are and rules that there are", () => {
    const alias: Readonly<Record<string, string>> = { pypi: "package", cran: "package" };
    for (const [shape, fields] of Object.entries(ALLOWED_SHAPES)) {
      expect(fields).not.toBe("");
      const known = RESOURCE_SHAPES[alias[shape] ?? shape];
      for (const [name, { type }] of fieldsOf(fields)) {
        if (known !== undefined) expect([shape, name, fieldsOf(known).has(name)]).toEqual([shape, name, true]);
        const inner = /@(\w+)/.exec(type)?.[1];
        if (inner !== undefined) expect(Object.keys(ALLOWED_SHAPES)).toContain(inner);
        const rule = /#(\w+)/.exec(type)?.[1];
        if (rule !== undefined) expect(Object.keys(RULES_OF_VALUES)).toContain(rule);
      }
    }
  });

  it("gives reasons for what it leaves out, and for nothing else", () => {
    for (const reason of Object.keys(REFUSED_FIELDS)) {
      const [shape = "", field = ""] = reason.split(".");
      expect([reason, fieldsOf(ALLOWED_SHAPES[shape] ?? "").has(field)]).toEqual([reason, false]);
      expect([reason, fieldsOf(RESOURCE_SHAPES[shape === "pypi" ? "package" : shape] ?? "").has(field)]).toEqual([
        reason,
        true,
      ]);
    }
    for (const kind of Object.keys(REFUSED_KINDS)) expect(Object.keys(ALLOWED_KINDS)).not.toContain(kind);
  });
});
