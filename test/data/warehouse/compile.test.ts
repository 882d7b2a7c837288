import { describe, expect, test } from "vitest";
import { readContract } from "../../../src/contracts/read-contract.ts";
import { bindColumns } from "../../../src/data/bind-columns.ts";
import { joinParts, partsOf } from "../../../src/data/compile-table.ts";
import { databricksDialect as dialect } from "../../../src/data/dialects/databricks.ts";
import { javaPattern } from "../../../src/data/dialects/java-pattern.ts";
import { warehouseQuery } from "../../../src/data/dialects/sql-rule.ts";
import { answerCell } from "../../../src/data/measure-table.ts";
import { planChecks } from "../../../src/data/plan.ts";
import { tableName } from "../../../src/data/table-name.ts";
import { contract } from "../harness.ts";

/** The one statement that a contract becomes for a table with these columns. */
function compiled(body: string, columns: Record<string, string>, name = "t"): string {
  const read = readContract(contract(body, name), "c.odcs.yaml");
  const [table] = read.document.schema;
  if (table === undefined) throw new Error("no table");
  const found = {
    format: "table" as const,
    columns: Object.entries(columns).map(([column, type]) => ({ name: column, type })),
  };
  const source = { name: ["cat", "a`b", "t"], version: 7, table: found };
  const bound = [...bindColumns(table, found).values()].flatMap((each) => ("column" in each ? [each.column] : []));
  const { scan, others, refused } = partsOf(source, planChecks(read, table, found), [name]);
  expect([...refused.values()]).toEqual([]);
  return joinParts(source, [scan, ...others], { names: [name], columns: bound }).sql;
}

describe("the statement", () => {
  test("reads one version, names no column of the data, gives text only", () => {
    const sql = compiled(
      'properties:\n  - { name: "x` y", required: true, unique: true, logicalTypeOptions: { maximum: -4.5 } }',
      {
        "x` y": "double",
        other: "string",
      },
    );
    expect(sql).toBe(
      "select p0.a0 as p0_a0, p0.a1 as p0_a1, p0.a2 as p0_a2, p0.a3 as p0_a3, p0.a4 as p0_a4, p1.a0 as p1_a0, p1.a1 as p1_a1, p1.a2 as p1_a2 from " +
        "(select cast(count(*) as STRING) as a0, cast(count(c0) as STRING) as a1, cast(coalesce(count_if((c0 is null)), 0) as STRING) as a2, " +
        "cast(count(c0) as STRING) as a3, cast(coalesce(count_if((c0 is not null and not coalesce((not isnan(c0) and (c0 <= cast('-4.5' as DOUBLE))), false))), 0) as STRING) as a4 " +
        "from (select c0 from `cat`.`a``b`.`t` version as of 7 as s(c0, c1)) as t) as p0 cross join " +
        "(select cast(coalesce(sum(members), 0) as STRING) as a0, cast(coalesce(sum(members - 1), 0) as STRING) as a1, cast(coalesce(sum(case when members > 1 then members end), 0) as STRING) as a2 " +
        "from (select count(*) as members from (select c0 from `cat`.`a``b`.`t` version as of 7 as s(c0, c1)) as t where (c0 is not null) group by c0) as g) as p1",
    );
  });
  test("a query sees the table under the contract's names", () => {
    const sql = compiled(
      'properties:\n  - { name: k, physicalName: kk }\nquality:\n  - { type: sql, query: "select avg(k) / 2 from {object}", mustBe: 0 }',
      { kk: "int" },
      "a`b",
    );
    expect(sql).toContain(
      "with `a``b` as (select c0 as `k` from (select c0 from `cat`.`a``b`.`t` version as of 7 as s(c0)) as t) select",
    );
    expect(sql).toContain("(select avg(cast(( `k` ) as DOUBLE)) / cast( 2 as DOUBLE) from `a``b`) as q(v)");
  });
  test("text is compared by its bytes: no padding, no collation", () => {
    const sql = compiled("properties:\n  - { name: a, enum: [x] }\n  - { name: b, enum: [y] }", {
      a: "char(5)",
      b: "string collate UTF8_LCASE",
    });
    expect(sql).toContain("select cast(c0 as STRING) as c0, collate(c1, 'UTF8_BINARY') as c1 from");
  });
});

describe("literals", () => {
  test.each([
    ["a'b", "'a\\'b'"],
    ["\\", "'\\\\'"],
    ["a\r\nb", "'a\\r\\nb'"],
    [["$", "{env:HOME}"].join(""), "'$\\u007benv:HOME}'"],
  ])("%j is %s", (value, sql) => {
    expect(dialect.text(value)).toBe(sql);
  });
  test("a moment does not depend on the zone of the session", () => {
    const column = { name: "a", position: 0, family: "timestamp" as const, fromText: false };
    expect(dialect.moment("2024-01-01T10:00Z", { ...column, type: "timestamp" })).toBe(
      "cast('2024-01-01 10:00:00+00:00' as TIMESTAMP)",
    );
    expect(dialect.moment("2024-01-01", { ...column, type: "timestamp_ntz" })).toBe(
      "cast('2024-01-01 00:00:00' as TIMESTAMP_NTZ)",
    );
  });
  test.each(["2024", "2024-02-30", "2024-1-1", "2024-01-01 10:00", "now"])(
    "%j as a limit of days is refused",
    (value) => {
      const column = { name: "a", position: 0, family: "date" as const, fromText: false, type: "date" };
      expect(dialect.refuses(column, { is: "outside", low: { value, exclusive: false } })).toMatch(
        /write it as 2026-11-30/,
      );
    },
  );
  test.each(["2024-01-01T10:00:00+02:00", "2024-01-01T25:00:00Z", "2024-01-01 10"])(
    "%j as a limit of moments is refused",
    (value) => {
      const column = { name: "a", position: 0, family: "timestamp" as const, fromText: false, type: "timestamp" };
      expect(dialect.refuses(column, { is: "outside", high: { value, exclusive: false } })).toMatch(/in UTC/);
    },
  );
});

describe("patterns that no two engines read alike", () => {
  test.each([
    "\\pL",
    "(?m)^a",
    "(?U)a*",
    "(?i)é",
    "(?i)[à-ü]",
    "\\141",
    "\\Qa\\E",
    "a{",
    "a{,5}",
    "(?=a)",
    "(?<n>a)",
    "a**",
    "a{1001}",
    "(a{100}){11}",
    "a{3,1}",
    "*",
    "a|*",
    "[z-a]",
    "[a",
    "(a",
    "a)",
    "\\",
    "\\y",
    "[a-b-c]",
    "[[:foo:]]",
    "[a-\\d]",
    "\\1",
    "^*",
  ])("%s is refused", (pattern) => {
    expect(javaPattern(pattern)).toMatchObject({ reason: expect.any(String) });
  });
});

describe("queries that a warehouse must not run", () => {
  test.each([
    "select count(*) from other",
    "select count(*) from cat.hr.salaries",
    "select count(*) from t.x",
    "select count(*) from t, other",
    "select count(*) from t join other on true",
    "select count(*) from (select 1 from other)",
    "select (select max(pay) from salaries) from t",
    "select count(*) from read_files('s3://x')",
    "select count(*) from parquet.`/etc`",
    "select secret('a', 'b') from t",
    "select reflect('java.lang.System', 'exit', '0')",
    "select http_request('x')",
    "select 1) as q(v) cross join (select 2",
    "select 1; drop table t",
    "drop table t",
    "with t as (select 1) select * from t",
    "select max(pay) as distinct from cat.hr.salaries",
    "select count(*) from t cross join (select pay as distinct from cat.hr.salaries) q",
    "select count(*) distinct from salaries",
    "select is distinct from salaries",
    "select max(s.distinct) from t as s where s.distinct from salaries",
    "select s.is distinct from salaries s",
    "select s.is not distinct from salaries s",
    "select count(*) from t as having, salaries",
    "select count(*) from t where, salaries",
    "select count(*) from t where (a), salaries",
    "select count(*) from t as group, salaries",
    "select count(*) from (select 1 from t) select, salaries",
    "with a as (select 1 from t) select count(*) from (select 1 from t) select, salaries",
    "select count(*) from t join (with hr as (select 1 as a from t) select a from hr) q on true join hr on true",
    "select count(*) from t where exists (with q as (select 1 from t) select 1 from q)",
    "with a as (select * from b), b as (select 1 as x) select count(*) from a",
    "with salaries as (select * from salaries) select count(*) from salaries",
    "with a as (select 1 from t), a as (select 2 from t) select count(*) from a",
    "with a as (select 1 from t) with b as (select 1 from t) select count(*) from b",
    "select count(*) from t where x::int > 1",
    "select count(*) from t where a // b = 1",
    "select count(*) from t where a || b = 'x'",
    "select count(*) from t where a like 'x\\_'",
    "select count(*) from t where a like b",
    "select count(*) from t order by 1",
    "select count(*) from t anti join t as o on o.a = t.b",
    "select count(*) from t natural join t as o",
    "select count(distinct a, b) from t",
    "select avg(distinct a) from t",
    "select 1 /* open",
    "select 'open",
    'select "open',
    "select 'a' 'b'",
    "select timestamp '2024-01-01 00:00:00'",
    "select 1 / -3 from t",
    `select "${["$", "{x}"].join("")}" from t`,
    "select `a` from t",
    "select $1 from t",
    "select ? from t",
  ])("%s", (sql) => {
    expect(warehouseQuery(sql, ["t"])).toMatchObject({ reason: expect.any(String) });
  });
});

describe("queries that a warehouse runs", () => {
  test.each([
    "select count(*) from t where a is distinct from b",
    "select count(*) from t where (a) is not distinct from null",
    "select count(*) from t where null is distinct from a and end_day is not distinct from b",
    "select count(distinct a) from (select distinct a, b from t) as q",
    "select a from t union distinct select b from t except all select 1, 2",
    "select max(n) from (select a, b, count(*) as n from t where a in (1, 2) group by a, b having count(*) > 1) as q",
    "select count(*) from t as o left join t as p on o.a = p.a where exists (select 1, 2 from t)",
    "with q as (select a from t), r as (select a from q join t on true) select count(*) from r join q using (a)",
    'with "a b" as (select 1 as x from t) select count(*) from (select x from "a b") as s',
  ])("%s", (sql) => {
    expect(warehouseQuery(sql, ["t"])).toEqual({ sql: expect.any(String) });
  });
  test("and where WITH is not understood, that is said", () => {
    expect(warehouseQuery("select 1 from (with q as (select 1 from t) select 1 from q)", ["t"])).toEqual({
      reason: "WITH is understood at the beginning of the query only",
    });
  });
});

describe("which table", () => {
  const at = (head: string, body = "") =>
    tableName(
      readContract(
        contract("properties: []").replace('schema:\n  - name: "t"', `${body}schema:\n  - name: "t"\n${head}`),
        "c",
      ),
      readContract(
        contract("properties: []").replace('schema:\n  - name: "t"', `${body}schema:\n  - name: "t"\n${head}`),
        "c",
      ).document.schema[0] ?? { name: "" },
      { catalog: "acme_dev", schema: "claims" },
    ).join(" | ");
  test.each([
    ["", "", "acme_dev | claims | t"],
    ["    physicalName: raw", "", "acme_dev | claims | raw"],
    ["    physicalName: other.raw", "", "acme_dev | other | raw"],
    ["    physicalName: acme_dev.other.raw", "", "acme_dev | other | raw"],
    ["    physicalName: '`a.b`.`c``d`'", "", "acme_dev | a.b | c`d"],
    ["", "servers: [{ server: prod, type: databricks, schema: gold }]\n", "acme_dev | gold | t"],
    [
      "",
      "servers: [{ server: a, type: databricks, schema: gold }, { server: b, type: databricks, schema: silver }]\n",
      "acme_dev | claims | t",
    ],
    ["", "servers: [{ server: a, type: postgres, schema: gold }]\n", "acme_dev | claims | t"],
  ])("%j %j: %s", (head, servers, name) => {
    expect(at(head, servers)).toBe(name);
  });
  test.each(["acme_prod.other.raw", "a.b.c.d", "a..b", "`a", "'a.$\\{x}'"])("%s is refused", (name) => {
    expect(() => at(`    physicalName: ${JSON.stringify(name.replace("\\", ""))}`)).toThrow(/the table/);
  });
});

test.each([
  ["bigint:42", 42],
  ["bigint:9007199254740993", 9007199254740993n],
  ["decimal(6,5):0.20345", 0.20345],
  ["double:1.0E20", 1e20],
  ["double:NaN", Number.NaN],
  ["float:0.1", Math.fround(0.1)],
  ["boolean:true", true],
  ["string:5", "5"],
  [null, null],
])("the answer %s", (text, cell) => {
  expect(answerCell(text)).toEqual(cell);
});
