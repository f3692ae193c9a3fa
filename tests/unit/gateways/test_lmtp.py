"""Mail is taken over LMTP only when its result is stored."""

from __future__ import annotations

import asyncio
import json
import smtplib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiosmtpd", reason="needs the extra lmtp")

from service.errors import CallFailed
from service.gateways import lmtp as lmtp_module
from service.gateways.listening import Address, listen
from service.gateways.lmtp import Receiver
from service.gateways.stores import appended_to, delivered_to

ANSWER = {"kind": "bounce", "category": "mailbox_full"}
MAIL = b"Subject: Undeliverable\r\nX-NDR-Kind: forged\r\n\r\n.the first line\r\n" + b"y" * 5000 + b"\r\n"


class Line:
    """A client that speaks line by line."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.lines = self.socket.makefile("rb")
        self.heard()

    def heard(self) -> str:
        line = self.lines.readline()
        while line[3:4] == b"-":
            line = self.lines.readline()
        return line.decode().strip()

    def ask(self, said: bytes) -> str:
        self.socket.sendall(said + b"\r\n")
        return self.heard()

    def send(self, content: bytes, recipients: int = 1) -> list[str]:
        stuffed = content.replace(b"\r\n.", b"\r\n..")
        self.ask(b"DATA")
        first = self.ask(stuffed + b".")
        return [first] + [self.heard() for _ in range(recipients - 1)]

    def close(self) -> None:
        self.lines.close()
        self.socket.close()


def with_client(receiver: Receiver, script: Callable[[Line], Any]) -> Any:
    async def main() -> Any:
        server = await listen(receiver.protocol, Address("127.0.0.1", 0))
        try:
            return await asyncio.to_thread(played, server.sockets[0].getsockname()[1], script)
        finally:
            server.close()
            await server.wait_closed()
            await asyncio.sleep(0)

    try:
        return asyncio.run(main())
    finally:
        receiver.close()


def played(port: int, script: Callable[[Line], Any]) -> Any:
    line = Line(port)
    try:
        return script(line)
    finally:
        line.ask(b"QUIT")
        line.close()


def greeted(line: Line, *recipients: bytes) -> Line:
    line.ask(b"LHLO mail.example.org")
    line.ask(b"MAIL FROM:<>")
    for recipient in recipients:
        line.ask(b"RCPT TO:<" + recipient + b">")
    return line


def test_each_recipient_has_a_reply_and_the_mail_is_stored_once(tmp_path: Path) -> None:
    seen: list[bytes] = []
    receiver = Receiver(lambda raw: seen.append(raw) or ANSWER, appended_to(str(tmp_path / "answers")))

    replies = with_client(receiver, lambda line: greeted(line, b"a@x.example", b"b@x.example").send(MAIL, 2))

    assert ["250 2.0.0 Diagnosed and stored"] * 2 == replies
    assert [ANSWER] == [json.loads(line) for line in (tmp_path / "answers").read_text().splitlines()]
    assert [b"Return-Path: <>\n" + MAIL.replace(b"\r\n", b"\n")] == seen


def test_it_is_delivered_with_marks(tmp_path: Path) -> None:
    with_client(
        Receiver(lambda _: ANSWER, delivered_to(str(tmp_path))),
        lambda line: greeted(line, b"a@x.example").send(MAIL),
    )

    (delivered,) = (tmp_path / "new").iterdir()
    assert delivered.read_bytes().startswith(
        b"X-NDR-Kind: bounce\nX-NDR-Category: mailbox_full\nReturn-Path: <>\n"
    )
    assert b"forged" not in delivered.read_bytes()


@pytest.mark.parametrize(
    "error", [CallFailed("no service"), OSError(28, "No space left"), RuntimeError("secret")]
)
def test_what_cannot_be_stored_is_left_to_the_sender(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(_raw: bytes, _answer: Any) -> None:
        raise error

    replies = with_client(
        Receiver(lambda _: ANSWER, fails), lambda line: greeted(line, b"a@x.example").send(MAIL)
    )

    assert ["451 4.3.0 Not now; please try again"] == replies
    assert "secret" not in capsys.readouterr().out


def test_several_mails_go_over_one_connection(tmp_path: Path) -> None:
    def script(line: Line) -> list[str]:
        return [greeted(line, b"a@x.example").send(MAIL)[0][:3] for _ in range(3)]

    assert with_client(Receiver(lambda _: ANSWER, appended_to(str(tmp_path / "x"))), script) == ["250"] * 3


def test_a_mail_that_is_too_large_is_refused(tmp_path: Path) -> None:
    receiver = Receiver(lambda _: ANSWER, appended_to(str(tmp_path / "x")), most_bytes=10_000)

    replies = with_client(receiver, lambda line: greeted(line, b"a@x.example").send(MAIL * 10))

    assert replies[0].startswith("552")
    assert not (tmp_path / "x").exists()


def test_long_lines_are_taken(tmp_path: Path) -> None:
    receiver = Receiver(lambda _: ANSWER, appended_to(str(tmp_path / "x")))
    long = b"A: b\r\n\r\n" + b"\xe4" * 200_000 + b"\r\n"

    assert with_client(receiver, lambda line: greeted(line, b"a@x.example").send(long))[0].startswith("250")


def test_recipients_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmtp_module, "MOST_RECIPIENTS", 1)
    receiver = Receiver(lambda _: ANSWER, lambda *_: None)

    assert (
        with_client(receiver, lambda line: greeted(line, b"a@x.example").ask(b"RCPT TO:<b@x.example>"))[:3]
        == "452"
    )


def test_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmtp_module, "MOST_CONNECTIONS", 1)
    receiver = Receiver(lambda _: ANSWER, lambda *_: None)

    def script(line: Line) -> bytes:
        with socket.create_connection(line.socket.getpeername(), 10) as second:
            return second.recv(100)

    assert with_client(receiver, script).startswith(b"421 ")


def test_it_speaks_smtp_where_asked(tmp_path: Path) -> None:
    receiver = Receiver(lambda _: ANSWER, appended_to(str(tmp_path / "x")), is_smtp=True)

    def script(line: Line) -> dict[str, Any]:
        with smtplib.SMTP(*line.socket.getpeername(), timeout=10) as client:
            return client.sendmail("", ["a@x.example", "b@x.example"], MAIL)

    assert with_client(receiver, script) == {}
    assert len((tmp_path / "x").read_text().splitlines()) == 1
