import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../support/paths.ts";
import { judgedRoutes } from "./judged.ts";
import { nameOf, Router } from "./match.ts";
import { ROUTES } from "./routes.ts";

test("the routes have one name each, and say where they were read", () => {
  expect(() => new Router(ROUTES)).not.toThrow();
  expect(ROUTES.filter((route) => route.cites.length < 4).map(nameOf)).toEqual([]);
});

test("the lists of the judges name routes that exist", () => {
  const names = new Set(ROUTES.map(nameOf));
  const judged = judgedRoutes();
  expect([...judged].filter((route) => !names.has(route))).toEqual([]);
  expect(judged.size).toBeGreaterThan(40);
});

test("docs/not-judged.md lists every route that no outside client has called", async () => {
  const judged = judgedRoutes();
  const left = ROUTES.filter((route) => !judged.has(nameOf(route)));
  const lines = left.map((route) => `| \`${nameOf(route)}\` | ${route.cites.replaceAll("|", "\\|")} |`).sort();
  const text = [
    "# Not judged from outside",
    "",
    "factory is tested against a stand-in for a Databricks workspace. Most of its routes are also driven by the official Python clients, `databricks-sdk` and `mlflow`,",
    "in the same tests, so that a misreading of ours would show. These are not: no outside client in our tests calls them. That they are as Databricks has them rests on the source alone.",
    "",
    `${ROUTES.length - left.length} of ${ROUTES.length} routes are judged; these ${left.length} are not.`,
    "",
    "| Route | Where its shape was read |",
    "| --- | --- |",
    ...lines,
    "",
  ].join("\n");
  await expect(text).toMatchFileSnapshot(join(root, "docs/not-judged.md"));
});
