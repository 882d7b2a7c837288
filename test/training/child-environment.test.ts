import { describe, expect, test } from "vitest";
import type { TaskEvent } from "../../src/lib/progress.ts";
import {
  childEnvironment,
  installerEnvironment,
  trackingCredentials,
  warnOfKeys,
} from "../../src/training/child-environment.ts";

const SECRETS = [
  "FACTORY_SIGNING_KEY",
  "FACTORY_SIGNING_KEY_FILE",
  "FACTORY_KEY_PASSPHRASE",
  "FACTORY_ANYTHING",
  "DATABRICKS_TOKEN",
  "DATABRICKS_HOST",
  "DATABRICKS_CLIENT_SECRET",
  "DATABRICKS_CONFIG_PROFILE",
  "ARM_CLIENT_SECRET",
  "ARM_ACCESS_KEY",
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "AWS_PROFILE",
  "AZURE_CLIENT_SECRET",
  "GOOGLE_APPLICATION_CREDENTIALS",
  "GITHUB_TOKEN",
  "GH_TOKEN",
  "GITLAB_TOKEN",
  "CI_JOB_TOKEN",
  "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
  "ACTIONS_ID_TOKEN_REQUEST_URL",
  "ACTIONS_RUNTIME_TOKEN",
  "SYSTEM_ACCESSTOKEN",
  "SSH_AUTH_SOCK",
  "GPG_AGENT_INFO",
  "NPM_TOKEN",
  "NODE_AUTH_TOKEN",
  "UV_PUBLISH_TOKEN",
  "UV_INDEX_PRIVATE_PASSWORD",
  "PIP_PASSWORD",
  "MLFLOW_TRACKING_PASSWORD",
  "MLFLOW_TRACKING_TOKEN",
  "MLFLOW_TRACKING_USERNAME",
  "MLFLOW_TRACKING_URI",
  "MLFLOW_RUN_ID",
  "DATABASE_URL",
  "PYTHONPATH",
  "PYTHONSTARTUP",
  "PYTHONHOME",
  "VIRTUAL_ENV",
  "PYTHONDONTWRITEBYTECODE",
  "PYTEST_ADDOPTS",
  "BASH_ENV",
  "LD_PRELOAD",
  "MY_SECRET",
  "lc_all",
  "LC_all",
];

describe("a project's process", () => {
  test.each(SECRETS)("never sees %s", (name) => {
    expect(Object.values(childEnvironment({ PATH: "/bin", [name]: "s3cr3t-value" }))).not.toContain("s3cr3t-value");
    expect(Object.values(installerEnvironment({ PATH: "/bin", [name]: "s3cr3t-value" }))).not.toContain("s3cr3t-value");
  });

  test.each(["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "UV_CACHE_DIR", "SSL_CERT_FILE", "HTTPS_PROXY", "CI"])(
    "sees %s",
    (name) => {
      expect(childEnvironment({ [name]: "/a" })[name]).toBe("/a");
    },
  );

  test("sees no password of an index or proxy; the installer does", () => {
    const variables = {
      PIP_INDEX_URL: "https://me:pw@index.example/simple",
      HTTPS_PROXY: "http://u:p@proxy.example",
      UV_EXTRA_INDEX_URL: "https://ok.example https://tok@x.example",
    };
    expect(JSON.stringify(childEnvironment(variables))).not.toMatch(/@/);
    expect(installerEnvironment(variables)).toMatchObject(variables);
  });

  test("is told to leave the lock and the interpreter alone, and gets what factory adds", () => {
    expect(childEnvironment({}, { FACTORY_METRICS: "/m.json" })).toMatchObject({
      UV_FROZEN: "1",
      UV_PYTHON_DOWNLOADS: "never",
      FACTORY_METRICS: "/m.json",
    });
  });
});

test("the first environment's credentials are exactly MLflow's own", () => {
  const variables = {
    MLFLOW_TRACKING_TOKEN: "a",
    MLFLOW_TRACKING_USERNAME: "b",
    MLFLOW_TRACKING_PASSWORD: "c",
    MLFLOW_TRACKING_AWS_SIGV4: "d",
    DATABRICKS_TOKEN: "e",
  };
  const uri = "https://mlflow.example.com/base";
  expect(trackingCredentials({ ...variables, MLFLOW_TRACKING_URI: "https://mlflow.example.com" }, uri)).toEqual({
    MLFLOW_TRACKING_TOKEN: "a",
    MLFLOW_TRACKING_USERNAME: "b",
    MLFLOW_TRACKING_PASSWORD: "c",
  });
  for (const other of [
    "https://mlflow.example.com:8443",
    "http://mlflow.example.com",
    "https://elsewhere.example.com",
    "databricks",
  ]) {
    expect(trackingCredentials({ ...variables, MLFLOW_TRACKING_URI: other }, uri)).toEqual({});
  }
  expect(trackingCredentials(variables, uri)).toEqual({});
});

test("a key that is not needed is told, by name and never by value", () => {
  const told: string[] = [];
  const report = (event: TaskEvent) => event.type === "note" && told.push(event.text);
  warnOfKeys([], report);
  expect(told).toEqual([]);
  warnOfKeys(["FACTORY_SIGNING_KEY"], report);
  expect(told.join()).toContain("FACTORY_SIGNING_KEY");
});
