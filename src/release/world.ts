import type { LineWorld } from "../line/world.ts";
import type { Environment } from "../policy/policy.ts";
import type { ServingEndpoint } from "./serving.ts";

/** The outside systems that letting a version serve asks. */
export interface ReleaseWorld extends LineWorld {
  /** What answers requests with versions of a registered model (full name). Throws exit 2 where the environment has none. */
  serving(environment: Environment, endpoint: string, model: string): Promise<ServingEndpoint>;
}
