/** What holds for every request of this process. A module of its own, so that setting it up loads no network code. */
export interface HttpSettings {
  userAgent: string;
  /** HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY and SSL_CERT_FILE are read from here, in either case for the proxies. */
  variables: Readonly<Record<string, string>>;
  /** Gets one line for each request: no header, no body, no value of a query. */
  trace: ((line: string) => void) | undefined;
}

let current: HttpSettings = { userAgent: "factory", variables: {}, trace: undefined };

/** Changes what is given; the rest stays. */
export function setUpHttp(change: Partial<HttpSettings>): void {
  current = { ...current, ...change };
}

export function httpSettings(): Readonly<HttpSettings> {
  return current;
}

/** `factory/1.2.3 node/20.19.0 os/linux cicd/github`: who asks, in the form that Databricks' own tools use. */
export function userAgent(
  version: string,
  machine: { node: string; platform: string },
  variables: Readonly<Record<string, string>>,
): string {
  const cicd = cicdProvider(variables);
  const pairs = [
    ["factory", version],
    ["node", machine.node],
    ["os", machine.platform],
    ...(cicd === undefined ? [] : [["cicd", cicd]]),
  ];
  return pairs.map((pair) => pair.map((part) => part.replace(/[^0-9A-Za-z_.+-]/g, "-")).join("/")).join(" ");
}

const PROVIDERS: readonly [string, (variables: Readonly<Record<string, string>>) => boolean][] = [
  ["github", (variables) => variables.GITHUB_ACTIONS === "true"],
  ["gitlab", (variables) => given(variables.GITLAB_CI)],
  ["jenkins", (variables) => given(variables.JENKINS_URL)],
  ["azure-devops", (variables) => variables.TF_BUILD === "True"],
  ["circle", (variables) => variables.CIRCLECI === "true"],
  ["travis", (variables) => variables.TRAVIS === "true"],
  ["bitbucket", (variables) => given(variables.BITBUCKET_BUILD_NUMBER)],
  [
    "google-cloud-build",
    ({ PROJECT_ID, BUILD_ID, PROJECT_NUMBER, LOCATION }) =>
      [PROJECT_ID, BUILD_ID, PROJECT_NUMBER, LOCATION].every(given),
  ],
  ["aws-code-build", (variables) => given(variables.CODEBUILD_BUILD_ARN)],
  ["tf-cloud", (variables) => given(variables.TFC_RUN_ID)],
];

/** The CI system that runs us, by the variables that it sets. */
export function cicdProvider(variables: Readonly<Record<string, string>>): string | undefined {
  return PROVIDERS.find(([, matches]) => matches(variables))?.[0];
}

function given(value: string | undefined): boolean {
  return value !== undefined && value !== "";
}
