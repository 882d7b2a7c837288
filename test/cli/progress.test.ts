import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { drawProgress } from "../../src/cli/progress.ts";
import { makeStyle } from "../../src/cli/style.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test.each([true, false])("nothing is drawn below an error by what still runs; on a terminal: %s", (terminal) => {
  const written: string[] = [];
  const progress = drawProgress(
    { write: (text) => written.push(text), terminal, columns: () => 80 },
    makeStyle(false, 80),
    () => Date.now(),
  );
  progress.report({ type: "task.started", task: "a", label: "fetching one" });
  vi.advanceTimersByTime(20_000);
  expect(written.join("")).toContain("fetching one");
  progress.end();
  written.length = 0;
  progress.report({ type: "task.started", task: "b", label: "fetching another" });
  progress.report({ type: "task.finished", task: "a", outcome: "failed" });
  progress.report({ type: "note", tone: "warning", text: "too late" });
  vi.advanceTimersByTime(20_000);
  expect(written).toEqual([]);
});

test("what is cleared for a moment goes on afterwards", () => {
  const written: string[] = [];
  const progress = drawProgress(
    { write: (text) => written.push(text), terminal: false, columns: () => 80 },
    makeStyle(false, 80),
    () => Date.now(),
  );
  progress.stop();
  progress.report({ type: "task.started", task: "b", label: "fetching another" });
  expect(written.join("")).toContain("fetching another");
  progress.end();
});
