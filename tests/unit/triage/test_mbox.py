"""An mbox gives the same messages however it is cut, and one that is too large does not stop the rest."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from service.errors import UnreadableArchive
from service.triage.formats import mbox
from service.triage.formats.records import LINES, WHOLE, Cut, Part, Record, records
from service.triage.guards import Limits
from service.triage.nouns import Item
from service.triage.packing import Source
from service.triage.planning import plan
from service.triage.reading import items

FROM = "From MAILER-DAEMON Mon Nov  2 10:14:23 2026\n"
MBOX = (
    f"\n\n{FROM}Subject: one\n\nFrom here on all is well.\n\nFrom then on it is not,\nthey say.\n>From a\n\n"
    "From b@example.com\nSubject: two\n\n\n\n\n"
    f"{FROM}\n\nthree has no header\n{FROM}and no empty line before that\n\n"
    f"{FROM}Subject: four\n\nno line end"
)
CONTENTS = [
    b"Subject: one\n\nFrom here on all is well.\n\nFrom then on it is not,\nthey say.\n>From a\n\n",
    b"Subject: two\n\n\n\n\n",
    f"\n\nthree has no header\n{FROM}and no empty line before that\n\n".encode(),
    b"Subject: four\n\nno line end",
]


class Blocks(Source):
    """An archive that is all there and comes in blocks of one size, or breaks off at its end."""

    def __init__(self, raw: bytes, size: int, failure: str = "", limits: Limits | None = None) -> None:
        super().__init__("in/a.mbox", limits=limits or Limits())
        object.__setattr__(self, "given", (raw, size, failure))

    def blocks(self, offset: int = 0) -> Iterator[bytes]:
        raw, size, failure = self.given  # type: ignore[attr-defined]
        for start in range(offset, len(raw), size):
            yield raw[start : start + size]
        if failure:
            raise UnreadableArchive(failure)


def read(source: Source, part: Part = WHOLE) -> list[Item]:
    return list(mbox.read(source, part))


def planned(file: Path, chunk_bytes: int, limits: Limits | None = None) -> list[Item]:
    chunks = plan([str(file)], chunk_bytes=chunk_bytes, limits=limits)
    return [item for chunk in chunks for item in items(chunk, limits=limits)]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_messages_begin_at_from_lines_behind_empty_lines(line_end: str) -> None:
    raw = MBOX.replace("\n", line_end).encode()

    found = read(Blocks(raw, 1000))

    assert [item.raw for item in found] == [each.replace(b"\n", line_end.encode()) for each in CONTENTS]
    assert [int(item.id.removeprefix("a.mbox#")) for item in found] == [
        raw.index(b"From MAILER"),
        raw.index(b"From b"),
        raw.index(b"From MAILER", raw.index(b"From b")),
        raw.rindex(b"From MAILER"),
    ]
    assert {(item.form, item.error) for item in found} == {("message", None)}


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_chunks_of_every_size_hold_each_message_once(tmp_path: Path, line_end: str) -> None:
    file = tmp_path / "a.mbox"
    file.write_bytes(MBOX.replace("\n", line_end).encode())
    expected = planned(file, 1 << 20)

    assert len(expected) == 4
    for chunk_bytes in range(1, file.stat().st_size + 1):
        assert expected == planned(file, chunk_bytes)


@pytest.mark.parametrize("size", range(1, 60))
def test_blocks_of_every_size_give_the_same_messages(size: int) -> None:
    raw = MBOX.encode()

    assert read(Blocks(raw, len(raw))) == read(Blocks(raw, size))


PIECES = some.sampled_from(
    ["\n", "\r\n", "\r", FROM, "From ", "From a\n", ">From ", "Subject: x\n", "x", "12:30"]
)


@given(pieces=some.lists(PIECES, max_size=40), size=some.integers(1, 30), chunk_bytes=some.integers(1, 50))
def test_any_text_is_cut_the_same_by_any_chunks_and_blocks(
    pieces: list[str], size: int, chunk_bytes: int
) -> None:
    raw = "".join(pieces).encode()
    starts = range(0, len(raw), chunk_bytes)
    whole = list(records(Blocks(raw, 10_000), mbox.CUT, WHOLE))
    lines = list(records(Blocks(raw, 10_000), LINES, WHOLE))

    assert whole == cut(raw, size, chunk_bytes, starts, mbox.CUT)
    assert lines == cut(raw, size, chunk_bytes, starts, LINES)
    assert raw == b"".join(line.raw for line in lines)
    assert raw[whole[0].offset :] == b"".join(each.raw for each in whole) if whole else True


def cut(raw: bytes, size: int, chunk_bytes: int, starts: range, how: Cut) -> list[Record]:
    return [
        record
        for start in starts
        for record in records(Blocks(raw, size), how, Part(start, min(start + chunk_bytes, len(raw))))
    ]


@pytest.mark.parametrize("chunk_bytes", [100_000, 1 << 20, 1 << 30])
def test_a_message_above_the_limit_is_an_error_and_the_rest_goes_on(tmp_path: Path, chunk_bytes: int) -> None:
    file = tmp_path / "a.mbox"
    line = b"x" * 999 + b"\n"
    with file.open("wb") as out:
        out.write(FROM.encode() + b"Subject: one\n\n")
        for _ in range(5_000):
            out.write(line)
        out.write(b"\n" + FROM.encode() + b"Subject: two\n\nbody\n")
    tracemalloc.start()
    found = planned(file, chunk_bytes, Limits(message_bytes=100_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert [(item.id, item.error) for item in found] == [
        ("a.mbox#0", "the message has more than 100000 bytes"),
        (f"a.mbox#{file.stat().st_size - 63}", None),
    ]
    assert found[1].raw == b"Subject: two\n\nbody\n"
    assert peak < 4 << 20


def test_a_message_of_300_mb_is_passed_over_in_bounded_memory(tmp_path: Path) -> None:
    file = tmp_path / "a.mbox"
    with file.open("wb") as out:
        out.write(FROM.encode() + b"Subject: one\n\n")
        out.truncate(300 << 20)
        out.seek(0, 2)
        out.write(b"\n\n" + FROM.encode() + b"Subject: two\n\nbody\n")
    tracemalloc.start()
    found = planned(file, 64 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert [item.error for item in found] == ["the message has more than 67108864 bytes", None]
    assert peak < 80 << 20


def test_a_message_at_which_the_archive_breaks_off_is_an_error() -> None:
    found = read(Blocks(MBOX.encode(), 50, failure="it is cut off"))

    assert [item.error for item in found] == [None, None, None, "it is cut off"]


def test_an_archive_that_breaks_off_before_a_message_says_so() -> None:
    assert [item.error for item in read(Blocks(b"\n\n", 50, failure="it is cut off"))][-1] == "it is cut off"


def test_an_empty_message_is_an_error() -> None:
    found = read(Blocks(f"{FROM}\n\n{FROM}Subject: two\n\n".encode(), 100))

    assert [item.error for item in found] == ["the message is empty", None]


def test_what_stands_before_the_first_message_is_not_lost() -> None:
    found = read(Blocks(f"preface\n\n{FROM}Subject: two\n\n".encode(), 100))

    assert [(item.id, item.error) for item in found] == [
        ("a.mbox#0", "what stands before the first From line is no message"),
        ("a.mbox#9", None),
    ]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"From a@example.com Mon Nov  2 10:14:23 2026\n", True),
        (b"From - Mon Nov  2 10:14:23 2026\r\n", True),
        (b"\r\n\r\nFrom a@example.com\r\nReceived: x", True),
        (b"From a\n>From b\nReceived: x", True),
        (b"From the start, nothing went well.\nWe wrote", False),
        (b"From: a@example.com\n", False),
        (b" From a@example.com Mon Nov  2 10:14:23 2026\n", False),
        (b"From " + b"a" * 5000 + b" 10:14", False),
        (b"", False),
    ],
)
def test_an_mbox_is_claimed_by_its_first_line(head: bytes, expected: bool) -> None:  # noqa: FBT001
    assert mbox.claims(head) is expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (MBOX.encode(), True),
        (f"{FROM}Subject: one\n\nbody\n".encode(), False),
        (f"Subject: one\n\nbody\n\n{FROM}".encode(), False),
        (b"", False),
    ],
)
def test_a_message_with_a_from_line_is_no_mbox_of_several(raw: bytes, expected: bool) -> None:  # noqa: FBT001
    assert mbox.holds_several(raw) is expected
