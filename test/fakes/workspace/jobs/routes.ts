import type { Route } from "../route.ts";
import { jobRoutes } from "./jobs.ts";
import { runRoutes } from "./runs.ts";

/** Jobs, reference 6.1. */
export const jobsRoutes: readonly Route[] = [...jobRoutes, ...runRoutes];
