import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** The built program. */
export const program = join(root, "dist/main.js");
/** What tests install once and keep between runs; ignored by git. */
export const toolsFolder = join(root, ".tools");
