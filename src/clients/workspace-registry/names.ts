/**
 * How this registry calls a model: it refuses periods, slashes and colons ("A workspace registered model name must be a non-empty UTF-8
 * string and cannot contain forward slashes(/), periods(.), or colons(:)": github.com/databricks/mlops-stacks/pull/131), so that
 * `prod.claims.triage` is `prod-claims-triage` there. A hyphen of a catalog is doubled: no two names become one.
 */
export function nameInWorkspace(name: string): string {
  return name.replaceAll("-", "--").replaceAll(".", "-");
}
