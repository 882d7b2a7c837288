import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SPARK_READY_MS, sparkMissing } from "../../support/spark/spark-server.ts";
import { contract } from "../harness.ts";
import { outcomes, type WarehouseWorld, warehouseWorld } from "./world.ts";

const missing = sparkMissing();
/** A statement of many parts is planned for seconds, and for many more on a busy machine. */
const LIMIT_MS = 600_000;
const files = join(import.meta.dirname, "../../../templates/batch-scoring/files");
const CLAIMS_CSV = join(files, "data/claims.csv");
const CLAIMS = readFileSync(join(files, "contracts/claims.odcs.yaml.liquid"), "utf8")
  .replace(/\{% (?:end)?raw %\}/g, "")
  .replace(/\{\{ \w+ \}\}/g, "x");

let world: WarehouseWorld;
beforeAll(async () => {
  if (missing === undefined) world = await warehouseWorld();
}, SPARK_READY_MS);
afterAll(async () => {
  if (missing === undefined) await world.end();
});

/** Verdicts and counts of both; they are equal. */
async function both(text: string, table: string, select: string) {
  const rows = await world.lay(table, select);
  const [file, warehouse] = [await world.byFile(text, rows), await world.byTable(text)];
  expect(outcomes(warehouse)).toEqual(outcomes(file));
  expect([warehouse.verdict, warehouse.source.rows]).toEqual([file.verdict, file.source.rows]);
  return { file, warehouse };
}

describe.skipIf(missing !== undefined)("the claims contract on real data", { timeout: LIMIT_MS }, () => {
  const real = `select * from read_csv('${CLAIMS_CSV}')`;
  test("the table is judged as the file, in three statements", async () => {
    const before = world.spark.shim.statements.length;
    const { warehouse } = await both(CLAIMS, "claims", real);
    expect(warehouse.verdict).toBe("pass");
    expect(warehouse.checks.length).toBeGreaterThanOrEqual(30);
    expect(warehouse.source).toMatchObject({
      rows: 20190,
      table: { name: `spark_catalog.${world.schema}.claims`, version: 0 },
    });
    const csv = await world.byFile(CLAIMS, { file: CLAIMS_CSV, table: "claims" });
    const counts = (report: typeof csv) =>
      report.checks.map(({ id, verdict, failedRows }) => ({ id, verdict, failedRows: failedRows ?? 0 }));
    expect(counts(warehouse)).toEqual(counts(csv));
    const sent = world.spark.shim.statements.slice(before).filter((sql) => !/^create/i.test(sql));
    expect(sent.length).toBe(3);
    expect(warehouse.statements?.length).toBe(3);
  });
  const BROKEN = [
    "case when member_year_id like '%111' then null when member_year_id like '%222' then member_year_id || chr(10) when member_year_id like '%333' then 'MY-000001' else member_year_id end as member_year_id",
    "case when mdvis = 7 then 367 when mdvis < 2 then 6 else mdvis end as mdvis",
    "case when mdvis = 7 then 4.61514 else lncoins end as lncoins",
    "case when mdvis = 7 then 'nan'::double else lpi end as lpi",
    "case when mdvis = 9 then 2 else idp end as idp",
    "case when mdvis = 9 then 1 else hlthg end as hlthg",
    "case when mdvis = 9 then 1 else hlthf end as hlthf",
  ];
  test("every planted violation is found, and counted alike", async () => {
    const select = `select * replace (${BROKEN.join(", ")}) from (${real} order by member_year_id limit 9999)`;
    const { warehouse } = await both(CLAIMS, "claims", select);
    const failed = warehouse.checks.filter((check) => check.verdict === "fail").map(({ id }) => id.slice(7));
    expect(failed).toEqual([
      ...["member_year_id.required", "member_year_id.unique", "member_year_id.pattern", "mdvis.minimum"],
      ...[
        "lncoins.minimum",
        "idp.quality[0]",
        "lpi.logicalType",
        "lpi.minimum",
        "quality[0]",
        "quality[1]",
        "quality[2]",
      ],
    ]);
  });
  test("a column that is missing, and one of another type", async () => {
    const { warehouse } = await both(
      CLAIMS,
      "claims",
      `select * exclude (disea) replace (physlm::varchar as physlm) from (${real})`,
    );
    const failed = warehouse.checks.filter((check) => check.verdict === "fail").map(({ id }) => id.slice(7));
    expect(failed).toEqual(["physlm.logicalType", "disea.column"]);
  });
});

/** Every kind of check over every type; row 0 keeps all, each later row breaks something. */
const TYPES = `select * from (values
  (1, 'a', 1.5::decimal(10,2), 0.5::double, 0.1::float, true, date '2024-02-29', timestamp '2024-01-01 10:00:00', 'CH-1', 10::smallint, 'a@b.ch'),
  (2, 'é👍', 0.05::decimal(10,2), 'nan'::double, 16777216::float, false, date '2023-12-31', timestamp '2023-12-31 23:59:59.999999', 'ch-1', 7::smallint, 'no'),
  (3, '', 99.99::decimal(10,2), 'infinity'::double, 'nan'::float, null, date '2025-01-01', timestamp '2024-12-31 00:00:00', 'CH-1' || chr(10), -5::smallint, 'x@y'),
  (3, null, null, null, null, true, null, null, null, null, null),
  (9007199254740993, 'N/A', -0.01::decimal(10,2), -0.0::double, 0.3::float, true, date '1582-10-14', timestamp '1900-01-01 00:00:00', '', 100::smallint, 'é@ü.de'),
  (null, 'abcd', 1.50::decimal(10,2), 0.0::double, -0.0::float, true, date '2024-02-29', timestamp '2024-01-01 10:00:00', 'CH-12', 0::smallint, 'a b@c.de'),
  (-4, 'it''s', 100::decimal(10,2), 1e308::double, 3e38::float, false, date '9999-12-31', timestamp '2024-06-01 00:00:00', '\\n$\{x}', 5::smallint, 'a@b.c.d')
) q(i, s, d, x, f, b, day, "at", code, small, mail)`;
const EVERY = contract(`properties:
  - { name: i, logicalType: integer, required: true, unique: true, enum: [1, 2, 3, -4, 0.5], logicalTypeOptions: { minimum: -4, exclusiveMaximum: 9007199254740991, multipleOf: 2 }, quality: [ { metric: nullValues, mustBeLessThan: 10, unit: percent }, { metric: duplicateValues, mustBeLessOrEqualTo: 1 } ] }
  - { name: s, logicalType: string, required: true, unique: true, enum: [a, "é👍", "it's", "\\n\${x}"], logicalTypeOptions: { minLength: 1, maxLength: 3 }, quality: [ { metric: missingValues, arguments: { missingValues: [null, N/A, ""] }, mustBe: 3 } ] }
  - { name: d, logicalType: number, unique: true, enum: [1.5, 0.05, 100], logicalTypeOptions: { minimum: 0.05, maximum: 99.99 } }
  - { name: d2, physicalName: d, logicalTypeOptions: { multipleOf: 5, exclusiveMinimum: -0.01 } }
  - { name: x, logicalType: number, unique: true, enum: [0, 0.5, 1e308], logicalTypeOptions: { minimum: 0, maximum: 1, multipleOf: 1 } }
  - { name: f, logicalType: number, unique: true, enum: [0.1, 0.3, 16777217], logicalTypeOptions: { exclusiveMinimum: 0.1, maximum: 16777217 } }
  - { name: b, logicalType: boolean, enum: [true], quality: [ { metric: nullValues, mustBe: 0 } ] }
  - { name: day, logicalType: date, unique: true, enum: ["2024-02-29", "1582-10-14"], logicalTypeOptions: { minimum: "1582-10-14", exclusiveMaximum: "2025-01-01" } }
  - { name: at, logicalType: timestamp, unique: true, enum: ["2024-01-01T10:00:00Z"], logicalTypeOptions: { minimum: "2024-01-01", maximum: "2024-12-31 00:00:00" } }
  - { name: code, logicalType: string, logicalTypeOptions: { pattern: "^CH-[0-9]$" }, quality: [ { metric: invalidValues, arguments: { validValues: [CH-1, ""], pattern: "(?i)^ch" }, mustBe: 0 } ] }
  - { name: small, logicalType: integer, logicalTypeOptions: { format: i8, minimum: -5, maximum: 10 } }
  - { name: mail, logicalType: string, logicalTypeOptions: { format: email }, quality: [ { metric: invalidValues, arguments: { validValues: [no] }, mustBeLessThan: 50, unit: percent } ] }
  - { name: gone, logicalType: string, required: true, primaryKey: true }
quality:
  - { metric: rowCount, mustBeBetween: [1, 6] }
  - { metric: duplicateValues, arguments: { properties: [day, at] }, mustBe: 0 }
  - { metric: duplicateValues, arguments: { properties: [x, f] }, mustBeGreaterThan: 0 }
  - { type: text, description: prose }
  - { type: sql, query: "select count(*) from {object} where s = 'it''s' and i < 0", mustBe: 1 }
  - { type: sql, query: "select avg(d) from t", mustBeBetween: [33.6733, 33.674] }
  - { type: sql, query: "select sum(d) / count(d) from {table} as q where q.d > 0", mustBe: 0 }
  - { type: sql, query: "select 1.0 * count(s) / count(*) from t -- a share", mustBeGreaterThan: 0.857142857142 }
  - { type: sql, query: "select max(x) from t", mustBeLessThan: 5 }
  - { type: sql, query: "select min(f) from t", mustBe: 0 }
  - { type: sql, query: "select count(distinct s) = 6 from t", mustBe: true }
  - { type: sql, query: "with q as (select b, count(*) as n from t group by b having count(*) > 1) select max(n) from q", mustBe: 4 }
  - { type: sql, query: "select count(*) from t a join t c on a.i = c.i and a.s is distinct from c.s", mustBe: 2 }
  - { type: sql, query: "select max(i) from t", mustBe: 9007199254740991 }
  - { type: sql, query: "select count(*) from t where day between date '2024-01-01' and date '2024-12-31'", mustBe: 2 }
  - { type: sql, query: "select count(*) from t where code like 'CH-_'", mustBe: 1 }
  - { type: sql, query: "select count(*) from t where code like '%$\{x}'", mustBe: 1 }
  - { type: sql, query: "select length(s) from t where s = 'é👍'", mustBe: 2 }
  - { type: sql, query: "select i from t where false", mustBe: 0 }
  - { type: sql, query: "select s from t where i = 1", mustBe: 0 }
  - { type: sql, query: "select sum(case when b then 1 else 0 end) from t where i > 1000000", mustBe: 1 }
  - { type: sql, query: "select null", mustBe: 1 }
  - { type: sql, query: "select count(*) from t where not exists (select 1 from t as o where o.i = t.i)", mustBe: 1 }`);

const PATTERNS = [
  "a.b",
  "^AB1$",
  "\\s",
  "\\S+",
  "[^a]",
  "(?i)k",
  "(?i)[a-z]+$",
  "(?i)[^k]",
  "\\bab\\b",
  "\\Bb",
  "\\w\\W",
  "\\d{2,3}",
  "^(a|b)*c?$",
  "[[:alpha:]][[:^digit:]]",
  "[]a]",
  "[a\\-z]",
  "[\\w.-]+@",
  "a{1,2}?b",
  "(?P<n>a)b",
  "\\x41",
  "\\x{e9}",
  "(?s)a.b",
  "a&&b",
  "[a&&b]$",
  "[[]",
  "\\$\\{",
  "é",
  "^$",
  "",
  "\\.",
  "(?i:A)B",
  "x|^y",
  "\\t",
  "#",
  " ",
  "^[^\\s]+$",
  "[^\\x00-\\x7F]",
  "👍",
  "^.{2}$",
  "(|a)b",
];
const TEXTS = [
  "a\nb",
  "a\rb",
  "AB1",
  "AB1\n",
  "ab",
  "K",
  "\u212a",
  "\u017f",
  "k",
  "\u000b",
  "\t",
  " ",
  "",
  "a]",
  "[",
  "a-z",
  "z",
  "x.y@z",
  "aab",
  "\u00e9",
  "\u00c9",
  "a&&b",
  "$" + "{x}",
  "#",
  "12",
  "1234",
  "👍",
  "👍a",
  "\u2028",
  "a\u0085b",
  "xyz",
  "abc ab",
  "_",
  "é b",
  "ac",
  "bbc",
  "y",
  "0",
];

describe.skipIf(missing !== undefined)("every kind of check", { timeout: LIMIT_MS }, () => {
  test("over every type", async () => {
    const { warehouse } = await both(EVERY, "t", TYPES);
    expect(new Set(warehouse.checks.map((check) => check.kind)).size).toBe(13);
    expect(new Set(warehouse.checks.map((check) => check.verdict))).toEqual(
      new Set(["pass", "fail", "error", "not-evaluated"]),
    );
  });
  test("patterns find the same in Java's regular expressions as in RE2", async () => {
    const rules = PATTERNS.map(
      (pattern) => `{ metric: invalidValues, arguments: { pattern: ${JSON.stringify(pattern)} }, mustBe: 0 }`,
    );
    const text = contract(
      `properties:\n  - name: s\n    logicalType: string\n    quality:\n${rules.map((rule) => `      - ${rule}`).join("\n")}`,
    );
    const values = TEXTS.map((each) => `('${each.replaceAll("'", "''")}')`).join(", ");
    const { warehouse } = await both(text, "t", `select * from (values ${values}) q(s)`);
    expect(warehouse.checks.filter((check) => check.kind === "metric" && check.verdict === "error")).toEqual([]);
  });
});

const NAMES = [
  "a b",
  "select",
  "`",
  "a`b",
  'a"b',
  "a'b",
  "名前",
  "👍",
  "--",
  "/*",
  "; drop table x",
  "\\",
  "a.b",
  "c0",
  "t",
  "members",
  "x y\tz",
  "(",
  "{object}",
  "é",
  "1e5",
  "count(*)",
];

describe.skipIf(missing !== undefined)("hostile names", { timeout: LIMIT_MS }, () => {
  test("of columns, of the table, and in a query over all of them", async () => {
    const quoted = (n: string) => `"${n.replaceAll('"', '""')}"`;
    const rules = NAMES.map(
      (n, i) =>
        `  - { name: ${JSON.stringify(n)}, logicalType: integer, required: true, unique: ${i % 6 === 0}, logicalTypeOptions: { minimum: -3, maximum: 5 } }`,
    );
    // Within a query the placeholder is replaced wherever it stands, in a name too.
    const query = `select count(*) from {object} where ${NAMES.filter((n) => n !== "{object}")
      .map((n) => `${quoted(n)} < 0`)
      .join(" and ")}`;
    const text = contract(
      `physicalName: select\nproperties:\n${rules.join("\n")}\nquality:\n  - { type: sql, query: ${JSON.stringify(query)}, mustBe: 1 }`,
      "a`b \"c\" 'd' select",
    );
    const columns = NAMES.map((n) => `v::bigint as ${quoted(n)}`).join(", ");
    const select = `select ${columns} from (values (1), (-3), (9), (9)) q(v)`;
    const { warehouse } = await both(text, "select", select);
    expect(warehouse.checks.filter((check) => check.verdict === "fail")).toHaveLength(NAMES.length + 4);
    expect(warehouse.checks.at(-1)).toMatchObject({ kind: "sql", verdict: "pass" });
  });
  test("one rule that the warehouse refuses takes no other with it", async () => {
    const text = contract(`properties:
  - { name: k, logicalType: string, required: true, unique: true }
quality:
  - { type: sql, query: "select abs(k) from {object}", mustBe: 0, name: broken }
  - { type: sql, query: "select k from {object}", mustBe: 0, name: rows }
  - { type: sql, query: "select count(*) from salaries", mustBe: 0, name: foreign }
  - { type: sql, query: "select count(*) from {object}", mustBe: 2 }`);
    await world.lay("t", "select * from (values ('a'), ('b')) q(k)");
    const report = await world.byTable(text);
    const found = report.checks.map(({ label, verdict }) => [label, verdict]);
    expect(found.slice(-4).map(([, verdict]) => verdict)).toEqual(["error", "error", "error", "pass"]);
    expect(report.checks.find((check) => check.label === "foreign")?.found).toMatch(
      /salaries.*not the contract's table/,
    );
    expect(report).toMatchObject({ verdict: "error", source: { rows: 2 } });
    expect(found.filter(([, verdict]) => verdict === "pass")).toHaveLength(6);
  });
  test.each([
    ["no such table", "nowhere", /cannot be read as a Delta table/],
    ["a view", "v", /cannot be read as a Delta table/],
  ])("%s is an error that says so", async (_name, table, message) => {
    await world.sql([`create or replace view spark_catalog.${world.schema}.v as select 1 as k`]);
    const check = world.byTable(contract("properties:\n  - { name: k, required: true }", table));
    await expect(check).rejects.toMatchObject({ code: "data.table", exit: 4, message: expect.stringMatching(message) });
  });
});
