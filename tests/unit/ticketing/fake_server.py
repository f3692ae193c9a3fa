"""A small real HTTP server on loopback that fakes of ticketing systems are made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import orjson

from service.outgoing import HttpCaller


@dataclass(frozen=True, slots=True)
class Request:
    """A call as it came; header names in lower case, the path without its query and still quoted."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which has to be JSON and to say so."""
        assert self.headers.get("content-type", "").split(";")[0] == "application/json", (
            "no JSON content type"
        )
        return orjson.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is not simply 200: bytes go out as they are, anything else as JSON."""

    status: int
    value: Any = b""
    headers: Mapping[str, str] | None = None


Answer = Callable[[Request, "re.Match[str]"], Any]
Route = tuple[str, str, Answer]
"""Method, pattern that the whole path must match, and what answers; it returns a value or a ``Reply``.

An ``AssertionError`` in it means that the adapter called wrongly: it is answered 400 and makes the test fail.
"""


class FakeServer:
    """Serves a table of routes while it is entered, and fails at the end if a call was not as it has to be.

    Args:
        routes: the table; the first that fits answers.
        prefix: part of the base address, before each path.
        check: called with each request first, for what all of them need, such as credentials.
    """

    def __init__(
        self, routes: Iterable[Route], *, prefix: str = "", check: Callable[[Request], None] | None = None
    ) -> None:
        self.routes = tuple(routes)
        self.prefix = prefix
        self.check = check
        self.calls: list[Request] = []
        self.unexpected: list[str] = []
        self._callers: list[HttpCaller] = []
        self._server = _Server(self)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        """Its base address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{self.prefix}"

    def caller(self, headers: Mapping[str, str]) -> HttpCaller:
        """The service's own caller, which makes each call once and ends with the server."""
        self._callers.append(HttpCaller(self.url, headers, pauses_s=()))
        return self._callers[-1]

    def made(self, *methods: str) -> list[tuple[str, str]]:
        """The calls with these methods, or all: method and path."""
        return [(call.method, call.path) for call in self.calls if not methods or call.method in methods]

    def answer(self, request: Request) -> Reply:
        """Finds the route and asks it."""
        self.calls.append(request)
        try:
            found = self._answer(request)
        except AssertionError as error:
            self.unexpected.append(f"{request.method} {request.path}: {str(error).splitlines()[:1]}")
            return Reply(400)
        return found if isinstance(found, Reply) else Reply(200, found)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        for caller in self._callers:
            caller.close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        assert kind is not None or not self.unexpected, self.unexpected

    def _answer(self, request: Request) -> Any:
        if self.check:
            self.check(request)
        for method, pattern, answer in self.routes:
            found = re.fullmatch(pattern, request.path) if method == request.method else None
            if found:
                return answer(request, found)
        raise AssertionError("no such call")


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # they are waited for when the server closes

    def __init__(self, fake: FakeServer) -> None:
        self.fake = fake
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def answer(self) -> None:
        fake, parts = self.server.fake, urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        path = parts.path.removeprefix(fake.prefix)
        reply = fake.answer(Request(self.command, path, dict(parse_qsl(parts.query)), headers, body))
        value = reply.value if isinstance(reply.value, bytes) else orjson.dumps(reply.value)
        self.send_response(reply.status)
        for name, given in (reply.headers or {}).items():
            self.send_header(name, given)
        self.send_header("Content-Length", str(len(value)))
        self.end_headers()
        self.wfile.write(value)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer  # noqa: N815  # http.server names them so

    def log_message(self, *_: object) -> None:
        return
