"""Lets the application set the deadline of a request that the worker watches."""

from __future__ import annotations

from collections.abc import Callable
from wsgiref.types import WSGIEnvironment

from service.errors import Busy

_KEY = "ndr.allow_time"


def offer(environ: WSGIEnvironment, allow: Callable[[float], bool]) -> None:
    """Offers a request a function that sets its deadline to so many seconds from now, if it may."""
    environ[_KEY] = allow


def allow_time(environ: WSGIEnvironment, seconds: float) -> None:
    """Sets the deadline of a request to so many seconds from now; nothing where the server has none.

    Raises:
        Busy: too many requests have more time than others already.
    """
    allow = environ.get(_KEY)
    if allow is not None and not allow(seconds):
        raise Busy("Too many uploads, downloads and streamed batches are under way.")
