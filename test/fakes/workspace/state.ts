import { deserialize, serialize } from "node:v8";
import { type Blobs, memoryBlobs } from "./blobs.ts";

/** A part of the state that one area of the API keeps. Sections hold plain values, Maps and Sets; bytes of files go to `state.blobs`. */
export interface Section<T extends object> {
  readonly name: string;
  of(state: State): T;
}

/**
 * Names a section; `make` gives what it starts with. Use: `const serving = defineSection("serving", () => ({ endpoints: new Map<string, Endpoint>() }))`,
 * then `serving.of(ask.state).endpoints`. Sections are copied for eventual reads and saved with the sandbox, hence plain values only.
 */
export function defineSection<T extends object>(name: string, make: () => T): Section<T> {
  const known = new WeakMap<State, T>();
  return {
    name,
    of(state) {
      const present = known.get(state);
      if (present !== undefined) return present;
      const section = Object.assign(make(), state.saved(name));
      known.set(state, section);
      state.keep(name, section);
      return section;
    },
  };
}

/** Everything that a workspace (and its metastore) knows. */
export class State {
  private readonly kept = new Map<string, object>();

  constructor(
    readonly blobs: Blobs = memoryBlobs(),
    private readonly before: ReadonlyMap<string, object> = new Map(),
  ) {}

  /** What a section held when this state was saved or copied. */
  saved(name: string): object | undefined {
    return this.before.get(name);
  }

  keep(name: string, section: object): void {
    this.kept.set(name, section);
  }

  /** The state as it is now, apart from this one; the bytes of files are shared, since they never change. */
  copy(): State {
    return new State(this.blobs, readSections(this.bytes()));
  }

  bytes(): Buffer {
    return serialize(new Map([...this.before, ...this.kept]));
  }

  static from(bytes: Buffer, blobs: Blobs): State {
    return new State(blobs, readSections(bytes));
  }
}

function readSections(bytes: Buffer): Map<string, object> {
  const value: unknown = deserialize(bytes);
  const sections = new Map<string, object>();
  if (!(value instanceof Map)) throw new Error("the saved state of the workspace cannot be read");
  for (const [name, section] of value) {
    if (typeof name === "string" && typeof section === "object" && section !== null) sections.set(name, section);
  }
  return sections;
}
