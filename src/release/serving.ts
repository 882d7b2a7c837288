/** A version of the model behind an endpoint, and its share of requests in percent. */
export interface Served {
  version: string;
  traffic: number;
}

export interface EndpointState {
  /** What answers requests now, of this model; highest share first. */
  served: readonly Served[];
  /** What else the endpoint serves: other models, by name. Empty as it should be. */
  strangers: readonly string[];
  /** `failed`: the last change did not come about, and what answered before still does. */
  phase: "steady" | "changing" | "failed";
  /** Whether everything that is to answer does. */
  ready: boolean;
  /** The endpoint's own words about what does not come up. */
  trouble: { version: string; said: string } | undefined;
}

/** An endpoint that answers requests with versions of one registered model. */
export interface ServingEndpoint {
  /** For messages: its name and host. */
  readonly place: string;
  /** Undefined when there is no such endpoint. */
  state(): Promise<EndpointState | undefined>;
  /**
   * Asks for exactly these versions with these shares, and makes the endpoint when there is none; its other settings stay. Comes
   * back once the request is taken: the change itself takes minutes. Throws exit 5 while another change is going on, and
   * `serving.failed` when the endpoint itself refuses these versions; who lacks a right to ask gets another error.
   */
  ask(served: readonly Served[]): Promise<void>;
  /** One that is not there is no error. */
  remove(): Promise<void>;
  /** Sends one scoring request. Throws `serving.score` when it is not answered with predictions; who may not ask gets another error. */
  score(request: unknown): Promise<void>;
}

/** While a version comes up it answers nothing: who serves now keeps every request. An endpoint that is new has nobody else. */
export function broughtUp(state: EndpointState | undefined, version: string): readonly Served[] {
  const main = state?.served[0];
  if (main === undefined || main.version === version) return [{ version, traffic: 100 }];
  return [
    { version: main.version, traffic: 100 },
    { version, traffic: 0 },
  ];
}

/** All requests go to one version; the other stays up without any, so that going back needs no start. */
export function routedTo(version: string, standby: string | undefined): readonly Served[] {
  return standby === undefined || standby === version
    ? [{ version, traffic: 100 }]
    : [
        { version, traffic: 100 },
        { version: standby, traffic: 0 },
      ];
}

/** Whether the endpoint is there, whatever stands by beside it. Pure. */
export function isServing(state: EndpointState | undefined, wanted: readonly Served[]): boolean {
  if (state === undefined || state.phase !== "steady" || !state.ready) return false;
  const now = new Map(state.served.map((each) => [each.version, each.traffic]));
  return now.size === wanted.length && wanted.every((each) => now.get(each.version) === each.traffic);
}
