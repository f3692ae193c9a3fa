"""gunicorn's threaded worker, with a deadline for each request and problem JSON for what is no HTTP."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from http import HTTPStatus
from threading import Lock, Thread
from time import monotonic, sleep

import orjson
import structlog
from gunicorn.http import errors as http_errors  # type: ignore[import-untyped]
from gunicorn.util import write_nonblock  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

from service.logs import places_of

CHECK_EVERY_S = 0.5
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
        self._deadlines: dict[TConn, float] = {}
        self._lock = Lock()
        Thread(target=self._watch, daemon=True).start()
        super().init_process()

    def handle(self, conn: TConn) -> object:
        """Handles one request under a deadline."""
        with self._lock:
            self._deadlines[conn] = monotonic() + self.cfg.timeout
        try:
            return super().handle(conn)
        finally:
            with self._lock:
                del self._deadlines[conn]

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

    def _watch(self) -> None:
        while True:
            sleep(CHECK_EVERY_S)
            self._cut_overdue(monotonic())

    def _cut_overdue(self, now: float) -> None:
        with self._lock:
            for conn, deadline in self._deadlines.items():
                if deadline < now:
                    _cut(conn.sock, socket.SHUT_RDWR if deadline + ANSWER_GRACE_S < now else socket.SHUT_RD)


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
