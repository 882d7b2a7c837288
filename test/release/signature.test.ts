import { describe, expect, test } from "vitest";
import { rowOf } from "../../src/release/scoring-request.ts";
import { compareSignatures, inputsOf } from "../../src/release/signature.ts";

// Signatures as MLflow 3 writes them (`Schema.to_json`), and requests that its scoring server takes for them.

const double = { type: "double" };
const AMOUNT = { ...double, name: "amount", required: true };
const NOTE = { type: "string", name: "note", required: false };
const listOf = (items: object) => ({ type: "array", items, name: "xs", required: true });
const claim = (properties: object) => ({ type: "object", properties, name: "claim", required: true });
const tensor = (dtype: string, shape: readonly number[], name?: string) => ({
  ...(name !== undefined && { name }),
  type: "tensor",
  "tensor-spec": { dtype, shape },
});
const stated = (...columns: object[]) => inputsOf(JSON.stringify(columns));

describe("callers of the version that serves now could go back", () => {
  type Case = [what: string, now: object[], target: object[], verdict: string];
  const place = { type: "string", required: true };
  test.each<Case>([
    ["to the same inputs", [AMOUNT], [AMOUNT], "compatible"],
    ["to fewer", [AMOUNT, NOTE], [AMOUNT], "compatible"],
    ["to more that may be left out", [AMOUNT], [AMOUNT, NOTE], "compatible"],
    ["to more that may not", [AMOUNT], [AMOUNT, { ...NOTE, required: true }], "not compatible"],
    ["to another type", [AMOUNT], [{ ...AMOUNT, type: "string" }], "not compatible"],
    ["to the same lists", [listOf(double)], [listOf(double)], "compatible"],
    ["to lists of something else", [listOf(double)], [listOf({ type: "string" })], "not compatible"],
    ["to lists of lists", [listOf(double)], [listOf({ type: "array", items: double })], "not compatible"],
    ["to the same objects", [claim({ place, sum: double })], [claim({ sum: double, place })], "compatible"],
    ["to objects with other properties", [claim({ place })], [claim({ place, sum: double })], "not compatible"],
    [
      "to maps of something else",
      [{ type: "map", values: double, name: "m" }],
      [{ type: "map", values: { type: "long" }, name: "m" }],
      "not compatible",
    ],
    ["to tensors of the same shape", [tensor("float64", [-1, 4])], [tensor("float64", [-1, 4])], "compatible"],
    ["to tensors of another shape", [tensor("float64", [-1, 9])], [tensor("float64", [-1, 4])], "not compatible"],
    ["to tensors of other numbers", [tensor("float64", [-1, 4])], [tensor("int64", [-1, 4])], "not compatible"],
  ])("%s", (_, now, target, verdict) => {
    expect(compareSignatures(stated(...now), stated(...target))).toBe(verdict);
  });

  test.each([undefined, "", "[]", "{}", "not JSON", '[{"name":"amount"}]', '[{"type":7}]'])(
    "%j says nothing",
    (text) => {
      expect(inputsOf(text)).toBeUndefined();
      expect(compareSignatures(stated(AMOUNT), inputsOf(text))).toBe("not stated");
      expect(compareSignatures(inputsOf(text), stated(AMOUNT))).toBe("not stated");
    },
  );
});

describe("a request for the inputs of a signature", () => {
  const requestFor = (...columns: object[]) => rowOf(stated(...columns) ?? []);

  test("has a value of the type of each column", () => {
    const types = ["double", "float", "long", "integer", "string", "binary", "boolean", "datetime"];
    const columns = types.map((type) => ({ type, name: type, required: true }));
    const data = [[0.5, 0.5, 1, 1, "", "", false, "2000-01-01T00:00:00"]];
    expect(requestFor(...columns, NOTE)).toEqual({ dataframe_split: { columns: types, data } });
    expect(requestFor(double, { type: "long" })).toMatchObject({ dataframe_split: { data: [[0.5, 1]] } });
  });

  test("has lists, objects and maps where they are asked for", () => {
    const properties = { place: { type: "string", required: true }, sum: { type: "double", required: false } };
    const columns = [
      { ...listOf(double), name: "xs" },
      { ...listOf({ type: "array", items: { type: "long" } }), name: "xss" },
      claim(properties),
      { type: "map", values: { type: "long" }, name: "m", required: true },
    ];
    expect(requestFor(...columns)).toEqual({
      dataframe_split: { columns: ["xs", "xss", "claim", "m"], data: [[[0.5], [[1]], { place: "" }, { key: 1 }]] },
    });
  });

  test("has tensors in their shape, one of them by itself", () => {
    expect(requestFor(tensor("float64", [-1, 3]))).toEqual({ inputs: [[0.5, 0.5, 0.5]] });
    expect(requestFor(tensor("float32", [-1, 2], "a"), tensor("uint8", [-1], "b"))).toEqual({
      inputs: { a: [[0.5, 0.5]], b: [1] },
    });
    // Whoever has such inputs logs an example.
    expect(requestFor(tensor("float32", [-1, 4000, 4000]))).toBeUndefined();
  });
});
