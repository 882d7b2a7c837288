import type { Route } from "../route.ts";
import { containerRoutes } from "./containers.ts";
import { governanceModelRoutes } from "./governance-models.ts";
import { mlflowModelRoutes } from "./mlflow-models.ts";
import { mlflowVersionRoutes } from "./mlflow-versions.ts";
import { permissionRoutes } from "./permissions.ts";
import { volumeRoutes } from "./volumes.ts";

/** Unity Catalog. */
export const unityRoutes: readonly Route[] = [
  ...containerRoutes,
  ...volumeRoutes,
  ...governanceModelRoutes,
  ...mlflowModelRoutes,
  ...mlflowVersionRoutes,
  ...permissionRoutes,
];
