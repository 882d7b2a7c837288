"""MLflow servers for tests: MLflow's own `server` command, forked from a process that imported it once.

argv: pid of the owner, with whom everything here ends. Working folder: its own; it goes with it.
Listens on the socket `forks` there. A connection asks for one server by a line of JSON (`folder`, `port`, `variables`), is told its
`pid`, and its `status` when it ends; a connection that is closed ends its server with all that it started.
"""

import json
import os
import select
import shutil
import signal
import socket
import sys

# Forked processes need one thread each; they are many.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import uvicorn.main  # noqa: E402 - before MLflow, which asks whether it runs as a server

import mlflow.cli  # noqa: E402
import mlflow.server  # noqa: E402

# What the server would import before its first answer.
import alembic.command  # noqa: E402, F401
import mlflow.server.fastapi_app  # noqa: E402, F401
import mlflow.store.model_registry.sqlalchemy_store  # noqa: E402, F401
import mlflow.store.tracking.sqlalchemy_store  # noqa: E402, F401

OWNER = int(sys.argv[1])
HOME = os.getcwd()
EMPTY = os.path.join(HOME, "empty.db")


def run_here(command, extra_env, **_):
    """Stands for the process that MLflow starts uvicorn in: the same command, in this process."""
    os.environ.update({name: str(value) for name, value in extra_env.items()})
    uvicorn.main.main(command[command.index("uvicorn") + 1 :])


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

asking = {}  # connection: what it has said so far
serving = {}  # connection: pid

while owner_lives():
    ready, _, _ = select.select([listener, reader, *asking, *serving], [], [], 1)
    for each in ready:
        if each is listener:
            asking[listener.accept()[0]] = b""
        elif each is reader:
            os.read(reader, 64)
        elif each in asking:
            said = each.recv(65536)
            asking[each] += said
            if said == b"":
                del asking[each]
                each.close()
            elif asking[each].endswith(b"\n"):
                request = json.loads(asking.pop(each))

                def act(request=request):
                    for other in [listener, each, *asking, *serving]:
                        other.close()
                    serve(**request)

                serving[each] = forked(act)
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
