"""What docs/api.md tells to do does what it says, on the samples."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from app.settings import Settings
from app.web.server import create_app
from jobs.service import Service
from tests.conftest import NOW, ROOT
from tests.test_web_api import KEY, profile

__all__ = ["profile"]  # a fixture: a reader with a key
pytestmark = [
    pytest.mark.usefixtures("profile"),
    pytest.mark.parametrize("database", ["sqlite"], indirect=True),
]
GUIDE = ROOT / "docs" / "api.md"


def blocks(kind: str) -> list[str]:
    """The blocks of the guide in one language."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def environment(ingested: Service, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Where the service answers on loopback, and the key to it."""
    listening = socket.create_server(("127.0.0.1", 0))
    home = f"http://127.0.0.1:{listening.getsockname()[1]}"
    app = create_app(ingested, Settings(data=tmp_path / "var", base_url=home), lambda: NOW)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield {"PATH": os.environ["PATH"], "PAPERWATCH": home, "KEY": KEY, "no_proxy": "127.0.0.1"}
    server.should_exit = True
    thread.join()


def test_the_python_of_the_guide_prints_what_the_guide_shows(
    environment: dict[str, str], tmp_path: Path
) -> None:
    program = "\n".join(blocks("python"))
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "".join(blocks("text")), "docs/api.md shows something else"


def test_the_commands_of_the_guide_work(environment: dict[str, str], tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is missing; install it with `apt-get install curl`")
    lines = [line for line in "".join(blocks("sh")).splitlines() if not line.startswith("export ")]
    assert len(lines) == 4
    for line in lines:
        done = subprocess.run(
            ["sh", "-c", line.replace("curl ", "curl --fail-with-body --silent --show-error ", 1)],
            env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    assert (tmp_path / "scheduling.bib").read_text().startswith("@")
