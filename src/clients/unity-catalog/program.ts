/**
 * The Python that carries bytes to and from Unity Catalog by MLflow's own client, run with factory's own environment. It reads one line of
 * JSON, and ends when its input does: whoever started it is gone then, and nothing may go on behind the back of the next try.
 * It says what happens as lines of JSON. The token is in its environment, no file of a project is imported.
 */
export const PROGRAM = String.raw`
import io, json, os, sys, threading, time


def main():
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=lifeline, daemon=True).start()
    # Whatever a library prints is no event.
    events = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    lock = threading.Lock()

    def say(**event):
        with lock:
            events.write(json.dumps(event) + "\n")

    trust(request.get("authority"))
    sys.path[:0] = request.get("packages", [])
    try:
        (create if request["what"] == "create" else fetch)(request, say)
    except Exception as error:
        code = getattr(error, "error_code", None)
        status = getattr(error, "get_http_status_code", lambda: None)()
        say(event="failed", code=code if isinstance(code, str) else type(error).__name__, status=status,
            message=(getattr(error, "message", None) or str(error))[:2000])
        sys.exit(1)


def lifeline():
    sys.stdin.read()
    os._exit(1)


def trust(authority):
    """Authorities of the machine's own beside those that come with Python's packages."""
    if authority is None:
        return
    import certifi

    bundle = os.path.join(os.environ["HOME"], "authorities.pem")
    with open(bundle, "w") as out, open(certifi.where()) as known, open(authority) as more:
        out.write(known.read() + "\n" + more.read())
    os.environ["REQUESTS_CA_BUNDLE"] = os.environ["SSL_CERT_FILE"] = bundle


class Counter:
    """Tells how many bytes have been read of the files that are sent."""

    def __init__(self, say):
        self.say, self.at, self.told, self.lock = say, {}, 0.0, threading.Lock()

    def reached(self, path, position):
        with self.lock:
            self.at[path] = position
            now = time.monotonic()
            if now - self.told < 0.2:
                return
            self.told = now
            done = sum(self.at.values())
        self.say(event="progress", bytes=done)

    def open(self, path, mode="r", *rest, **named):
        if mode != "rb":
            return io.open(path, mode, *rest, **named)
        counter = self

        class Counted(io.BufferedReader):
            def read(self, size=-1):
                data = super().read(size)
                counter.reached(path, self.tell())
                return data

        return Counted(io.FileIO(path))


RETRIES = 4
# Stands for a call that is not made once more, unless it was certainly turned away.
ONCE = 0
LONGEST_PAUSE_S = 60


def retry_with_care():
    """Calls of MLflow wait a minute at most before a retry; those with ONCE are tried again after a 429 alone, after which nothing was done."""
    import mlflow.utils.request_utils as calls
    from urllib3.util import Retry

    class Throttled(Retry):
        RETRY_AFTER_STATUS_CODES = frozenset([429])

    session_of = calls._get_request_session

    def session(retries, *rest, **named):
        session = session_of(retries, *rest, **named)
        for adapter in session.adapters.values():
            if retries == ONCE:
                # raise_on_status: the last 429 comes back as the workspace said it.
                adapter.max_retries = Throttled(
                    total=RETRIES, connect=0, read=0, redirect=0, other=0, status=RETRIES, raise_on_status=False,
                    status_forcelist=[429], allowed_methods=None, backoff_factor=1, retry_after_max=LONGEST_PAUSE_S,
                )
            else:
                adapter.max_retries = adapter.max_retries.new(retry_after_max=LONGEST_PAUSE_S)
        return session

    calls._get_request_session = session


def store_of(say):
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_uc_registry_messages_pb2 import CreateModelVersionRequest
    from mlflow.store._unity_catalog.registry.rest_store import UcModelRegistryStore, _load_model

    counter = Counter(say)
    retry_with_care()

    class Store(UcModelRegistryStore):
        def _call_endpoint(self, api, *rest, **named):
            # What was created by a call whose reply was lost is found by whoever started this, and not made once more.
            if api is CreateModelVersionRequest:
                say(event="creating")
                os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = str(ONCE)
            try:
                response = super()._call_endpoint(api, *rest, **named)
            finally:
                os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = str(RETRIES)
            if api is CreateModelVersionRequest:
                say(event="created", version=str(response.model_version.version))
            return response

        def _download_model_weights_if_not_saved(self, folder):
            # The bytes that were tested go on as they are; MLflow would add to them here.
            flavor = _load_model(folder).flavors.get("transformers")
            if flavor and ("source_model_revision" in flavor or not os.path.exists(os.path.join(folder, "model"))):
                raise MlflowException("The model was logged without its weights (save_pretrained=False).")

        def _get_artifact_repo(self, *rest, **named):
            import mlflow.store.artifact.databricks_sdk_models_artifact_repo as by_files
            import mlflow.store.artifact.presigned_url_artifact_repo as by_url

            by_files.open = by_url.open = counter.open
            repository = super()._get_artifact_repo(*rest, **named)
            send = repository._upload_to_cloud

            def counted(cloud_credential_info, src_file_path, artifact_file_path=None):
                send(cloud_credential_info, src_file_path, artifact_file_path)
                counter.reached(src_file_path, os.path.getsize(src_file_path))

            repository._upload_to_cloud = counted
            return repository

    return Store("databricks-uc", "databricks")


def create(request, say):
    import mlflow
    from mlflow.entities.model_registry import ModelVersionTag

    mlflow.set_tracking_uri("databricks")
    version = store_of(say).create_model_version(
        name=request["model"],
        source=request["source"],
        run_id=request.get("run"),
        tags=[ModelVersionTag(key, value) for key, value in request["tags"].items()],
        local_model_path=request["folder"],
        model_id=request.get("loggedModel"),
    )
    say(event="done", version=str(version.version))


def fetch(request, say):
    import mlflow
    from mlflow.store.artifact.unity_catalog_models_artifact_repo import UnityCatalogModelsArtifactRepository

    mlflow.set_tracking_uri("databricks")
    mlflow.set_registry_uri("databricks-uc")
    address = "models:/%s/%s" % (request["model"], request["version"])
    repository = UnityCatalogModelsArtifactRepository(address, "databricks-uc")
    repository.download_artifacts(request.get("path", ""), request["folder"])
    say(event="done", version=request["version"])


main()
`;
