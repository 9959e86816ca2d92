"""Commands of ours, each in a process of its own that begins with the libraries loaded.

Loading them takes 1 to 3 s of CPU, and over a hundred commands are run. A process that has loaded them, and
nothing of ours, copies itself for each command; from there on it is ``python -m app.cli …``.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile

ROOT = Path(__file__).parent.parent
LIBRARIES = (
    "aiosmtplib", "alembic.command", "alembic.migration", "css_inline", "email_validator", "feedparser",
    "flufl.bounce", "httpcore2", "httpx2", "itsdangerous", "jinja2", "lxml.etree", "numpy", "psycopg",
    "pydantic_settings", "pylatexenc.latex2text", "rich.progress", "rich.table", "scipy.special",
    "sklearn.linear_model", "sklearn.metrics", "sklearn.multiclass", "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite", "sqlalchemy.orm", "stamina", "structlog", "threadpoolctl", "typer",
)  # fmt: skip
SECONDS = 60


def paperwatch(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What ``paperwatch`` did with these arguments in this folder."""
    return module("app.cli", *arguments, cwd=cwd, **environment)


def module(name: str, *arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What ``python -m name`` did; raises subprocess.TimeoutExpired after a minute."""
    wanted = {
        "name": name, "arguments": arguments, "cwd": str(cwd),
        "environment": {**os.environ, "PYTHONPATH": str(ROOT), **environment},
    }  # fmt: skip
    server = _server()
    with TemporaryFile() as out, TemporaryFile() as err:
        socket.send_fds(server, [json.dumps(wanted).encode()], [out.fileno(), err.fileno()])
        process = int(server.recv(20))
        try:
            status = int(server.recv(20))
        except TimeoutError:
            os.kill(process, signal.SIGKILL)
            server.recv(20)
            raise subprocess.TimeoutExpired([name, *arguments], SECONDS) from None
        told = []
        for file in (out, err):
            file.seek(0)
            told.append(file.read().decode())
    code = os.waitstatus_to_exitcode(status)
    return subprocess.CompletedProcess([name, *arguments], code, *told)


@cache
def _server() -> socket.socket:
    """The way to the process that copies itself, which is begun with the first command."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.commands", str(its.fileno())], cwd=ROOT, pass_fds=[its.fileno()],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    its.close()
    assert ours.recv(20) == b"ready"
    ours.settimeout(SECONDS)

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _serve(asked: socket.socket) -> None:
    """Copy this process for each command that is asked for; only the copies return, as that command."""
    for name in LIBRARIES:
        importlib.import_module(name)
    ours = {name.partition(".")[0] for name in sys.modules} & {"app", "jobs", "db", "profiles", "recommender"}
    assert not ours, f"what is tested must not be loaded beforehand: {ours}"
    gc.freeze()  # a copy that looks at every object when it ends takes 0.6 s for it
    asked.send(b"ready")
    while True:
        data, files, _, _ = socket.recv_fds(asked, 1_000_000, 2)
        if not data:
            os._exit(0)  # the tests are over
        child = os.fork()
        if not child:
            asked.close()
            _become(json.loads(data), files)
            return
        for file in files:
            os.close(file)
        asked.send(b"%d" % child)
        asked.send(b"%d" % os.waitpid(child, 0)[1])


def _become(wanted: dict[str, object], files: list[int]) -> None:
    for file, standard in zip(files, (1, 2), strict=True):
        os.dup2(file, standard)
        os.close(file)
    os.environ.clear()
    os.environ.update(wanted["environment"])  # type: ignore[call-overload]
    os.chdir(str(wanted["cwd"]))
    sys.path[0] = str(wanted["cwd"])
    sys.argv = [str(wanted["name"]), *wanted["arguments"]]  # type: ignore[misc]


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
