/**
 * The outside systems that commands may reach, each opened lazily by `main.ts` through an interface that a feature declares.
 * A member is a function that opens the system: `mlflow(uri)`, `git(folder)`, …
 */
// biome-ignore lint/suspicious/noEmptyInterface: members join as clients are wired
export interface Clients {}
