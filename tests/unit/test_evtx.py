"""Event log files are turned into XML, as far as they are whole.

No sample file is shipped; these are built here, of plain elements without templates.
"""

import struct
import zlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import EvidenceError
from model.events import Event
from model.evtx import event_texts, is_evtx
from model.parse.exchange_event import FORMAT

NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"
CHUNK, RECORDS_AT, RECORD_HEAD = 65536, 512, 24
Element = tuple[str, dict[str, str], str, list["Element"]]


class BinaryXml:
    """Writes elements in the binary form of the file; offsets count from the start of the chunk."""

    def __init__(self, start: int) -> None:
        self.raw = bytearray(b"\x0f\x01\x01\x00")
        self._start = start

    def element(self, element: Element) -> None:
        name, attributes, text, children = element
        self.raw += b"\x41" if attributes else b"\x01"
        size_at = self._room()
        self._name(name)
        if attributes:
            self._attributes(attributes)
        self.raw += b"\x02"
        if text:
            self._value(text)
        for child in children:
            self.element(child)
        self.raw += b"\x04"
        self._fill(size_at)

    def _attributes(self, attributes: dict[str, str]) -> None:
        size_at = self._room()
        for left, (name, value) in zip(range(len(attributes) - 1, -1, -1), attributes.items(), strict=True):
            self.raw += b"\x46" if left else b"\x06"
            self._name(name)
            self._value(value)
        self._fill(size_at)

    def _name(self, name: str) -> None:
        here = self._start + len(self.raw) + 4
        self.raw += struct.pack("<IIHH", here, 0, 0, len(name)) + name.encode("utf-16-le") + b"\0\0"

    def _value(self, text: str) -> None:
        self.raw += b"\x05\x01" + struct.pack("<H", len(text)) + text.encode("utf-16-le")

    def _room(self) -> int:
        self.raw += b"\0\0\0\0"
        return len(self.raw)

    def _fill(self, at: int) -> None:
        struct.pack_into("<I", self.raw, at - 4, len(self.raw) - at)


def event(event_id: int, *strings: str) -> Element:
    system: list[Element] = [
        ("Provider", {"Name": "MSExchangeTransport"}, "", []),
        ("EventID", {"Qualifiers": "32772"}, str(event_id), []),
        ("Level", {}, "3", []),
        ("TimeCreated", {"SystemTime": "2026-11-02T02:14:07.000000000Z"}, "", []),
        ("Computer", {}, "EX2.example.com", []),
    ]
    data: list[Element] = [("Data", {}, string, []) for string in strings]
    return ("Event", {"xmlns": NAMESPACE}, "", [("System", {}, "", system), ("EventData", {}, "", data)])


def event_log(events: Sequence[Element]) -> bytes:
    chunk = bytearray(CHUNK)
    at, last = RECORDS_AT, 0
    for number, each in enumerate(events, 1):
        xml = BinaryXml(at + RECORD_HEAD)
        xml.element(each)
        size = RECORD_HEAD + len(xml.raw) + 5
        record = struct.pack("<IIQQ", 0x2A2A, size, number, 132_000_000_000_000_000) + xml.raw + b"\0"
        chunk[at : at + size] = record + struct.pack("<I", size)
        at, last = at + size, at
    count = len(events)
    records = zlib.crc32(chunk[RECORDS_AT:at])
    struct.pack_into("<8sQQQQIIII", chunk, 0, b"ElfChnk", 1, count, 1, count, 128, last, at, records)
    struct.pack_into("<I", chunk, 124, zlib.crc32(chunk[:120] + chunk[128:RECORDS_AT]))
    head = bytearray(4096)
    struct.pack_into("<8sQQQIHHHH", head, 0, b"ElfFile", 0, 0, count + 1, 128, 1, 3, 4096, 1)
    struct.pack_into("<I", head, 124, zlib.crc32(head[:120]))
    return bytes(head + chunk)


LOG = event_log(
    [
        event(1035, "IllegalMessage", "Default EX2", "ExchangeAuth", "192.0.2.11"),
        event(15006, "a & b"),
        event(7036),
    ]
)


def told(raw: bytes) -> list[Event]:
    lines = (line for text in event_texts(raw) for line in text.splitlines())
    return [each for each in FORMAT.read(lines) if each]


def test_a_log_is_known_by_its_first_bytes() -> None:
    assert (True, False, False) == (is_evtx(LOG), is_evtx(b"MZ"), is_evtx(b""))


def test_each_event_is_one_xml_text() -> None:
    texts = list(event_texts(LOG))

    assert 3 == len(texts)
    assert all(text.startswith(f'<Event xmlns="{NAMESPACE}">') for text in texts)
    assert all(text.endswith("</Event>") for text in texts)
    assert "a &amp; b" in texts[1]


def test_the_texts_are_read_as_any_other_entry() -> None:
    first, second, third = told(LOG)

    assert ("192.0.2.11", "Default EX2", "EX2.example.com") == (
        first.peer_ip,
        first.detail["connector"],
        first.host,
    )
    assert ["transport.1035", "transport.15006", None] == [
        each.detail.get("note") for each in (first, second, third)
    ]


def test_no_more_than_asked_for_are_read() -> None:
    assert 2 == len(list(event_texts(LOG, max_events=2)))


def test_a_cut_log_gives_what_it_still_holds() -> None:
    assert 3 == len(list(event_texts(LOG[:10_000])))


@pytest.mark.parametrize("raw", [b"", b"hello", b"ElfFile\0", LOG[:200]])
def test_what_is_no_log_is_refused(raw: bytes) -> None:
    with pytest.raises(EvidenceError):
        list(event_texts(raw))


@given(st.lists(st.tuples(st.integers(0, 7000), st.integers(0, 255)), max_size=20), st.integers(0, len(LOG)))
@settings(max_examples=200, deadline=None)
def test_damage_is_passed_over(spots: list[tuple[int, int]], end: int) -> None:
    raw = bytearray(LOG)
    for at, value in spots:
        raw[at] = value
    try:
        texts = list(event_texts(bytes(raw[:end])))
    except EvidenceError:
        texts = []

    assert len(texts) <= 10_000
