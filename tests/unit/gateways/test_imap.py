"""Unread mails of a mailbox are stored once, then marked or moved; what fails is left for the next look.

A real Dovecot is polled in ``tests/real/gateways``.
"""

from __future__ import annotations

import socket
import socketserver
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from service.errors import CallFailed, SettingError, StoreUnavailable
from service.gateways.imap import Done, Mailbox, Poller, run

ANSWER = {"kind": "bounce"}
MAIL = b"Subject: Undeliverable\r\n\r\nThe mailbox is full.\r\n"


class Session(socketserver.StreamRequestHandler):
    """One connection of a small IMAP server, as far as the poller speaks it."""

    server: Server

    def handle(self) -> None:
        self.say("* OK [CAPABILITY IMAP4rev1] ready")
        for line in self.rfile:
            tag, command, rest = [*line.decode().split(" ", 2), ""][:3]
            if command == "AUTHENTICATE":
                self.say("+ ")
                rest += b64decode(self.rfile.readline()).decode()
            self.server.heard.append((command + " " + rest).strip())
            if command == "AUTHENTICATE" and self.server.refuses_tokens:
                self.say("+ eyJzdGF0dXMiOiI0MDAifQ==")
                assert b"\r\n" == self.rfile.readline()
                self.say(f"{tag} NO invalid token")
                continue
            if self.server.refuses and command.strip() in self.server.refuses:
                self.say(f"{tag} NO not now")
                continue
            self.answer(command.strip().upper(), rest.strip())
            self.say(f"{tag} OK done")
            if command.strip().upper() == "LOGOUT":
                return

    def say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")

    def answer(self, command: str, rest: str) -> None:
        if command == "CAPABILITY":
            self.say(f"* CAPABILITY IMAP4rev1 {self.server.capabilities}")
        elif command == "LOGOUT":
            self.say("* BYE")
        elif command == "SELECT":
            self.say(f"* OK [UIDVALIDITY {self.server.validity}] valid")
            self.say(f"* {len(self.server.mails)} EXISTS")
        elif command == "UID":
            self.answer_uid(*rest.split(" ", 1))

    def answer_uid(self, command: str, rest: str) -> None:
        if command == "SEARCH":
            self.say("* SEARCH " + " ".join(map(str, sorted(self.server.unseen, reverse=True))))
            return
        uid = int(rest.split()[0])
        if command == "FETCH" and uid in self.server.mails:
            mail = self.server.mails[uid]
            self.wfile.write(b"* 1 FETCH (UID %d BODY[]<0> {%d}\r\n%s)\r\n" % (uid, len(mail), mail))
        if (command == "STORE" and "Seen" in rest) or command == "MOVE":
            self.server.unseen.discard(uid)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, count: int) -> None:
        self.mails = dict.fromkeys(range(1, count + 1), MAIL)
        self.unseen = set(self.mails)
        self.validity = 7
        self.capabilities = "MOVE UIDPLUS"
        self.refuses: set[str] = set()
        self.refuses_tokens = False
        self.heard: list[str] = []
        super().__init__(("127.0.0.1", 0), Session)


@pytest.fixture
def serving() -> Iterator[Callable[[int], Server]]:
    with ExitStack() as stack:

        def start(count: int) -> Server:
            server = Server(count)
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            stack.callback(server.server_close)
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return server

        yield start


class Shelf:
    """Stores in memory; fails as often as it was told to."""

    def __init__(self, *failures: Exception) -> None:
        self.kept: list[bytes] = []
        self.failures = list(failures)

    def __call__(self, raw: bytes, _answer: Any) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.kept.append(raw)


def look(server: Server, shelf: Any, state: Path, **options: Any) -> int:
    port = server.server_address[1]
    mailbox = Mailbox("127.0.0.1", port, "office", lambda: 'se"cret', no_tls=True, **options)
    return Poller(mailbox, lambda _: ANSWER, shelf, Done(state)).look(threading.Event())


def test_unread_mails_are_stored_in_order_and_marked_as_read(serving: Any, tmp_path: Path) -> None:
    server, shelf = serving(3), Shelf()
    server.mails[2] = MAIL + b"the second\r\n"

    assert look(server, shelf, tmp_path / "state") == 3

    assert [False, True, False] == [b"second" in raw for raw in shelf.kept]
    assert b"\r" not in shelf.kept[0]
    assert not server.unseen
    assert not any("MOVE" in line for line in server.heard)


def test_what_is_unread_again_is_settled_but_not_stored_again(serving: Any, tmp_path: Path) -> None:
    server, shelf = serving(2), Shelf()
    look(server, shelf, tmp_path / "state")
    server.unseen = {1, 2}

    assert look(server, shelf, tmp_path / "state") == 0

    assert (2, set()) == (len(shelf.kept), server.unseen)


def test_another_uidvalidity_means_other_mails(serving: Any, tmp_path: Path) -> None:
    server, shelf = serving(2), Shelf()
    look(server, shelf, tmp_path / "state")
    server.unseen, server.validity = {1, 2}, 8

    assert look(server, shelf, tmp_path / "state") == 2


def test_an_end_between_storing_and_marking_stores_nothing_twice(serving: Any, tmp_path: Path) -> None:
    server, shelf = serving(1), Shelf()
    server.refuses = {"UID"}

    class Interrupted(Shelf):
        def __call__(self, raw: bytes, answer: Any) -> None:
            super().__call__(raw, answer)
            server.refuses = {"UID"}

    server.refuses = set()
    interrupted = Interrupted()
    with pytest.raises(Exception, match="refused"):
        look(server, interrupted, tmp_path / "state")
    server.refuses = set()
    look(server, shelf, tmp_path / "state")

    assert (1, 0, set()) == (len(interrupted.kept), len(shelf.kept), server.unseen)


@pytest.mark.parametrize(
    ("capabilities", "commands"),
    [
        ("MOVE UIDPLUS", ["STORE", "MOVE"]),
        ("UIDPLUS", ["STORE", "COPY", "STORE", "EXPUNGE"]),
        ("", ["STORE", "COPY", "STORE"]),
    ],
)
def test_mails_are_moved_as_the_server_can(
    serving: Any, tmp_path: Path, capabilities: str, commands: list[str]
) -> None:
    server = serving(1)
    server.capabilities = capabilities

    look(server, Shelf(), tmp_path / "state", move='My "done" mails')

    said = [line.split()[1] for line in server.heard if line.startswith("UID ")]
    assert ["SEARCH", "FETCH", *commands] == said
    assert any(r'"My \"done\" mails"' in line for line in server.heard)


def test_a_mail_with_trouble_of_its_own_does_not_keep_the_others_back(serving: Any, tmp_path: Path) -> None:
    server, shelf = serving(3), Shelf(CallFailed("one"))

    with pytest.raises(CallFailed, match="one"):
        look(server, shelf, tmp_path / "state")

    assert (2, {1}) == (len(shelf.kept), server.unseen)


def test_after_three_failures_the_look_ends(serving: Any, tmp_path: Path) -> None:
    server, shelf = serving(9), Shelf(*[CallFailed("away")] * 9)

    with pytest.raises(CallFailed):
        look(server, shelf, tmp_path / "state")

    assert (6, 9) == (len(shelf.failures), len(server.unseen))


def test_a_mail_that_went_away_is_passed_over(serving: Any, tmp_path: Path) -> None:
    server, shelf = serving(2), Shelf()
    del server.mails[1]

    assert look(server, shelf, tmp_path / "state") == 1


@pytest.mark.parametrize(
    ("failures", "code"), [([], 0), ([OSError(28, "full")], 75), ([CallFailed("x")], 75)]
)
def test_one_look_says_whether_something_is_left(
    serving: Any, tmp_path: Path, failures: list[Exception], code: int
) -> None:
    mailbox = Mailbox("127.0.0.1", serving(1).server_address[1], "office", lambda: "secret", no_tls=True)
    poller = Poller(mailbox, lambda _: ANSWER, Shelf(*failures), Done(tmp_path / "state"))
    assert code == run(poller, every_s=None)


def test_nobody_there_is_left_for_later(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        mailbox = Mailbox("127.0.0.1", taken.getsockname()[1], "office", lambda: "secret", no_tls=True)
        poller = Poller(mailbox, lambda _: ANSWER, Shelf(), Done(tmp_path / "state"))
        assert run(poller, every_s=None) == 75


def test_what_cannot_be_remembered_is_left_for_later(serving: Any, tmp_path: Path) -> None:
    server, state = serving(2), tmp_path / "state"
    mailbox = Mailbox("127.0.0.1", server.server_address[1], "office", lambda: "secret", no_tls=True)
    poller = Poller(mailbox, lambda _: ANSWER, Shelf(), Done(state))
    state.write_bytes(b"no database" * 1000)

    assert 75 == run(poller, every_s=None)
    assert {1, 2} == server.unseen


def test_a_file_that_cannot_be_used_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with pytest.raises(StoreUnavailable, match=f"the file {tmp_path}/state cannot be used: unable to open"):
        Done(tmp_path / "state")


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "mail.example.org", "no_tls": True},
        {"host": "127.0.0.1", "folder": "a\r\nX LOGOUT"},
        {"host": "127.0.0.1", "move": "\u90ae\u4ef6"},
    ],
)
def test_a_mailbox_without_tls_or_with_a_strange_name_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        Mailbox(**{"port": 143, "user": "office", "password": lambda: "x", **wrong})


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(Mailbox("127.0.0.1", 143, "office", lambda: "secret"))


def test_a_token_is_shown_as_oauth_wants_it(serving: Any, tmp_path: Path) -> None:
    server, shelf = serving(1), Shelf()

    assert look(server, shelf, tmp_path / "state", oauth=True) == 1

    assert 'AUTHENTICATE XOAUTH2user=office\1auth=Bearer se"cret\1\1' in "".join(server.heard).replace(
        "\r\n", ""
    )
    assert not any(line.startswith("LOGIN") for line in server.heard)


def test_a_token_that_is_refused_leaves_the_mails_for_later(serving: Any, tmp_path: Path) -> None:
    server = serving(1)
    server.refuses_tokens = True
    mailbox = Mailbox("127.0.0.1", server.server_address[1], "o", lambda: "old", no_tls=True, oauth=True)
    poller = Poller(mailbox, lambda _: ANSWER, Shelf(), Done(tmp_path / "state"))
    assert 75 == run(poller, every_s=None)
    assert {1} == server.unseen
