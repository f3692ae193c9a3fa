"""The real service, over a real socket."""

import json
import socket
import time
from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

WORKED_CASE = (
    b'451 4.4.0 Primary target IP address responded with: "454 4.7.0 Temporary authentication failure." '
    b"Attempted failover to alternate host, but that did not succeed. Either there are no alternate hosts, "
    b"or delivery failed to all alternate hosts."
)
FOUR_CAUSES = ["clock_skew", "dc_replication", "spn_missing_or_duplicate", "kerberos_ports_blocked"]
SIBLING = b"451 5.7.3 Cannot achieve Exchange Server authentication"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("reply", [WORKED_CASE, SIBLING])
def test_the_worked_case_comes_out_right(service: Any, reply: bytes, language: str) -> None:
    answer = service.json("/v1/classify", reply, Content_Type="text/plain", Accept_Language=language)

    assert ("bounce", "internal_auth_failed", "temporary", language) == tuple(
        answer[name] for name in ("kind", "category", "permanence", "language")
    )
    assert FOUR_CAUSES == [cause["id"] for cause in answer["causes"][:4]]
    assert all(cause["checks"] and cause["fixes"] for cause in answer["causes"][:4])


def test_the_service_is_ready_once_it_listens(service: Any) -> None:
    assert "ready" == service.json("/readyz")["status"]


def test_a_batch_goes_over_the_wire(service: Any) -> None:
    items = [{"id": "a", "text": WORKED_CASE.decode()}, {"id": "b"}]
    body = json.dumps({"items": items}).encode()
    results = service.json("/v1/classify/batch", body, Content_Type="application/json")["results"]

    assert [("a", None), ("b", 422)] == [(result["id"], result.get("status")) for result in results]


def exchange(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


HEAD = b"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n6\r\n550 no\r\n0\r\n\r\n", 200),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n550 no\r\n0\r\n\r\n", 400),
        (HEAD + b"Content-Length: 100\r\n\r\n550 no", 400),
        (HEAD + b"Content-Length: 999999999\r\n\r\n550 no", 413),
        (b"marker@example.com\r\n\r\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nA@: marker@example.com\r\n\r\n", 400),
    ],
)
def test_odd_requests_get_a_problem(service: Any, request_: bytes, status: int) -> None:
    answer = exchange(service.port, request_)

    assert f"HTTP/1.1 {status} ".encode() == answer[:13]
    assert (b"application/problem+json" in answer) == (status >= 400)


def test_a_chunked_body_above_the_limit_is_refused(serve: Callable[..., Any]) -> None:
    small = serve(NDR_MAX_BODY_BYTES="1024")
    chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
    answer = exchange(small.port, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 3 + b"0\r\n\r\n")

    assert b"HTTP/1.1 413 " == answer[:13]
    assert b"urn:ndr-triage:problem:too-large" in answer


def test_a_request_sent_drop_by_drop_is_cut(serve: Callable[..., Any]) -> None:
    hasty = serve(NDR_REQUEST_TIMEOUT_S="1")
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=20) as connection:
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n550")
        answer = connection.recv(65536)

    assert b"HTTP/1.1 400 " == answer[:13]
    assert time.monotonic() - started < 5


def test_sigterm_lets_an_open_request_finish(serve: Callable[..., Any]) -> None:
    stopping = serve()
    with socket.create_connection(("127.0.0.1", stopping.port), timeout=20) as connection:
        connection.sendall(HEAD + b"Content-Length: 6\r\n\r\n550")
        time.sleep(0.5)
        codes: list[int] = []
        stopper = Thread(target=lambda: codes.append(stopping.stop()))
        stopper.start()
        time.sleep(0.5)
        connection.sendall(b" no")

        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    stopper.join(30)
    assert [0] == codes


def test_the_log_is_json_and_tells_nothing_that_was_handed_in(serve: Callable[..., Any]) -> None:
    logging = serve()
    mail = b"From: marker@example.com\r\nSubject: markersubject\r\n\r\n550 5.1.1 <marker@example.com>: no\r\n"
    logging.request("/v1/classify", mail, Content_Type="message/rfc822")
    logging.request("/marker@example.com?marker=marker@example.com")
    exchange(logging.port, b"GET /marker@example.com marker\r\n\r\n")
    logging.stop()
    text = logging.log.read_text("utf-8")

    assert "marker" not in text
    assert {"/v1/classify", None} == {
        entry["route"] for entry in map(json.loads, text.splitlines()) if entry["event"] == "request"
    }
