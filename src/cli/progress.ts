import type { Report, TaskEvent } from "../lib/progress.ts";
import { stripControls } from "../lib/redact.ts";
import { count, MARK, type Style, seconds } from "./style.ts";

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_MS = 90;
/** Without a terminal a running task says so again this often, so that a CI log shows life. */
const HEARTBEAT_MS = 15_000;

export interface ProgressSink {
  write(text: string): void;
  terminal: boolean;
  columns(): number;
}

export interface Progress {
  report: Report;
  /** Clears what is drawn; called before anything else is written. */
  stop(): void;
  /** The same for good: what still runs when the command failed says nothing below the error. */
  end(): void;
}

interface OpenTask {
  label: string;
  startedMs: number;
  total?: number;
  unit?: string;
  done?: number;
  detail?: string;
}

/** Draws task events on stderr: a spinner with a measure on a terminal, start and end lines elsewhere. */
export function drawProgress(sink: ProgressSink, style: Style, now: () => number): Progress {
  const open = new Map<string, OpenTask>();
  let timer: NodeJS.Timeout | undefined;
  let frame = 0;
  let drawn = false;
  let ended = false;

  const clear = (): void => {
    if (drawn) sink.write("\r\u001b[2K");
    drawn = false;
  };
  const draw = (): void => {
    const current = [...open.values()].at(-1);
    if (current === undefined) return;
    clear();
    const line = `  ${FRAMES[frame++ % FRAMES.length]} ${describe(current)}  ${seconds(now() - current.startedMs)}`;
    sink.write(style.dim([...line].slice(0, Math.max(20, (sink.columns() || 80) - 1)).join("")));
    drawn = true;
  };
  const beat = (): void => {
    for (const task of open.values())
      sink.write(style.dim(`  … ${describe(task)}  ${seconds(now() - task.startedMs)}\n`));
  };
  const tick = (): void => {
    timer ??= setInterval(sink.terminal ? draw : beat, sink.terminal ? FRAME_MS : HEARTBEAT_MS);
    timer.unref();
  };
  const stop = (): void => {
    clear();
    if (open.size === 0 && timer !== undefined) {
      clearInterval(timer);
      timer = undefined;
    }
  };

  const report = (event: TaskEvent): void => {
    if (ended) return;
    switch (event.type) {
      case "task.started":
        open.set(event.task, {
          label: event.label,
          startedMs: now(),
          ...(event.total !== undefined && { total: event.total }),
          ...(event.unit !== undefined && { unit: event.unit }),
        });
        if (!sink.terminal) sink.write(style.dim(`  … ${event.label}\n`));
        tick();
        return;
      case "task.advanced": {
        const task = open.get(event.task);
        if (task === undefined) return;
        task.done = event.done;
        if (event.detail !== undefined) task.detail = event.detail;
        return;
      }
      case "task.finished": {
        const task = open.get(event.task);
        open.delete(event.task);
        stop();
        if (task === undefined) return;
        const took = now() - task.startedMs;
        if (event.outcome === "failed") sink.write(`  ${style.bad(MARK.fail)} ${task.label}\n`);
        else if (took >= 1000)
          sink.write(
            style.dim(`  ${MARK.pass} ${[task.label, event.detail].filter(Boolean).join("  ")}  ${seconds(took)}\n`),
          );
        return;
      }
      case "note":
        clear();
        sink.write(
          event.tone === "warning"
            ? `  ${style.warn(MARK.note)} ${stripControls(event.text)}\n`
            : style.dim(`  ${stripControls(event.text)}\n`),
        );
        return;
      default:
        event satisfies never;
    }
  };
  const clearAll = (): void => {
    open.clear();
    stop();
  };
  return {
    report,
    stop: clearAll,
    end() {
      clearAll();
      ended = true;
    },
  };
}

function describe(task: OpenTask): string {
  return [task.label, measureOf(task), task.detail]
    .filter((part) => part !== undefined && part !== "")
    .map((part) => stripControls(String(part)))
    .join("  ");
}

function measureOf({ done, total, unit }: OpenTask): string {
  if (done === undefined || (done === 0 && total === undefined)) return "";
  return total === undefined ? amount(done, unit) : `${amount(done, unit)} of ${amount(total, unit)}`;
}

function amount(n: number, unit: string | undefined): string {
  if (unit === "bytes") return n < 1 << 20 ? `${count(Math.round(n / 1024))} KiB` : `${(n / (1 << 20)).toFixed(1)} MiB`;
  return unit === undefined || unit === "steps" ? count(n) : `${count(n)} ${unit}`;
}
