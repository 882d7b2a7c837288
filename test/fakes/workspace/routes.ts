import { identityRoutes } from "./identity.ts";
import type { Route } from "./route.ts";

/** Every route of the fake workspace, by area. A new area: a file with `export const xRoutes: readonly Route[]`, and a line here. */
export const ROUTES: readonly Route[] = [...identityRoutes];
