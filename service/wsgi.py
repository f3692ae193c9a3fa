"""Makes a request body that broke off, or is wrongly chunked, an error instead of a shorter body."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]


class Readable(Protocol):
    """A request body as the server offers it."""

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end."""


class CheckedInput:
    """A request body that raises ``OSError`` where it is not whole.

    Args:
        stream: the body.
        announced_bytes: its ``Content-Length``; 0 when it is chunked.
    """

    def __init__(self, stream: Readable, announced_bytes: int) -> None:
        self._stream = stream
        self._missing_bytes = announced_bytes

    def read(self, size: int = -1) -> bytes:
        """The next bytes.

        Raises:
            OSError: the body broke off, or its chunks cannot be read.
        """
        try:
            read = self._stream.read(size)
        except ParseException as error:
            raise OSError("the chunks cannot be read") from error
        if not read and size and self._missing_bytes > 0:
            raise OSError("the body broke off")
        self._missing_bytes -= len(read)
        return read


def with_checked_input(application: WSGIApplication) -> WSGIApplication:
    """An application that learns of bodies that are not whole."""

    def checked(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH") or "0"
        environ["wsgi.input"] = CheckedInput(environ["wsgi.input"], int(length))
        return application(environ, start_response)

    return checked
