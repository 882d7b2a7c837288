import { configDefaults, defineConfig } from "vitest/config";

/** Whole files that are exhaustive or long: `npm run test:deep` runs them, docs/testing.md says what CI has in their place. */
const DEEP_ONLY = [
  "test/clients/unity-catalog/crash.test.ts",
  "test/clients/unity-catalog/front-door.test.ts",
  "test/clients/unity-catalog/storage.test.ts",
  "test/clients/workspace-registry/front-door.test.ts",
  "test/data/warehouse/gate.test.ts",
  "test/deploy/whole-story.test.ts",
  "test/ledger/delta-front-door.test.ts",
  "test/ledger/delta-guard.test.ts",
  "test/ledger/delta-load.test.ts",
  "test/ledger/delta-store.test.ts",
  "test/sandbox/quickstart.test.ts",
  "test/training/template-in-workspace.test.ts",
];
const deep = process.env.FACTORY_TEST_DEEP === "1";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: [...configDefaults.exclude, ...(deep ? [] : DEEP_ONLY)],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 300_000,
  },
});
