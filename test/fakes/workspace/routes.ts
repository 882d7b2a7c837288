import { fileRoutes } from "./files/routes.ts";
import { identityRoutes } from "./identity.ts";
import { jobsRoutes } from "./jobs/routes.ts";
import { legacyRoutes } from "./legacy/routes.ts";
import { permissionRoutes } from "./permissions.ts";
import type { Route } from "./route.ts";
import { secretRoutes } from "./secrets.ts";
import { servingRoutes } from "./serving/routes.ts";
import { elsewhereRoutes } from "./sign-in/elsewhere.ts";
import { oauthRoutes } from "./sign-in/oauth.ts";
import { statementRoutes } from "./sql/statements.ts";
import { warehouseRoutes } from "./sql/warehouses.ts";
import { trackingRoutes } from "./tracking/routes.ts";
import { unityRoutes } from "./unity/routes.ts";
import { workspaceObjectRoutes } from "./workspace-objects.ts";

/** Every route of the fake workspace, by area. A new area: a file with `export const xRoutes: readonly Route[]`, and a line here. */
export const ROUTES: readonly Route[] = [
  ...identityRoutes,
  ...oauthRoutes,
  ...elsewhereRoutes,
  ...unityRoutes,
  ...fileRoutes,
  ...trackingRoutes,
  ...jobsRoutes,
  ...legacyRoutes,
  ...permissionRoutes,
  ...servingRoutes,
  ...secretRoutes,
  ...statementRoutes,
  ...warehouseRoutes,
  ...workspaceObjectRoutes,
];
