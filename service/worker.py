"""gunicorn's threaded worker: deadlines, bodies as they arrive, problem JSON for what is no HTTP."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping
from functools import partial
from http import HTTPStatus
from threading import Lock, Thread
from time import monotonic, sleep
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import orjson
import structlog
from gunicorn.http import errors as http_errors  # type: ignore[import-untyped]
from gunicorn.http.body import Body, ChunkedReader  # type: ignore[import-untyped]
from gunicorn.util import write_nonblock  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

from service.allowance import offer
from service.logs import places_of
from service.orphan import when_orphaned

CHECK_EVERY_S = 0.5
IDLE_S = 60.0
"""How long a caller may send nothing, or take nothing, while a request is under way."""

ANSWER_GRACE_S = 5.0
"""How long after its deadline a request may still be answered with an error."""

STATUSES: Mapping[type[Exception], HTTPStatus] = {
    http_errors.LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    http_errors.LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    http_errors.ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
    http_errors.UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    http_errors.ParseException: HTTPStatus.BAD_REQUEST,
    OSError: HTTPStatus.BAD_REQUEST,
}
"""What cannot be read as HTTP; the first row that fits decides."""


class TimedWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Cuts connections whose request takes longer than allowed, above all those that send it drop by drop."""

    def init_process(self) -> None:
        """Starts the watch beside the worker."""
        self._deadlines: dict[socket.socket, float] = {}
        self._prolonged: set[socket.socket] = set()
        self._lock = Lock()
        Thread(target=self._watch, daemon=True).start()
        when_orphaned(self.ppid, self._end)
        super().init_process()

    def load_wsgi(self) -> None:
        """Loads the application, which can then allow a request more time, and read what has arrived."""
        super().load_wsgi()
        self._application: WSGIApplication = self.wsgi
        self.wsgi: WSGIApplication = self._served

    def handle(self, conn: TConn) -> object:
        """Handles one request under a deadline."""
        sock = conn.sock
        with self._lock:
            self._deadlines[sock] = monotonic() + self.cfg.timeout
        try:
            return super().handle(conn)
        finally:
            with self._lock:
                del self._deadlines[sock]
                self._prolonged.discard(sock)

    def handle_error(self, _req: object, client: socket.socket, _addr: object, exc: Exception) -> None:
        """Answers what is no HTTP, and logs that without quoting it."""
        status = status_of(exc)
        structlog.get_logger().warning(
            "refused", status=status, error=type(exc).__name__, places=places_of(exc) if status >= 500 else []
        )
        try:
            write_nonblock(client, raw_problem(status))
        except OSError:
            return

    def _end(self) -> None:
        """Ends a worker whose master was killed, also where a caller takes his time."""
        sleep(self.cfg.graceful_timeout)
        os._exit(os.EX_UNAVAILABLE)

    def _watch(self) -> None:
        while True:
            sleep(CHECK_EVERY_S)
            self._cut_overdue(monotonic())

    def _cut_overdue(self, now: float) -> None:
        with self._lock:
            for sock, deadline in self._deadlines.items():
                if deadline < now:
                    _cut(sock, socket.SHUT_RDWR if deadline + ANSWER_GRACE_S < now else socket.SHUT_RD)

    def _served(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        sock = environ["gunicorn.socket"]
        sock.settimeout(IDLE_S)
        offer(environ, partial(self._allow, sock))
        environ["wsgi.input"] = PromptBody(environ["wsgi.input"])
        return self._application(environ, start_response)

    def _allow(self, sock: socket.socket, seconds: float) -> bool:
        """Gives a request more time, unless those that have it would leave no thread to others."""
        with self._lock:
            if sock in self._deadlines:
                if len(self._prolonged | {sock}) > max(1, self.cfg.threads - 1):
                    return False
                self._prolonged.add(sock)
                self._deadlines[sock] = monotonic() + seconds
        return True


class PromptBody:
    """A request body that gives what has arrived, where gunicorn's waits until it has all that was asked for.

    So who sends a line and waits for its answer gets it. Nothing else may read the body.

    Args:
        body: as gunicorn has it.
    """

    def __init__(self, body: Body) -> None:
        self._body = body

    def read(self, size: int = -1) -> bytes:
        """At least one byte and at most so many; none at the end; all of it where no size is given.

        Raises:
            ParseException: the chunks cannot be read.
            OSError: the connection broke.
        """
        if size < 0:
            whole: bytes = self._body.read()
            return whole
        try:
            return _arrived(self._body.reader, size)
        except Exception:
            self._body.failed = True  # nobody knows where the next request begins
            raise


def _arrived(reader: Any, size: int) -> bytes:  # noqa: ANN401  # one of gunicorn's readers
    """Waits for the first byte only; what came with it lies in a buffer."""
    first: bytes = reader.read(min(size, 1))
    held = reader.buf if isinstance(reader, ChunkedReader) else reader.unreader.buf
    rest: bytes = reader.read(min(size - 1, held.tell())) if first and size > 1 else b""
    return first + rest


def status_of(error: Exception) -> HTTPStatus:
    """The status for an exception outside the application."""
    fitting = (status for kind, status in STATUSES.items() if isinstance(error, kind))
    return next(fitting, HTTPStatus.INTERNAL_SERVER_ERROR)


def raw_problem(status: HTTPStatus) -> bytes:
    """A whole HTTP response with a problem."""
    body = orjson.dumps(
        {"type": "about:blank", "title": status.phrase, "status": status, "detail": status.description}
    )
    head = (
        f"HTTP/1.1 {status} {status.phrase}\r\nConnection: close\r\n"
        f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def _cut(sock: socket.socket, how: int) -> None:
    try:
        sock.shutdown(how)
    except OSError:
        return
