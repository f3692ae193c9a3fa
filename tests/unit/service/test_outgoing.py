"""Calls to other systems: tried again where that may help, and never led elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from service.errors import CallFailed, CallRefused
from service.outgoing import MOST_ANSWER_BYTES, HttpCaller

Said = tuple[int, dict[str, str], bytes]


class Remote(ThreadingHTTPServer):
    """A system that says what it was told to, and remembers what it was asked."""

    def __init__(self, sayings: list[Said]) -> None:
        self.sayings = sayings
        self.asked: list[tuple[str, str, bytes, dict[str, str]]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/base/"


class _Handler(BaseHTTPRequestHandler):
    server: Remote

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.server.asked.append((self.command, self.path, body, dict(self.headers)))
        status, headers, said = self.server.sayings.pop(0)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(said)

    do_GET = do_POST  # noqa: N815  # the server calls it so

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def remote(*sayings: Said) -> Iterator[tuple[Remote, HttpCaller, list[float]]]:
    server, pauses = Remote(list(sayings)), []
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    caller = HttpCaller(server.base, {"Authorization": "token secret"}, sleep=pauses.append)
    try:
        yield server, caller, pauses
    finally:
        caller.close()
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_call_carries_its_body_and_both_kinds_of_headers() -> None:
    with remote((201, {"X-Made": "7"}, b'{"id": 7}')) as (server, caller, pauses):
        answered = caller.call("POST", "/tickets?x=1", body=b"hi", headers={"X-Own": "a"})
    assert (answered.status, answered.headers["x-made"], answered.json()) == (201, "7", {"id": 7})
    method, path, body, headers = server.asked[0]
    assert (method, path, body) == ("POST", "/base/tickets?x=1", b"hi")
    assert (headers["Authorization"], headers["X-Own"], pauses) == ("token secret", "a", [])


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_trouble_of_the_other_side_is_tried_again_until_it_is_over(status: int) -> None:
    with remote((status, {}, b""), (status, {"Retry-After": "4"}, b""), (200, {}, b"")) as (
        server,
        caller,
        pauses,
    ):
        assert caller.call("POST", "/", body=b"").status == 200
    assert (len(server.asked), pauses) == (3, [0.5, 4.0])


@pytest.mark.parametrize(("asked", "told"), [("6", 6.0), ("60", 60.0), ("86400", 60.0)])
def test_a_long_wait_is_left_to_the_caller(asked: str, told: float) -> None:
    with (
        remote((429, {"Retry-After": asked}, b"")) as (server, caller, pauses),
        pytest.raises(CallFailed, match="answered 429") as failure,
    ):
        caller.call("GET", "/")
    assert (failure.value.retry_after_s, len(server.asked), pauses) == (told, 1, [])


def test_a_caller_with_time_waits_longer() -> None:
    pauses: list[float] = []
    with (
        remote((429, {"Retry-After": "60"}, b""), (200, {}, b"")) as (server, _, _),
        closing(HttpCaller(server.base, most_pause_s=60.0, sleep=pauses.append)) as caller,
    ):
        assert (200, [60.0]) == (caller.call("GET", "/").status, pauses)


def test_an_answer_that_takes_too_long_is_a_failed_call() -> None:
    times = iter([0.0, 1.0, 30.5])
    with (
        remote((200, {}, b"x" * (1 << 20))) as (server, _, _),
        closing(HttpCaller(server.base, pauses_s=(), clock=lambda: next(times))) as caller,
        pytest.raises(CallFailed, match="did not answer in 30 s"),
    ):
        caller.call("POST", "/", body=b"")


def test_an_answer_that_breaks_off_is_a_failed_call() -> None:
    with (
        remote((200, {"Content-Length": "9"}, b"half")) as (server, _, _),
        closing(HttpCaller(server.base, pauses_s=())) as caller,
        pytest.raises(CallFailed, match="cannot be reached"),
    ):
        caller.call("POST", "/", body=b"")


def test_trouble_that_stays_is_a_failed_call() -> None:
    with (
        remote(*[(503, {}, b"")] * 3) as (server, caller, _),
        pytest.raises(CallFailed, match="answered 503"),
    ):
        caller.call("POST", "/", body=b"")
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [301, 302, 400, 401, 404, 422])
def test_a_refusal_or_a_way_elsewhere_is_not_tried_again_nor_followed(status: int) -> None:
    elsewhere = {"Location": "http://192.0.2.1/"}
    with (
        remote((status, elsewhere, b"why")) as (server, caller, pauses),
        pytest.raises(CallRefused, match=f"answered {status}") as refusal,
    ):
        caller.call("POST", "/", body=b"")
    assert (refusal.value.status, len(server.asked), pauses) == (status, 1, [])
    assert "secret" not in str(refusal.value)


def test_nobody_there_is_a_failed_call_that_names_the_host_and_no_secret() -> None:
    caller = HttpCaller("http://127.0.0.1:9", {"Authorization": "secret"}, pauses_s=())
    with pytest.raises(CallFailed, match=r"127\.0\.0\.1:9 cannot be reached") as failure:
        caller.call("GET", "/")
    assert "secret" not in str(failure.value) + repr(caller)
    caller.close()


def test_an_answer_without_end_is_refused() -> None:
    endless = (200, {}, b"x" * (MOST_ANSWER_BYTES + 1))
    with remote(endless) as (_, caller, _), pytest.raises(CallRefused, match="more than"):
        caller.call("POST", "/", body=b"")


def test_what_is_no_json_is_said_to_be_none() -> None:
    with remote((200, {}, b"<html>")) as (_, caller, _), pytest.raises(CallRefused, match="no JSON"):
        caller.call("POST", "/", body=b"").json()
