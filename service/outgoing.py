"""Calls another system over HTTP: at one configured host, with time-outs and back-off, without redirects."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

import orjson
import urllib3

from service.errors import CallFailed, CallRefused

TIMEOUT_S = 10.0
MOST_ANSWER_BYTES = 36 << 20
"""A mail of 25 MiB, the largest that is diagnosed where nobody says otherwise, in base64."""

PIECE_BYTES = 64 << 10
MOST_TIMEOUTS = 3
"""How many time-outs long a whole call may last."""

MOST_PAUSE_S = 5.0
"""Who asks for a longer wait than this is not waited for, where the caller is not told otherwise."""

PAUSES_S = (0.5, 2.0)
"""How long to wait before each further try."""

AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same call may succeed a little later."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What the other system said: a status below 300, headers in lower case, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401  # any JSON value may come
        """The body as JSON.

        Raises:
            CallRefused: it is none.
        """
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise CallRefused("the answer is no JSON", self.status) from None


class Caller(Protocol):
    """Calls one system."""

    def call(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answered:
        """Makes a call.

        Args:
            method: of HTTP.
            path: below the base address, with the query; it begins with a slash.
            body: what to send.
            headers: beside the caller's own.

        Raises:
            CallFailed: it did not get through, or the other side has trouble; later it may.
            CallRefused: the other side does not want it, and will not later.
        """


@dataclass(frozen=True, slots=True)
class HttpCaller:
    """Calls the system at a base address.

    Args:
        base: its address; a path of it stands before those of calls.
        headers: sent with each call, secrets among them; never logged.
        timeout_s: for connecting, and between two pieces of the answer; thrice this for a whole answer.
        pauses_s: before each further try.
        most_pause_s: the longest wait that the other side may ask for before a further try.
        sleep: waits.
        clock: tells seconds that only go forward.
    """

    base: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = TIMEOUT_S
    pauses_s: tuple[float, ...] = PAUSES_S
    most_pause_s: float = MOST_PAUSE_S
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _pool: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(num_pools=2, retries=False), repr=False
    )

    def call(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answered:
        """Makes a call; see ``Caller``."""
        for pause in self.pauses_s:
            try:
                return self._once(method, path, body, headers or {})
            except CallFailed as failure:
                if (failure.retry_after_s or 0) > self.most_pause_s:
                    raise
                self.sleep(failure.retry_after_s or pause)
        return self._once(method, path, body, headers or {})

    def close(self) -> None:
        """Ends the connections that are kept open."""
        self._pool.clear()

    def _once(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answered:
        before = self.clock() + MOST_TIMEOUTS * self.timeout_s
        try:
            response = self._pool.request(
                method,
                self.base.rstrip("/") + path,
                body=body,
                headers={"User-Agent": "ndr-triage", **self.headers, **headers},
                timeout=self.timeout_s,
                redirect=False,
                preload_content=False,
            )
            content = self._read(response, before)
        except urllib3.exceptions.HTTPError as error:
            raise CallFailed(f"{self._host()} cannot be reached: {type(error).__name__}") from error
        if response.status in AGAIN:
            raise CallFailed(f"{self._host()} answered {response.status}", _wait_s(response.headers))
        if response.status >= 300:
            raise CallRefused(f"{self._host()} answered {response.status}", response.status)
        if len(content) > MOST_ANSWER_BYTES:
            raise CallRefused(f"{self._host()} answered more than {MOST_ANSWER_BYTES} bytes", response.status)
        return Answered(
            response.status, {name.lower(): value for name, value in response.headers.items()}, content
        )

    def _read(self, response: urllib3.BaseHTTPResponse, before: float) -> bytes:
        """The body, or a little more than is allowed of it.

        Raises:
            CallFailed: it does not come to its end before a time.
        """
        content = bytearray()
        is_whole = False
        try:
            while len(content) <= MOST_ANSWER_BYTES and not is_whole:
                if self.clock() > before:
                    raise CallFailed(f"{self._host()} did not answer in {MOST_TIMEOUTS * self.timeout_s:g} s")
                piece = response.read1(PIECE_BYTES)
                content += piece
                is_whole = not piece
        finally:
            if not is_whole:
                response.close()  # what is left of it must not stand before the next answer
            response.release_conn()
        return bytes(content)

    def _host(self) -> str:
        return urlsplit(self.base).netloc.rpartition("@")[2]


def _wait_s(headers: Mapping[str, str]) -> float | None:
    """The seconds of ``Retry-After``, at most a minute; a date in it is not followed."""
    value = headers.get("Retry-After", "")
    return min(60.0, float(value)) if value.isascii() and value.isdecimal() else None
