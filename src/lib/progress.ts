/** What long work reports while it runs; `cli/` decides how it looks. One task id is open at a time per caller. */
export type TaskEvent =
  | { type: "task.started"; task: string; label: string; total?: number; unit?: "bytes" | "rows" | "steps" | "files" }
  | { type: "task.advanced"; task: string; done: number; detail?: string }
  | { type: "task.finished"; task: string; outcome: "done" | "failed"; detail?: string }
  | { type: "note"; text: string; tone: "info" | "warning" };

export type Report = (event: TaskEvent) => void;

/** Runs the work inside a reported task; a throw is reported as failed and passed on. */
export async function withTask<T>(
  report: Report,
  task: string,
  label: string,
  work: (advance: (done: number, detail?: string) => void) => Promise<T>,
  measure: { total?: number; unit?: "bytes" | "rows" | "steps" | "files" } = {},
): Promise<T> {
  report({ type: "task.started", task, label, ...measure });
  try {
    const result = await work((done, detail) =>
      report({ type: "task.advanced", task, done, ...(detail !== undefined && { detail }) }),
    );
    report({ type: "task.finished", task, outcome: "done" });
    return result;
  } catch (error) {
    report({ type: "task.finished", task, outcome: "failed" });
    throw error;
  }
}
