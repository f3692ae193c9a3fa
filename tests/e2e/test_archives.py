"""Archives and streamed batches over a real socket: slow ones, broken ones, and those that nobody reads."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

pytestmark = pytest.mark.e2e

LINE = b'{"id": %d, "text": "550 5.1.1 <user%d@example.com>: User unknown"}\n'
NDJSON = b"Content-Type: application/x-ndjson\r\n"


def head(path: str, *fields: bytes, method: str = "POST") -> bytes:
    first = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n".encode()
    return first + b"".join(fields) + b"\r\n"


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


CHUNKED = b"Transfer-Encoding: chunked\r\n"
END = b"0\r\n\r\n"


@contextmanager
def connected(port: int) -> Iterator[tuple[socket.socket, IO[bytes]]]:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as connection,
        connection.makefile("rb") as answers,
    ):
        yield connection, answers


def status_in(answers: IO[bytes]) -> tuple[int, dict[str, str]]:
    status = int(answers.readline().split()[1])
    fields = iter(answers.readline, b"\r\n")
    return status, {
        name.lower(): value.strip() for name, _, value in (field.decode().partition(":") for field in fields)
    }


def chunks_in(answers: IO[bytes]) -> Iterator[bytes]:
    while size := int(answers.readline(), 16):
        yield answers.read(size + 2)[:-2]
    answers.readline()


def batches_in(log: Path, count: int) -> list[Any]:
    """The entries on batches, as soon as there are so many."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        entries = [json.loads(line) for line in log.read_text("utf-8").splitlines() if line.endswith("}")]
        found = [entry for entry in entries if entry["event"] == "batch"]
        if len(found) >= count:
            return found
        time.sleep(0.05)
    raise AssertionError("the work did not stop")


@pytest.mark.parametrize("is_chunked", [True, False])
def test_a_line_is_answered_before_the_next_one_is_sent(service: Any, *, is_chunked: bool) -> None:
    lines = [LINE % (n, n) for n in range(5)]
    framing = CHUNKED if is_chunked else b"Content-Length: %d\r\n" % sum(map(len, lines))
    with connected(service.port) as (connection, answers):
        connection.sendall(head("/v1/classify/batch?fields=category", NDJSON, framing))
        chunks = None
        for number, line in enumerate(lines):
            connection.sendall(chunk(line) if is_chunked else line)
            if chunks is None:
                status, fields = status_in(answers)
                assert (200, "application/x-ndjson") == (status, fields["content-type"])
                chunks = chunks_in(answers)
            answer = json.loads(next(chunks))
            assert (number, "recipient_unknown") == (answer["id"], answer["category"])
        if is_chunked:
            connection.sendall(END)
        assert [] == list(chunks or ())
        connection.sendall(head("/healthz", method="GET"))
        assert 200 == status_in(answers)[0]


def test_a_batch_whose_chunks_break_ends_with_a_problem(service: Any) -> None:
    with connected(service.port) as (connection, answers):
        request = head("/v1/classify/batch", NDJSON, CHUNKED) + chunk(LINE % (1, 1)) + b"no chunk\r\n"
        connection.sendall(request)
        assert 200 == status_in(answers)[0]
        first, last = map(json.loads, chunks_in(answers))

        assert (1, 400) == (first["id"], last["status"])
        assert b"" == answers.read()


def test_a_batch_that_breaks_off_ends_with_a_problem(service: Any) -> None:
    with connected(service.port) as (connection, answers):
        connection.sendall(head("/v1/classify/batch", NDJSON, b"Content-Length: 999\r\n") + LINE % (1, 1))
        connection.shutdown(socket.SHUT_WR)
        assert 200 == status_in(answers)[0]
        first, last = map(json.loads, chunks_in(answers))

        assert (1, "urn:ndr-triage:problem:malformed-request") == (first["id"], last["type"])


def test_a_caller_who_leaves_stops_the_work(serve: Callable[..., Any]) -> None:
    left = serve()
    body = b"".join(LINE % (n, n) for n in range(30_000))
    with connected(left.port) as (connection, answers):
        connection.sendall(head("/v1/classify/batch", NDJSON, b"Content-Length: %d\r\n" % len(body)))
        connection.sendall(body[: 1 << 20])
        assert 200 == status_in(answers)[0]
        next(chunks_in(answers))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # gone at once
    (entry,) = batches_in(left.log, 1)

    assert not entry["is_whole"]
    assert entry["answers"] < body[: 1 << 20].count(b"\n")
    assert "ready" == left.json("/readyz")["status"]


def test_a_streamed_batch_may_outlast_other_requests(serve: Callable[..., Any]) -> None:
    hasty = serve(NDR_REQUEST_TIMEOUT_S="1", NDR_UPLOAD_TIMEOUT_S="10")
    with connected(hasty.port) as (connection, answers):
        connection.sendall(head("/v1/classify/batch?fields=category", NDJSON, CHUNKED) + chunk(LINE % (1, 1)))
        assert 200 == status_in(answers)[0]
        chunks = chunks_in(answers)
        next(chunks)
        time.sleep(2.5)
        connection.sendall(chunk(LINE % (2, 2)))
        assert 2 == json.loads(next(chunks))["id"]
        last = json.loads(next(chunks))

        assert ("urn:ndr-triage:problem:out-of-time", None) == (last["type"], last["id"])


def test_an_upload_without_a_key_gets_no_longer_time(serve: Callable[..., Any], tmp_path: Path) -> None:
    locked = serve(NDR_REQUEST_TIMEOUT_S="1", NDR_API_KEYS="key", NDR_DATA_DIR=str(tmp_path))
    with connected(locked.port) as (connection, answers):
        connection.sendall(head("/v1/archives", b"Content-Length: 100\r\n") + b"From ")
        assert 401 == status_in(answers)[0]


def test_an_archive_is_uploaded_slowly_and_told_of(serve: Callable[..., Any], tmp_path: Path) -> None:
    small = serve(
        NDR_DATA_DIR=str(tmp_path),
        NDR_REQUEST_TIMEOUT_S="1",
        NDR_MAX_BODY_BYTES="1024",
        NDR_MAX_ARCHIVE_BYTES="1000000",
    )
    archive = b"".join(LINE % (n, n) for n in range(1000))
    with connected(small.port) as (connection, answers):
        connection.sendall(head("/v1/archives", NDJSON, CHUNKED) + chunk(archive[:5000]))
        time.sleep(2.5)
        connection.sendall(chunk(archive[5000:]) + END)
        status, fields = status_in(answers)
        job = json.loads(answers.read(int(fields["content-length"])))

    assert (202, f"/v1/archives/{job['id']}") == (status, fields["location"])
    assert archive == (tmp_path / "archives" / job["id"] / "archive").read_bytes()
    assert "queued" == small.json(fields["location"])["state"]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (head("/v1/archives", NDJSON, b"Content-Length: 3000\r\n") + LINE % (1, 1), 400),
        (head("/v1/archives", NDJSON, CHUNKED) + chunk(LINE % (1, 1)) + b"5\r\nab", 400),
        (head("/v1/archives", NDJSON, CHUNKED) + chunk(LINE % (1, 1)) + b"no chunk\r\n", 400),
        (head("/v1/archives", NDJSON, CHUNKED) + chunk(b"x" * 3000) * 2 + END, 413),
        (head("/v1/archives", NDJSON, b"Content-Length: 5000\r\n") + b"x" * 5000, 413),
    ],
)
def test_an_upload_that_fails_keeps_nothing(
    serve: Callable[..., Any], tmp_path: Path, request_: bytes, status: int
) -> None:
    small = serve(NDR_DATA_DIR=str(tmp_path), NDR_MAX_ARCHIVE_BYTES="4000")
    with connected(small.port) as (connection, answers):
        connection.sendall(request_)
        connection.shutdown(socket.SHUT_WR)
        assert status == status_in(answers)[0]

    assert [] == list(tmp_path.rglob("archive*/*"))


def test_transfers_that_stand_still_leave_a_place_to_others(
    serve: Callable[..., Any], tmp_path: Path
) -> None:
    small = serve(NDR_DATA_DIR=str(tmp_path), NDR_THREADS="3")
    stalled = head("/v1/archives", NDJSON, b"Content-Length: 100000\r\n") + LINE % (1, 1)
    with ExitStack() as stack:
        answers = []
        for _ in range(2):
            connection, answer = stack.enter_context(connected(small.port))
            connection.sendall(stalled)
            answers.append(answer)
        until = time.monotonic() + 20
        while len(list(tmp_path.rglob("archives/*/.*"))) < 2:
            assert time.monotonic() < until
            time.sleep(0.05)
        connection, answer = stack.enter_context(connected(small.port))
        connection.sendall(stalled)

        assert 503 == status_in(answer)[0]
        assert "ready" == small.json("/readyz")["status"]
