import type { Route } from "../route.ts";
import { artifactRoutes } from "./artifacts.ts";
import { experimentRoutes } from "./experiments.ts";
import { loggedModelRoutes } from "./logged-models.ts";
import { loggingRoutes } from "./logging.ts";
import { presignedRoutes } from "./presigned.ts";
import { runRoutes } from "./runs.ts";
import { sdkFileRoutes } from "./sdk-files.ts";

/** MLflow tracking, reference section 2. */
export const trackingRoutes: readonly Route[] = [
  ...experimentRoutes,
  ...runRoutes,
  ...loggingRoutes,
  ...loggedModelRoutes,
  ...artifactRoutes,
  ...presignedRoutes,
  ...sdkFileRoutes,
];
