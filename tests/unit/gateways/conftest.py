"""The real web application on a port of its own, scripted servers, and mails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from werkzeug.serving import make_server

from service.settings import Settings
from service.web.app import create_app
from service.wiring import build

SAMPLES = Path(__file__).parents[2] / "samples"

Said = tuple[int, bytes]


@dataclass
class Scripted:
    """A server that says what it was told to, and remembers what it was asked."""

    url: str
    sayings: list[Said]
    asked: list[tuple[str, str, bytes, dict[str, str]]] = field(default_factory=list)


def handler_of(scripted: Callable[[], Scripted]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            scripted().asked.append((self.command, self.path, body, dict(self.headers)))
            status, said = scripted().sayings.pop(0)
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_POST  # noqa: N815  # the server calls it so

        def log_message(self, *_: object) -> None:
            return

    return Handler


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[str]:
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def scripted() -> Iterator[Callable[..., Scripted]]:
    with ExitStack() as stack:

        def start(*sayings: Said) -> Scripted:
            made: list[Scripted] = []
            server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(lambda: made[0]))
            made.append(Scripted(stack.enter_context(serving(server)), list(sayings)))
            return made[0]

        yield start


@pytest.fixture(scope="session")
def service_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service that asks for the key ``letmein``."""
    settings = {"NDR_API_KEYS": "letmein", "NDR_DATA_DIR": str(tmp_path_factory.mktemp("kept"))}
    server = make_server("127.0.0.1", 0, create_app(build(Settings.read(settings))), threaded=True)
    server.log_type = None  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def mail() -> bytes:
    return (SAMPLES / "postfix-block-list.eml").read_bytes()


@pytest.fixture
def serve() -> Iterator[Callable[[ThreadingHTTPServer], str]]:
    """Serves until the test ends; gives the address."""
    with ExitStack() as stack:
        yield lambda server: stack.enter_context(serving(server))
