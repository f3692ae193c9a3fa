"""Gives each request an id, and the log one line about it."""

from __future__ import annotations

import re
from time import perf_counter
from uuid import uuid4

import structlog
from flask import Flask, Response, g, request

HEADER = "X-Request-ID"
QUIET = frozenset({"operations.healthz", "operations.readyz"})
"""Probes that come every few seconds and would drown the rest."""


def register(app: Flask) -> None:
    """Makes an application trace its requests."""
    app.before_request(_start)
    app.after_request(_finish)


def request_id_of(given: str | None) -> str:
    """The caller's own request id when it is harmless, or else a new one.

    >>> request_id_of("queue-4711.2")
    'queue-4711.2'
    """
    return given if given and re.fullmatch(r"[A-Za-z0-9._-]{1,64}", given) else uuid4().hex


def _start() -> None:
    g.started = perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id_of(request.headers.get(HEADER)))


def _finish(response: Response) -> Response:
    response.headers[HEADER] = structlog.contextvars.get_contextvars()["request_id"]
    response.headers["X-Content-Type-Options"] = "nosniff"
    if request.endpoint not in QUIET:
        structlog.get_logger().info(
            "request",
            method=request.method,
            route=request.url_rule.rule if request.url_rule else None,
            status=response.status_code,
            duration_ms=round((perf_counter() - g.started) * 1000, 2),
        )
    return response
