import { fileRoutes } from "./files/routes.ts";
import { identityRoutes } from "./identity.ts";
import type { Route } from "./route.ts";
import { elsewhereRoutes } from "./sign-in/elsewhere.ts";
import { oauthRoutes } from "./sign-in/oauth.ts";
import { trackingRoutes } from "./tracking/routes.ts";
import { unityRoutes } from "./unity/routes.ts";

/** Every route of the fake workspace, by area. A new area: a file with `export const xRoutes: readonly Route[]`, and a line here. */
export const ROUTES: readonly Route[] = [
  ...identityRoutes,
  ...oauthRoutes,
  ...elsewhereRoutes,
  ...unityRoutes,
  ...fileRoutes,
  ...trackingRoutes,
];
