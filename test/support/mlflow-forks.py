"""MLflow for tests, forked from a process that imported it once: to import it takes longer than most tests.

argv: pid of the owner, with whom everything here ends; `servers` or `programs`. Working folder: its own; it goes with it.
Listens on the socket `forks` there. A connection asks by a line of JSON, is told the `pid`, and the `status` when it ends; a connection
that is closed ends what it asked for with all that it started.

servers   `folder`, `port`, `variables`: MLflow's own `server` command
programs  `folder`, `variables`, `code`: what `python -I -c` would run, with the three streams that come with the line
"""

import json
import os
import select
import shutil
import signal
import socket
import sys
import tempfile

# Forked processes need one thread each; they are many.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

if sys.argv[2] == "servers":
    import uvicorn.main  # before MLflow, which asks whether it runs as a server

    import mlflow.cli
    import mlflow.server

    # What the server would import before its first answer.
    import alembic.command  # noqa: F401
    import mlflow.server.fastapi_app  # noqa: F401
    import mlflow.store.model_registry.sqlalchemy_store  # noqa: F401
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
else:
    import mlflow

    # What factory's own programs import.
    import mlflow.store._unity_catalog.registry.rest_store
    import mlflow.store.artifact.databricks_sdk_models_artifact_repo
    import mlflow.store.artifact.presigned_url_artifact_repo
    import mlflow.store.artifact.unity_catalog_models_artifact_repo  # noqa: F401

OWNER = int(sys.argv[1])
HOME = os.getcwd()
EMPTY = os.path.join(HOME, "empty.db")


def run_here(command, extra_env, **_):
    """Stands for the process that MLflow starts uvicorn in: the same command, in this process."""
    os.environ.update({name: str(value) for name, value in extra_env.items()})
    uvicorn.main.main(command[command.index("uvicorn") + 1 :])


def run_program(folder, variables, code, streams):
    """Runs in the child, as `python -I -c` does."""
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    tempfile.tempdir = None
    sys.argv = ["-c"]
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", closefd=False) for number, mode in enumerate("rww")
    )
    exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102


def serve(folder, port, variables):
    """Runs in the child; does not come back."""
    os.setsid()
    os.chdir(folder)
    log = os.open("server.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.clear()
    os.environ.update(variables)
    shutil.copyfile(EMPTY, "mlflow.db")
    mlflow.server._exec_cmd = run_here
    mlflow.cli.cli(
        ["server", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
        + ["--artifacts-destination", os.path.join(folder, "artifacts"), "--serve-artifacts"]
        + ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    )


def forked(act):
    pid = os.fork()
    if pid != 0:
        return pid
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        act()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def make_empty():
    from mlflow.server.handlers import initialize_backend_stores

    initialize_backend_stores(f"sqlite:///{EMPTY}.part", f"sqlite:///{EMPTY}.part", "mlflow-artifacts:/")


def end_group(pid):
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def owner_lives():
    try:
        os.kill(OWNER, 0)
    except ProcessLookupError:
        return False
    return True


if sys.argv[2] == "servers":
    _, status = os.waitpid(forked(make_empty), 0)
    if status != 0:
        sys.exit("no empty database could be made")
    os.rename(f"{EMPTY}.part", EMPTY)

listener = socket.socket(socket.AF_UNIX)
listener.bind("forks.part")
listener.listen(16)
os.rename("forks.part", "forks")

# A child that ends wakes the loop.
reader, writer = os.pipe()
os.set_blocking(writer, False)
signal.set_wakeup_fd(writer)
signal.signal(signal.SIGCHLD, lambda *_: None)

asking = {}  # connection: what it has said so far, and the streams that came with it
serving = {}  # connection: pid

while owner_lives():
    ready, _, _ = select.select([listener, reader, *asking, *serving], [], [], 1)
    for each in ready:
        if each is listener:
            asking[listener.accept()[0]] = (b"", [])
        elif each is reader:
            os.read(reader, 64)
        elif each in asking:
            said, more, _, _ = socket.recv_fds(each, 65536, 3)
            line, streams = asking[each]
            line, streams = asking[each] = (line + said, streams + more)
            if said == b"":
                del asking[each]
                each.close()
                for stream in streams:
                    os.close(stream)
            elif line.endswith(b"\n"):
                request = json.loads(line)
                del asking[each]

                def act(request=request, streams=streams):
                    for other in [listener, each, *asking, *serving]:
                        other.close()
                    # What others wait for the end of is not held open by this program.
                    for _, held in asking.values():
                        for stream in held:
                            os.close(stream)
                    if "code" in request:
                        run_program(**request, streams=streams)
                    else:
                        serve(**request)

                serving[each] = forked(act)
                for stream in streams:
                    os.close(stream)
                each.sendall(json.dumps({"pid": serving[each]}).encode() + b"\n")
        elif each in serving:
            # Closed, or its sender is gone.
            end_group(serving.pop(each))
            each.close()
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid == 0:
            break
        for each in [each for each, other in serving.items() if other == pid]:
            del serving[each]
            try:
                each.sendall(json.dumps({"status": os.waitstatus_to_exitcode(status)}).encode() + b"\n")
            except OSError:
                pass
            each.close()

for pid in serving.values():
    end_group(pid)
shutil.rmtree(HOME, ignore_errors=True)
