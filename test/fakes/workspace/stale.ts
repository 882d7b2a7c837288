import { type Fault, isRoute } from "./faults.ts";
import { type Match, nameOf } from "./match.ts";
import type { State } from "./state.ts";

interface Behind {
  state: State;
  fault: Fault;
  left: number;
  until: number;
}

/** Reads that stay behind the writes for a while: each write under a `stale` fault leaves a copy of the state from before it. */
export class StaleReads {
  private readonly copies: Behind[] = [];

  remember(state: State, fault: Fault, now: number): void {
    this.copies.push({
      state: state.copy(),
      fault,
      left: fault.reads ?? (fault.delayMs === undefined ? 1 : Number.POSITIVE_INFINITY),
      until: fault.delayMs === undefined ? Number.POSITIVE_INFINITY : now + fault.delayMs,
    });
  }

  /** The state that a read sees: the oldest copy that still holds for its route, else the live one. */
  stateFor(match: Match, live: State, now: number): State {
    if (!["GET", "HEAD"].includes(match.route.method)) return live;
    for (const copy of this.copies) {
      if (copy.left <= 0 || copy.until <= now) continue;
      if (copy.fault.readRoute !== undefined && !isRoute(nameOf(match.route), copy.fault.readRoute)) continue;
      copy.left--;
      return copy.state;
    }
    return live;
  }
}
