import type { Match } from "./match.ts";
import { nameOf } from "./match.ts";

/** Something that goes wrong, at chosen requests. */
export interface Fault {
  /**
   * - `status`: an error instead of the answer. - `reset`: the connection breaks. - `html`: a page instead of JSON. - `truncate`: the answer's JSON is cut.
   * - `slow`: the answer drips. - `hang`: no answer ever. - `expire`: the token that was sent has expired from now on. - `stale`: chosen reads don't see a write for a while.
   */
  kind: "status" | "reset" | "html" | "truncate" | "slow" | "hang" | "expire" | "stale";
  /** `before` the route acts (default), or `after`: the effect happened, the reply is lost. For `status`, `reset`, `html` and `hang`. */
  when?: "before" | "after";
  /** Of `status` (default 503) and `html` (default 200). */
  status?: number;
  /** Seconds (a number) or the header's own text. */
  retryAfter?: number | string;
  /** What the body of `status` says; default: the code that goes with the status. */
  errorCode?: string;
  message?: string;
  /** Of `truncate`: `body` ends a well-formed reply early, `connection` breaks within the announced length. */
  cut?: "body" | "connection";
  /** Of `slow`: milliseconds between pieces, and how many pieces; of `stale`: how long reads stay behind. */
  delayMs?: number;
  pieces?: number;
  /** Of `stale`: how many reads stay behind (default 1; with `delayMs` alone: no limit), and which ones: a route, as `route`. `route` and `method` choose the writes. */
  reads?: number;
  readRoute?: string;

  /** Which requests: the name of a route (`POST /api/2.0/…/create`), or a part of it; absent: all. */
  route?: string;
  method?: string;
  /** A part of the path as sent. */
  path?: string;
  /** Name of the principal. */
  principal?: string;
  /** From which matching request on, 1-based (default 1). */
  nth?: number;
  /** How many times in a row (default 1; 0: for ever). */
  times?: number;
  /** 0 to 1: each matching request by chance, from the seed. */
  chance?: number;
}

export interface FaultHandle {
  readonly id: number;
  readonly fault: Fault;
  /** Requests that matched, and those that the fault struck. */
  matched: number;
  struck: number;
  clear(): void;
}

/** Decides which request which fault strikes. */
export class Faults {
  private readonly active: FaultHandle[] = [];
  private readonly random: () => number;
  private next = 1;

  constructor(seed: number) {
    this.random = seeded(seed);
  }

  add(fault: Fault): FaultHandle {
    const handle: FaultHandle = {
      id: this.next++,
      fault,
      matched: 0,
      struck: 0,
      clear: () => {
        const at = this.active.indexOf(handle);
        if (at >= 0) this.active.splice(at, 1);
      },
    };
    this.active.push(handle);
    return handle;
  }

  clear(): void {
    this.active.length = 0;
  }

  list(): readonly FaultHandle[] {
    return this.active;
  }

  /** The fault that strikes this request, if any: the first set whose turn it is. */
  strike(request: Asked): FaultHandle | undefined {
    let chosen: FaultHandle | undefined;
    for (const handle of this.active) {
      if (!matches(handle.fault, request)) continue;
      handle.matched++;
      if (chosen === undefined && this.isDue(handle)) chosen = handle;
    }
    if (chosen !== undefined) chosen.struck++;
    return chosen;
  }

  private isDue({ fault, matched, struck }: FaultHandle): boolean {
    if (matched < (fault.nth ?? 1)) return false;
    const times = fault.times ?? (fault.chance === undefined ? 1 : 0);
    if (times !== 0 && struck >= times) return false;
    return fault.chance === undefined || this.random() < fault.chance;
  }
}

export interface Asked {
  method: string;
  path: string;
  match: Match | undefined;
  principal: string | undefined;
}

function matches(fault: Fault, asked: Asked): boolean {
  const name = asked.match === undefined ? undefined : nameOf(asked.match.route);
  if (fault.route !== undefined && !isRoute(name, fault.route)) return false;
  if (fault.method !== undefined && fault.method.toUpperCase() !== asked.method) return false;
  if (fault.path !== undefined && !asked.path.includes(fault.path)) return false;
  if (fault.kind === "stale" && ["GET", "HEAD"].includes(asked.method)) return false;
  return fault.principal === undefined || fault.principal === asked.principal;
}

/** Whether a route's name holds the text that a fault or a count names. */
export const isRoute = (name: string | undefined, asked: string): boolean => name?.includes(asked) ?? false;

/** Mulberry32: small, and the same everywhere. */
export function seeded(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = a;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
