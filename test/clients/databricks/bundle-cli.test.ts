import { expect, test } from "vitest";
import { variableFlags } from "../../../src/clients/databricks/bundle-cli.ts";

test("variables are given one by one", () => {
  expect(variableFlags({ model_version: "7", commit: "c".repeat(40) })).toEqual([
    "--var",
    "model_version=7",
    "--var",
    `commit=${"c".repeat(40)}`,
  ]);
});

test.each(["c,catalog=other", 'c"', "c\ncatalog=other", "c\r"])(
  "a value that the program would split is refused: %j",
  (commit) => {
    expect(() => variableFlags({ commit })).toThrow(expect.objectContaining({ code: "deploy.variable", exit: 2 }));
  },
);
