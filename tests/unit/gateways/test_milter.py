"""The milter marks bounces, passes all other mail early, and never keeps one back."""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from service.errors import CallFailed
from service.gateways import milter as milter_module
from service.gateways.asking import MOST_EVIDENCE_BYTES
from service.gateways.listening import Address, address_of, listen
from service.gateways.milter import Milter
from service.gateways.milter_protocol import MOST_PACKET_BYTES, Conversation, ProtocolError, length_of, packet

POSTFIX_OFFER = struct.pack(">III", 6, 0x1FF, 0x1FFFFF)
BARE_OFFER = struct.pack(">III", 2, 0x3F, 0x7F)
ANSWER = {"kind": "bounce", "category": "mailbox_full", "action": "retry", "confidence": 0.9}
REPORT = b"multipart/report; report-type=delivery-status"

Reply = tuple[bytes, bytes]


class Mta:
    """What an MTA says, over a real connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def tell(self, letter: bytes, payload: bytes = b"") -> None:
        self.writer.write(packet(letter, payload))

    async def heard(self) -> Reply:
        length = struct.unpack(">I", await self.reader.readexactly(4))[0]
        content = await self.reader.readexactly(length)
        return content[:1], content[1:]

    async def ask(self, letter: bytes, payload: bytes = b"") -> Reply:
        self.tell(letter, payload)
        return await self.heard()

    async def to_the_end(self) -> list[Reply]:
        self.tell(b"E")
        replies = [await self.heard()]
        while replies[-1][0] not in (b"a", b"c", b"t", b"r"):
            replies.append(await self.heard())
        return replies

    async def up_to_the_body(self, sender: bytes, headers: Mapping[bytes, bytes]) -> bytes:
        """The last reply."""
        await self.ask(b"O", POSTFIX_OFFER)
        self.tell(b"D", b"Mi\0ABC\0")
        reply, _ = await self.ask(b"M", sender + b"\0SIZE=100\0")
        if reply == b"c":
            for name, value in headers.items():
                self.tell(b"L", name + b"\0" + value + b"\0")
            reply, _ = await self.ask(b"N")
        return reply


def talk(milter: Milter, script: Callable[[Mta], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        server = await listen(milter.protocol, Address("127.0.0.1", 0))
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            return await asyncio.wait_for(script(Mta(reader, writer)), 30)
        finally:
            writer.close()
            server.close()
            await server.wait_closed()

    try:
        return asyncio.run(main())
    finally:
        milter.close()


def test_it_asks_for_little() -> None:
    async def script(mta: Mta) -> Reply:
        return await mta.ask(b"O", POSTFIX_OFFER)

    letter, payload = talk(Milter(lambda _: ANSWER), script)

    assert (b"O", (6, 0x11, 0x10078B)) == (letter, struct.unpack(">III", payload))


@pytest.mark.parametrize(("sender", "content_type"), [(b"<>", b"text/plain"), (b"<a@example.org>", REPORT)])
def test_a_bounce_is_marked_and_forged_marks_go(sender: bytes, content_type: bytes) -> None:
    seen: list[bytes] = []

    async def script(mta: Mta) -> tuple[bytes, Reply, list[Reply]]:
        headers = {
            b"Subject": b" a\n b",
            b"X-NDR-Kind": b" success",
            b"x-ndr-action": b" none",
            b"Content-Type": content_type,
        }
        reply = await mta.up_to_the_body(sender, headers)
        return reply, await mta.ask(b"B", b"the body\r\n"), await mta.to_the_end()

    reply, body, end = talk(Milter(lambda raw: seen.append(raw) or ANSWER), script)

    assert (b"c", b"c") == (reply, body[0])
    assert [
        (b"m", b"\0\0\0\1X-NDR-Kind\0\0"),
        (b"m", b"\0\0\0\1x-ndr-action\0\0"),
        (b"i", b"\0\0\0\0X-NDR-Confidence\0 0.9\0"),
        (b"i", b"\0\0\0\0X-NDR-Action\0 retry\0"),
        (b"i", b"\0\0\0\0X-NDR-Category\0 mailbox_full\0"),
        (b"i", b"\0\0\0\0X-NDR-Kind\0 bounce\0"),
        (b"a", b""),
    ] == end
    assert seen[0].endswith(b"Subject: a\r\n b\r\nContent-Type:" + content_type + b"\r\n\r\nthe body\r\n")
    assert seen[0].startswith(b"Return-Path: <>\r\n") == (sender == b"<>")


def test_other_mail_passes_before_its_body() -> None:
    def never(_raw: bytes) -> Any:
        raise AssertionError("it was diagnosed")

    async def script(mta: Mta) -> bytes:
        return await mta.up_to_the_body(b"<a@example.org>", {b"Content-Type": b"text/plain"})

    assert talk(Milter(never), script) == b"a"


def test_forged_marks_go_from_other_mail_too() -> None:
    async def script(mta: Mta) -> tuple[bytes, Reply, list[Reply]]:
        reply = await mta.up_to_the_body(b"<a@example.org>", {b"X-NDR-Kind": b" bounce"})
        return reply, await mta.ask(b"B", b"x" * 65535), await mta.to_the_end()

    reply, body, end = talk(Milter(lambda _: ANSWER), script)

    assert (b"c", b"s") == (reply, body[0])
    assert [(b"m", b"\0\0\0\1X-NDR-Kind\0\0"), (b"a", b"")] == end


@pytest.mark.parametrize(
    "error", [CallFailed("no service"), OSError("?"), RuntimeError("a fault"), ValueError()]
)
def test_whatever_goes_wrong_the_mail_passes_unmarked(error: Exception) -> None:
    def fails(_raw: bytes) -> Any:
        raise error

    async def script(mta: Mta) -> list[Reply]:
        await mta.up_to_the_body(b"<>", {})
        return await mta.to_the_end()

    assert [(b"a", b"")] == talk(Milter(fails), script)


def test_a_slow_diagnosis_is_not_waited_for_and_the_next_passes_at_once() -> None:
    go_on = threading.Event()

    async def script(mta: Mta) -> list[list[Reply]]:
        ends = []
        for _ in range(3):
            await mta.ask(b"M", b"<>\0")
            await mta.ask(b"N")
            ends.append(await mta.to_the_end())
        go_on.set()
        return ends

    ends = talk(Milter(lambda _: go_on.wait(30) and ANSWER, threads=1, patience_s=0.05), script)

    assert [[(b"a", b"")]] * 3 == ends


def test_a_huge_body_is_cut_short() -> None:
    seen: list[bytes] = []

    async def script(mta: Mta) -> list[bytes]:
        await mta.up_to_the_body(b"<>", {})
        replies = [(await mta.ask(b"B", b"x" * 65535))[0] for _ in range(40)]
        await mta.to_the_end()
        return replies

    replies = talk(Milter(lambda raw: seen.append(raw) or ANSWER), script)

    assert (b"c", b"s") == (replies[0], replies[-1])
    assert len(seen[0]) <= MOST_EVIDENCE_BYTES + 100


def test_too_many_at_once_pass_unmarked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(milter_module, "MOST_MESSAGES", 0)

    async def script(mta: Mta) -> Reply:
        return await mta.ask(b"M", b"<>\0")

    assert talk(Milter(lambda _: ANSWER), script)[0] == b"a"


def test_several_mails_go_over_one_connection() -> None:
    async def script(mta: Mta) -> list[int]:
        await mta.ask(b"O", POSTFIX_OFFER)
        counts = []
        for ends_early in (False, True, False):
            await mta.ask(b"M", b"<>\0")
            await mta.ask(b"N")
            if ends_early:
                mta.tell(b"A")
                continue
            counts.append(len(await mta.to_the_end()))
        mta.tell(b"K")
        await mta.ask(b"M", b"<>\0")
        mta.tell(b"Q")
        assert await mta.reader.read() == b""
        return counts

    milter = Milter(lambda _: ANSWER)

    assert talk(milter, script) == [5, 5]
    assert not milter.is_busy


def test_an_mta_that_offers_little_gets_each_reply_it_waits_for() -> None:
    async def script(mta: Mta) -> list[bytes]:
        asked = [await mta.ask(b"O", BARE_OFFER)]
        for letter, payload in (
            (b"C", b"h\0U"),
            (b"H", b"h\0"),
            (b"M", b"<>\0"),
            (b"R", b"<x>\0"),
            (b"L", b"A\0b\0"),
        ):
            asked.append(await mta.ask(letter, payload))
        asked += [await mta.ask(b"N"), await mta.ask(b"B", b"x")]
        return [letter for letter, _ in asked] + [(await mta.to_the_end())[-1][0]]

    assert talk(Milter(lambda _: ANSWER), script) == [b"O", *[b"c"] * 7, b"a"]


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\0", b"\xff\xff\xff\xff", packet(b"O", b"x")]
)
def test_nonsense_ends_the_connection(sent: bytes) -> None:
    async def script(mta: Mta) -> bytes:
        mta.writer.write(sent)
        return await mta.reader.read()

    assert talk(Milter(lambda _: ANSWER), script) == b""


@pytest.mark.parametrize("length", [0, MOST_PACKET_BYTES + 1, 2**32 - 1])
def test_a_packet_has_a_size(length: int) -> None:
    with pytest.raises(ProtocolError, match=str(length)):
        length_of(struct.pack(">I", length))


def test_a_version_that_is_too_old_is_refused() -> None:
    with pytest.raises(ProtocolError, match="1"):
        Conversation().heard(b"O", struct.pack(">III", 1, 0, 0))


def test_it_listens_on_a_socket_file_too(tmp_path: Path) -> None:
    address = address_of(f"unix:{tmp_path}/milter.sock")

    async def main() -> int:
        for _ in range(2):  # the second finds the file of the first
            server = await listen(Milter(lambda _: ANSWER).protocol, address)
            server.close()
            await server.wait_closed()
        return Path(address.path).stat().st_mode & 0o777

    assert asyncio.run(main()) == 0o660
