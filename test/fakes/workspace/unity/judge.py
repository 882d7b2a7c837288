"""databricks-sdk and MLflow's databricks-uc client against Unity Catalog, files and sign-in. Prints one JSON object of what they saw."""

import io
import json
import os
import pathlib
import sys
import tempfile

import mlflow
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import DatabricksError
from databricks.sdk.service.catalog import PermissionsChange, Privilege, VolumeType

mlflow.set_tracking_uri("databricks")
mlflow.set_registry_uri("databricks-uc")
host = os.environ["DATABRICKS_HOST"]
sdk = WorkspaceClient(config=Config(host=host, token=os.environ["DATABRICKS_TOKEN"], retry_timeout_seconds=5))
admin = WorkspaceClient(config=Config(host=host, token=os.environ["ADMIN_TOKEN"], retry_timeout_seconds=5))
client = mlflow.MlflowClient()
seen = {}

NAME = "acme_dev.claims.triage"
MLMODEL = """flavors:
  python_function:
    loader_module: triage
model_uuid: 0123456789abcdef0123456789abcdef
signature:
  inputs: '[{"type": "double", "name": "age", "required": true}]'
  outputs: '[{"type": "double", "required": true}]'
"""


def refused(call):
    try:
        call()
    except (DatabricksError, mlflow.exceptions.MlflowException) as error:
        return error.error_code
    return "accepted"


def folder(signed=True):
    made = pathlib.Path(tempfile.mkdtemp())
    (made / "MLmodel").write_text(MLMODEL if signed else MLMODEL.split("signature")[0])
    (made / "data").mkdir()
    (made / "data" / "model.bin").write_bytes(bytes(range(256)))
    return str(made)


def containers():
    seen["metastore"] = len(sdk.metastores.summary().metastore_id)
    seen["create_catalog"] = refused(lambda: sdk.catalogs.create("Extra"))
    seen["catalog"] = admin.catalogs.create("Extra", comment="c").name
    seen["catalogs"] = [each.name for each in admin.catalogs.list()]
    seen["get_catalog"] = admin.catalogs.get("extra").comment
    seen["schema"] = admin.schemas.create("models", "extra").full_name
    seen["schemas"] = [each.name for each in admin.schemas.list("extra")]
    seen["get_schema"] = admin.schemas.get("extra.models").catalog_name
    seen["volume"] = admin.volumes.create("extra", "models", "files", VolumeType.MANAGED).full_name
    seen["volumes"] = [each.name for each in admin.volumes.list("extra", "models")]
    seen["get_volume"] = admin.volumes.read("extra.models.files").volume_type.value
    admin.volumes.delete("extra.models.files")
    seen["table"] = sdk.tables.get("acme_dev.claims.rows").full_name
    seen["hidden"] = refused(lambda: sdk.schemas.get("extra.models"))


def written_by_mlflow():
    model = client.create_registered_model("Acme_Dev.Claims.TRIAGE", tags={"team": "claims"}, description="d")
    seen["model"] = [model.name, model.tags, model.description]
    seen["again"] = refused(lambda: client.create_registered_model(NAME))
    first = client.create_model_version(NAME, folder(), tags={"digest": "1"}, description="first")
    client.create_model_version(NAME, folder())
    seen["version"] = [first.version, first.status, first.tags, first.description]
    seen["unsigned"] = refused(lambda: client.create_model_version(NAME, folder(signed=False)))
    client.set_registered_model_alias(NAME, "champion", "1")
    client.set_model_version_tag(NAME, "1", "gate", "passed")
    client.set_model_version_tag(NAME, "1", "gone", "x")
    client.delete_model_version_tag(NAME, "1", "gone")
    client.set_registered_model_tag(NAME, "gone", "x")
    client.delete_registered_model_tag(NAME, "gone")
    client.update_model_version(NAME, "2", "second")
    client.update_registered_model(NAME, "changed")
    seen["dotted"] = refused(lambda: client.set_model_version_tag(NAME, "1", "a.b", "x"))

    whole = sdk.registered_models.get(NAME, include_aliases=True)
    seen["sdk_model"] = [whole.full_name, whole.comment, [(a.alias_name, a.version_num) for a in whole.aliases]]
    seen["sdk_plain"] = sdk.registered_models.get(NAME).aliases
    seen["sdk_versions"] = [(v.version, v.status.value, v.comment) for v in sdk.model_versions.list(NAME)]
    seen["sdk_version"] = [a.alias_name for a in sdk.model_versions.get(NAME, 1, include_aliases=True).aliases]
    seen["sdk_alias"] = sdk.model_versions.get_by_alias(NAME, "champion").version
    seen["sdk_models"] = [m.full_name for m in sdk.registered_models.list(catalog_name="acme_dev", schema_name="claims")]
    local = pathlib.Path(mlflow.artifacts.download_artifacts(f"models:/{NAME}@champion"))
    seen["bytes"] = (local / "data" / "model.bin").read_bytes() == bytes(range(256))
    seen["uri"] = client.get_model_version_download_uri(NAME, "1").startswith("s3://")
    seen["search"] = [v.version for v in client.search_model_versions(f"name='{NAME}'")]
    seen["search_more"] = refused(lambda: client.search_model_versions(f"name='{NAME}' and version='1'"))
    seen["models"] = [m.name for m in client.search_registered_models()]


def written_by_sdk():
    sdk.registered_models.create(catalog_name="acme_dev", schema_name="claims", name="quotes", comment="q")
    full = "acme_dev.claims.quotes"
    client.create_model_version(full, folder())
    sdk.registered_models.set_alias(full, "challenger", 1)
    sdk.model_versions.update(full, 1, comment="by sdk")
    version = client.get_model_version_by_alias(full, "challenger")
    seen["mlflow_version"] = [version.version, version.description, version.aliases]
    seen["mlflow_get"] = client.get_model_version(full, "1").status
    seen["mlflow_model"] = client.get_registered_model(full).aliases
    client.delete_registered_model_alias(full, "challenger")
    seen["no_alias"] = refused(lambda: sdk.model_versions.get_by_alias(full, "challenger"))
    sdk.registered_models.set_alias(full, "challenger", 1)
    sdk.registered_models.delete_alias(full, "challenger")
    sdk.registered_models.update(full, new_name="prices")
    client.create_model_version("acme_dev.claims.prices", folder())
    sdk.model_versions.delete("acme_dev.claims.prices", 1)
    client.delete_model_version("acme_dev.claims.prices", "2")
    sdk.registered_models.delete("acme_dev.claims.prices")
    client.create_registered_model("acme_dev.claims.old", deployment_job_id="7")
    client.rename_registered_model("acme_dev.claims.old", "acme_dev.claims.older")
    seen["job"] = client.get_registered_model("acme_dev.claims.older").deployment_job_id
    client.delete_registered_model("acme_dev.claims.older")
    seen["deleted"] = refused(lambda: client.get_registered_model("acme_dev.claims.older"))


def presigned():
    os.environ["MLFLOW_USE_DATABRICKS_SDK_MODEL_ARTIFACTS_REPO_FOR_UC"] = "false"
    name = "acme_dev.claims.signed"
    client.create_registered_model(name)
    made = client.create_model_version(name, folder())
    local = pathlib.Path(mlflow.artifacts.download_artifacts(f"models:/{name}/{made.version}"))
    seen["signed"] = (local / "data" / "model.bin").read_bytes() == bytes(range(256))
    del os.environ["MLFLOW_USE_DATABRICKS_SDK_MODEL_ARTIFACTS_REPO_FOR_UC"]


def grants():
    change = [PermissionsChange(principal="account users", add=[Privilege.EXECUTE, Privilege.APPLY_TAG])]
    sdk.grants.update("function", NAME, changes=change)
    sdk.grants.update("function", NAME, changes=[PermissionsChange(principal="account users", remove=[Privilege.APPLY_TAG])])
    got = sdk.grants.get("function", NAME)
    seen["grants"] = [(a.principal, [p.value for p in a.privileges]) for a in got.privilege_assignments]
    me = sdk.current_user.me().user_name
    effective = sdk.grants.get_effective("function", NAME, principal=me)
    found = [p for a in effective.privilege_assignments if a.principal == me for p in a.privileges]
    seen["effective"] = sorted((p.privilege.value, p.inherited_from_type.value) for p in found)
    seen["not_mine"] = refused(lambda: sdk.grants.update("catalog", "acme_dev", changes=change))


def files():
    root = "/Volumes/acme_dev/claims/evidence"
    sdk.files.create_directory(f"{root}/a/b")
    sdk.files.upload(f"{root}/a/one two.txt", io.BytesIO(b"hello"), overwrite=False)
    seen["exists"] = refused(lambda: sdk.files.upload(f"{root}/a/one two.txt", io.BytesIO(b"x"), overwrite=False))
    seen["read"] = sdk.files.download(f"{root}/a/one two.txt").contents.read().decode()
    seen["listed"] = sorted((e.name, e.is_directory) for e in sdk.files.list_directory_contents(f"{root}/a"))
    seen["size"] = sdk.files.get_metadata(f"{root}/a/one two.txt").content_length
    sdk.files.get_directory_metadata(f"{root}/a")
    seen["full"] = refused(lambda: sdk.files.delete_directory(f"{root}/a"))
    sdk.files.delete(f"{root}/a/one two.txt")
    seen["gone"] = refused(lambda: sdk.files.get_metadata(f"{root}/a/one two.txt"))
    sdk.files.delete_directory(f"{root}/a/b")
    big = os.urandom(51 << 20)
    sdk.files.upload(f"{root}/big", io.BytesIO(big), overwrite=True)
    seen["big"] = sdk.files.download(f"{root}/big").contents.read() == big
    plain = Config(host=host, token=os.environ["DATABRICKS_TOKEN"], disable_experimental_files_api_client=True)
    seen["plain"] = len(WorkspaceClient(config=plain).files.download(f"{root}/big").contents.read())


def people():
    users = list(admin.users.list())
    seen["users"] = [u.user_name for u in users]
    seen["user"] = admin.users.get(users[0].id).active
    principals = list(admin.service_principals.list(filter='displayName eq "ci"'))
    seen["principals"] = [p.display_name for p in principals]
    seen["principal"] = admin.service_principals.get(principals[0].id).application_id == sdk.current_user.me().user_name
    seen["groups"] = [g.display_name for g in admin.groups.list()]


def sign_in():
    kept = {name: os.environ.pop(name) for name in ["DATABRICKS_TOKEN", "DATABRICKS_HOST"]}
    identity = {"client_id": os.environ["CI_ID"], "client_secret": os.environ["CI_SECRET"]}
    secret = WorkspaceClient(config=Config(host=host, auth_type="oauth-m2m", **identity))
    seen["m2m"] = secret.current_user.me().display_name
    wrong = Config(host=host, auth_type="oauth-m2m", **{**identity, "client_secret": "wrong"})
    try:
        WorkspaceClient(config=wrong).current_user.me()
        seen["wrong"] = "accepted"
    except Exception as error:
        seen["wrong"] = "invalid_client" in str(error)
    for name, audience in [("github", "factory"), ("stranger", "else")]:
        config = Config(host=host, auth_type="github-oidc", client_id=os.environ["CI_ID"], token_audience=audience)
        try:
            seen[name] = WorkspaceClient(config=config).current_user.me().display_name
        except Exception as error:
            seen[name] = "audience is else" in str(error)
    os.environ.update(kept)


for part in sys.argv[1:]:
    globals()[part]()
print(json.dumps(seen))
