/**
 * Folders at the top of a project that tools fill. Each begins with a dot, which no importable name does: nothing in them can take
 * the place of a package. The Python environment is made by uv from the lock; what else lies in it is believed.
 */
export const TOOL_FOLDERS: readonly string[] = [
  ...[".git", ".venv", ".factory", ".databricks"],
  ...[".pytest_cache", ".ruff_cache", ".mypy_cache", ".tox", ".nox"],
];

/** Where MLflow keeps runs that were made by hand. What they logged has a digest: nothing in it is changed. */
export const RUN_FOLDERS: readonly string[] = ["mlruns", "mlartifacts"];
