import type { Route } from "../route.ts";
import { endpointRoutes } from "./endpoints.ts";
import { invocationRoutes } from "./invocations.ts";

/** Model serving, reference section 5. */
export const servingRoutes: readonly Route[] = [...endpointRoutes, ...invocationRoutes];
