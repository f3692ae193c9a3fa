"""Starts the real service as a process on a free port."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

ROOT = Path(__file__).parents[2]
NDR = (sys.executable, "-m", "service")


def environment(**settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NDR_")}
    return {**kept, **settings}


@dataclass
class Service:
    """A running service: its address, its process, and its log."""

    address: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def request(self, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            with urlopen(Request(self.address + path, body, named), timeout=20) as response:  # noqa: S310  # ours
                return response.status, response.read()
        except HTTPError as error:
            with error:
                return error.code, error.read()

    def json(self, path: str, body: bytes | None = None, **headers: str) -> Any:
        return json.loads(self.request(path, body, **headers)[1])

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=40)


def started(log: Path, **settings: str) -> Service:
    given = {"NDR_PORT": "0", "NDR_WORKERS": "1", **settings}
    with log.open("wb") as stream:
        process = subprocess.Popen([*NDR, "serve"], cwd=ROOT, env=environment(**given), stderr=stream)
    while process.poll() is None:
        if match := re.search(r"Listening at: (http://[^ ]+:(\d+))", log.read_text("utf-8")):
            return Service(match[1], int(match[2]), process, log)
        time.sleep(0.05)
    raise AssertionError("the service did not start: " + log.read_text("utf-8"))


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Service]]:
    with ExitStack() as stack:

        def start(**settings: str) -> Service:
            service = started(tmp_path_factory.mktemp("service") / "log", **settings)
            stack.callback(service.stop)
            return service

        yield start


@pytest.fixture(scope="session")
def service(serve: Callable[..., Service]) -> Service:
    return serve()


@pytest.fixture
def ndr() -> Callable[..., subprocess.CompletedProcess[bytes]]:
    def run(*arguments: str, given: bytes = b"", **settings: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*NDR, *arguments],
            cwd=ROOT,
            env=environment(**settings),
            input=given,
            capture_output=True,
            timeout=60,
        )

    return run
