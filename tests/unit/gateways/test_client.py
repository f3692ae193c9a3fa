"""The client asks, tries again where that does no harm, and says plainly what went wrong."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from service import client as client_module
from service.client import Client, ClientError, Refused, Unreachable

UNKNOWN_USER = "550 5.1.1 <user@example.com>: Recipient address rejected: User unknown"
FULL = "452 4.2.2 <user@example.com>: mailbox full"
DOOR = (503, b"")
OK = (200, b'{"kind": "bounce"}')


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "PAUSE_S", 0.0)


@pytest.fixture
def client(service_url: str) -> Client:
    return Client(service_url, "letmein")


def test_it_has_a_reply_diagnosed(client: Client) -> None:
    assert client.classify(UNKNOWN_USER)["category"] == "recipient_unknown"


def test_it_has_a_mail_diagnosed_in_a_language_and_trimmed(client: Client, mail: bytes) -> None:
    answer = client.classify(mail, language="zh", fields=("kind", "title"))

    assert list(answer) == ["kind", "title"]
    assert not answer["title"].isascii()


def test_it_joins_several_pieces(client: Client, mail: bytes) -> None:
    answer = client.diagnose(
        {'a "strange"\r\nname.eml': mail, "reply.txt": UNKNOWN_USER.encode()}, language="zh"
    )

    assert answer["kind"] == "bounce"


def test_it_sends_a_correction(client: Client) -> None:
    assert client.feedback(UNKNOWN_USER, "mailbox_disabled", note="the account was closed")["id"]
    assert client.feedback(UNKNOWN_USER.encode(), "mailbox_disabled")["id"]


@pytest.mark.parametrize(
    ("call", "status", "problem"),
    [
        (lambda each: each.classify("  "), 422, "empty-evidence"),
        (lambda each: each.classify(FULL, fields=["colour"]), 422, "invalid-request"),
        (lambda each: each.feedback(FULL, "no_such_category"), 422, "invalid-request"),
        (lambda each: each.archive("../../x"), 404, "not-found"),
    ],
)
def test_a_refusal_holds_the_problem(
    client: Client, call: Callable[[Client], Any], status: int, problem: str
) -> None:
    with pytest.raises(Refused) as refusal:
        call(client)

    assert refusal.value.status == status
    assert refusal.value.problem["type"].endswith(problem)


def test_a_wrong_key_is_a_refusal(service_url: str) -> None:
    with pytest.raises(Refused) as refusal:
        Client(service_url, "wrong").classify(FULL)

    assert refusal.value.status == 401


def test_nobody_there_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1"):
            Client(f"http://127.0.0.1:{taken.getsockname()[1]}").classify(FULL)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8080", "ftp://127.0.0.1", "http://", "http://u:p@127.0.0.1", "http://h/?q"]
)
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="http"):
        Client(url)


@pytest.mark.parametrize(
    ("sayings", "tries"), [([OK], 1), ([DOOR, OK], 2), ([DOOR, (500, b"x"), OK], 3), ([(429, b""), OK], 2)]
)
def test_trouble_is_tried_again(scripted: Any, sayings: list[Any], tries: int) -> None:
    server = scripted(*sayings)

    assert Client(server.url + "/below/").classify(FULL) == {"kind": "bounce"}
    assert [path for _, path, _, _ in server.asked] == ["/below/v1/classify"] * tries


def test_it_gives_up_after_its_tries(scripted: Any) -> None:
    server = scripted(DOOR, DOOR, DOOR, OK)

    with pytest.raises(Unreachable, match="503"):
        Client(server.url).classify(FULL)

    assert len(server.asked) == 3


def test_a_refusal_is_not_tried_again(scripted: Any) -> None:
    server = scripted((404, b"no JSON"), OK)

    with pytest.raises(Refused) as refusal:
        Client(server.url).classify(FULL)

    assert refusal.value.problem == {}
    assert len(server.asked) == 1


def test_a_repeated_correction_has_one_key(scripted: Any) -> None:
    server = scripted(DOOR, (201, b'{"id": "x"}'))

    Client(server.url).feedback(FULL, "mailbox_full")

    assert len({headers["Idempotency-Key"] for *_, headers in server.asked}) == 1


@pytest.mark.parametrize("said", [b"", b"[]", b"<html>", b'{"kind": '])
def test_an_answer_that_is_none_is_trouble(scripted: Any, said: bytes) -> None:
    with pytest.raises(Unreachable, match="answer"):
        Client(scripted((200, said)).url, retries=0).classify(FULL)


class Streaming(BaseHTTPRequestHandler):
    """Answers each line of a batch before it reads the next; breaks off at an item that says so."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        with suppress(OSError):  # a caller may leave early
            self.answer()

    def answer(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while length := int(self.rfile.readline(), 16):
            item = json.loads(self.rfile.read(length))
            self.rfile.readline()
            if item.get("text") == "break off":
                self.close_connection = True
                return
            self.chunk(json.dumps({"id": item["id"], "kind": "bounce"}).encode() + b"\n")
        self.chunk(b"")

    def chunk(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def streaming(serve: Callable[[ThreadingHTTPServer], str]) -> Client:
    return Client(serve(ThreadingHTTPServer(("127.0.0.1", 0), Streaming)), timeout_s=10)


def test_answers_come_while_items_are_still_sent(streaming: Client) -> None:
    items = ({"id": number, "text": FULL} for number in range(2000))

    assert [answer["id"] for answer in streaming.batch(items)] == list(range(2000))


def test_a_later_item_may_depend_on_an_earlier_answer(streaming: Client) -> None:
    from queue import SimpleQueue

    questions: SimpleQueue[int | None] = SimpleQueue()
    questions.put(0)

    def items() -> Iterator[dict[str, Any]]:
        while (number := questions.get(timeout=10)) is not None:
            yield {"id": number, "text": FULL}

    for answer in streaming.batch(items()):
        questions.put(answer["id"] + 1 if answer["id"] < 5 else None)


def test_a_batch_that_breaks_off_says_so_after_what_was_answered(streaming: Client) -> None:
    items = [{"id": 0, "text": FULL}, {"id": 1, "text": "break off"}, {"id": 2, "text": FULL}]
    answers = streaming.batch(items)

    assert next(answers)["id"] == 0
    with pytest.raises(Unreachable):
        next(answers)


@pytest.mark.parametrize("error", [KeyError("the caller's"), OSError("the caller's")])
def test_what_goes_wrong_with_the_items_is_the_callers(streaming: Client, error: Exception) -> None:
    def items() -> Iterator[dict[str, Any]]:
        yield {"id": 0, "text": FULL}
        raise error

    with pytest.raises(type(error), match="the caller's"):
        list(streaming.batch(items()))


def test_a_batch_may_be_left_early(streaming: Client) -> None:
    answers = streaming.batch({"id": number, "text": FULL} for number in range(100_000))

    assert next(iter(answers))["id"] == 0
    answers.close()  # type: ignore[attr-defined]  # it is a generator


def test_a_file_is_uploaded_once_from_where_it_stands(scripted: Any, tmp_path: Path) -> None:
    file = tmp_path / "archive.mbox"
    file.write_bytes(b"skipped" + b"x" * 100_000)
    server = scripted((202, b'{"id": "a"}'))

    with file.open("rb") as stream:
        stream.seek(7)
        assert Client(server.url).upload_archive(stream, name="archive.mbox") == {"id": "a"}

    method, path, body, headers = server.asked[0]
    assert (method, path.partition("?")[0]) == ("POST", "/v1/archives")
    assert body == b"x" * 100_000
    assert headers["Content-Length"] == "100000"


def test_results_go_to_a_file(scripted: Any, tmp_path: Path) -> None:
    server = scripted((200, b"row\n" * 50_000))

    with (tmp_path / "results").open("wb") as target:
        assert Client(server.url).archive_results("a/b", target) == 200_000

    assert server.asked[0][1] == "/v1/archives/a%2Fb/results"


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl for a certificate")
def test_https_is_checked(tmp_path: Path, serve: Callable[[ThreadingHTTPServer], str]) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    make += " -addext subjectAltName=DNS:localhost"
    subprocess.run([*make.split(), "-keyout", key, "-out", cert], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Plain)
    server.socket = context.wrap_socket(server.socket, server_side=True)

    url = serve(server).replace("http://127.0.0.1", "https://localhost")
    trusting = ssl.create_default_context(cafile=os.fspath(cert))
    assert Client(url, tls=trusting).classify(FULL) == {"kind": "bounce"}
    with pytest.raises(Unreachable):
        Client(url, retries=0).classify(FULL)


class Plain(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(OK[1])

    def log_message(self, *_: object) -> None:
        return


def test_every_error_has_one_root() -> None:
    assert issubclass(Unreachable, ClientError)
    assert issubclass(Refused, ClientError)
