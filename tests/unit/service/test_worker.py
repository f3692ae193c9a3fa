"""What is no HTTP is answered with a problem and logged without a quote."""

import json
import socket
from http import HTTPStatus
from io import StringIO

import pytest
from gunicorn.http import errors

from service import logs
from service.worker import TimedWorker, raw_problem, status_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.LimitRequestLine(5000, 4094), HTTPStatus.REQUEST_URI_TOO_LONG),
        (errors.LimitRequestHeaders("many"), HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
        (errors.InvalidRequestLine("marker@example.com"), HTTPStatus.BAD_REQUEST),
        (errors.InvalidHeader("marker@example.com"), HTTPStatus.BAD_REQUEST),
        (errors.UnsupportedTransferCoding("zip"), HTTPStatus.NOT_IMPLEMENTED),
        (errors.InvalidChunkSize(b"zz"), HTTPStatus.BAD_REQUEST),
        (ValueError("bug"), HTTPStatus.INTERNAL_SERVER_ERROR),
    ],
)
def test_each_error_outside_the_application_has_a_status(error: Exception, status: HTTPStatus) -> None:
    assert status == status_of(error)


def test_a_raw_problem_is_a_whole_response() -> None:
    head, _, body = raw_problem(HTTPStatus.BAD_REQUEST).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    assert (400, "about:blank") == (json.loads(body)["status"], json.loads(body)["type"])


def test_what_is_no_http_is_answered_and_not_quoted_in_the_log() -> None:
    stream = StringIO()
    logs.configure("info", stream=stream)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        worker = TimedWorker.__new__(TimedWorker)
        worker.handle_error(None, ours, None, errors.InvalidRequestLine("marker@example.com"))

        assert theirs.recv(4096).startswith(b"HTTP/1.1 400 ")
    assert "InvalidRequestLine" == json.loads(stream.getvalue())["error"]
    assert "marker" not in stream.getvalue()
