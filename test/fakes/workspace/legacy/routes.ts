import type { Route } from "../route.ts";
import { commentRoutes } from "./comments.ts";
import { legacyModelRoutes } from "./models.ts";
import { transitionRoutes } from "./transitions.ts";
import { legacyVersionRoutes } from "./versions.ts";

/** The workspace's own model registry, reference section 3. */
export const legacyRoutes: readonly Route[] = [
  ...legacyModelRoutes,
  ...legacyVersionRoutes,
  ...transitionRoutes,
  ...commentRoutes,
];
