"""A zip gives its messages one by one; tricks and bombs are refused by name, and the rest goes on."""

import io
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from service.triage.guards import Limits
from service.triage.nouns import Item, Packing
from service.triage.planning import plan, recognise
from service.triage.reading import items

MAIL = b"From: a@example.com\nSubject: one\n\nbody\n"
NESTED = "an archive within an archive is not read; hand it in by itself"


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, raw in members.items():
            archive.writestr(name, raw)
    return out.getvalue()


def read(file: Path, chunk_bytes: int = 8 << 20, limits: Limits | None = None) -> list[Item]:
    chunks = plan([str(file)], chunk_bytes=chunk_bytes, limits=limits)
    return [item for chunk in chunks for item in items(chunk, limits=limits)]


def errors(found: list[Item]) -> dict[str, str | None]:
    return {item.id: item.error for item in found}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.zip"


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
@pytest.mark.parametrize("before", [b"", b"#!/bin/sh\n"])
def test_members_are_messages_by_name_and_content(file: Path, method: int, before: bytes) -> None:
    members = {"in/": b"", "in/退信.eml": MAIL, "in/b.msg": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", "c": MAIL}
    clutter = {"__MACOSX/in/._b.msg": b"\0", "in/.DS_Store": b"\0"}
    file.write_bytes(zipped(members | clutter, method))

    assert read(file) == [
        Item("in/退信.eml", MAIL, "message"),
        Item("in/b.msg", members["in/b.msg"], "auto"),
        Item("c", MAIL, "auto"),
    ]


def test_what_stands_before_a_zip_does_not_matter(file: Path) -> None:
    file.write_bytes(b"PK\x03\x04" + bytes(96) + zipped({"a.eml": MAIL}))

    assert read(file) == [Item("a.eml", MAIL, "message")]


def test_chunks_of_every_size_hold_each_member_once(file: Path) -> None:
    file.write_bytes(zipped({f"in/{number}.eml": MAIL * number for number in range(1, 9)}))
    expected = read(file)

    assert len(expected) == 8
    for chunk_bytes in range(1, 1500, 7):
        assert expected == read(file, chunk_bytes)


def test_a_chunk_has_a_thousand_members_at_most(file: Path) -> None:
    file.write_bytes(zipped({f"{number}.eml": MAIL for number in range(2500)}))

    chunks = list(plan([str(file)]))

    assert [len(chunk.members) for chunk in chunks] == [1000, 1000, 500]
    assert [chunk.first for chunk in chunks] == [0, 1000, 2000]
    assert [item.id for item in items(chunks[1])][::999] == ["1000.eml", "1999.eml"]


def test_64_bit_numbers_are_read(file: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(70_000):
            archive.writestr(zipfile.ZipInfo(f"{number}"), b"550 5.1.1 x")
        with archive.open(zipfile.ZipInfo("large"), "w", force_zip64=True) as member:
            member.write(MAIL)
    file.write_bytes(out.getvalue())

    chunks = list(plan([str(file)]))

    assert sum(len(chunk.members) for chunk in chunks) == 70_001
    assert [item.raw for item in items(chunks[-1])][-1] == MAIL


def linked(info: zipfile.ZipInfo) -> None:
    info.create_system, info.external_attr = 3, 0o120777 << 16


def special(info: zipfile.ZipInfo) -> None:
    info.create_system, info.external_attr = 3, 0o020666 << 16


@pytest.mark.parametrize(
    ("name", "change", "error"),
    [
        ("../a.eml", None, "the path leads out of the archive"),
        ("/etc/a.eml", None, "the path is absolute"),
        ("C:\\a.eml", None, "the path is absolute"),
        ("a/" * 40 + "a.eml", None, "the path is 40 folders deep; 32 are allowed"),
        ("a.eml", linked, "a link is not followed"),
        ("a.eml", special, "neither a file nor a folder"),
    ],
)
def test_tricks_are_refused_by_name_and_the_rest_goes_on(
    file: Path, name: str, change: Callable[[zipfile.ZipInfo], None] | None, error: str
) -> None:
    info = zipfile.ZipInfo("x")
    info.filename = name
    if change:
        change(info)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(info, MAIL)
        archive.writestr("good.eml", MAIL)
    file.write_bytes(out.getvalue())

    assert errors(read(file)) == {name: error, "good.eml": None}


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        (8, struct.pack("<H", 1), "it is encrypted"),
        (10, struct.pack("<H", 12), "it is packed by method 12; stored and deflated ones are read"),
        (16, struct.pack("<L", 1), "its checksum is wrong: it is damaged"),
        (24, struct.pack("<L", 10), "it unpacks to more than it declares"),
        (24, struct.pack("<L", 1 << 30), "the message has more than 67108864 bytes"),
        (20, struct.pack("<L", 5), "it ends before its end: it is cut off"),
        (42, struct.pack("<L", 3), "it is not where the list of members says"),
        (42, struct.pack("<L", 0xFFFFFF00), "it is not where the list of members says"),
    ],
)
def test_a_member_that_is_not_what_the_list_says_is_an_error(
    file: Path, field: int, value: bytes, error: str
) -> None:
    raw = bytearray(zipped({"bad.eml": MAIL, "good.eml": MAIL}))
    at = raw.index(b"PK\x01\x02") + field
    raw[at : at + len(value)] = value
    file.write_bytes(raw)

    assert errors(read(file)) == {"bad.eml": error, "good.eml": None}


def test_a_zip_of_zips_is_refused_at_the_first_level_however_deep_it_is(file: Path) -> None:
    raw = zipped({"a.eml": MAIL})
    for depth in range(50):
        raw = zipped({f"{depth}.zip": raw, "good.eml": MAIL})
    file.write_bytes(raw)

    assert errors(read(file)) == {"49.zip": NESTED, "good.eml": None}


def test_other_archives_within_are_refused_by_content_and_name(file: Path) -> None:
    line = b"From a@example.com Mon Nov  2 10:14:23 2026\n"
    members = {
        "a.tgz": b"\x1f\x8b\x08\0",
        "b.eml": b"7z\xbc\xaf\x27\x1c",
        "c.mbox": line + MAIL,
        "d": line + MAIL + b"\n" + line + MAIL,
        "e.LOG": b"550 5.1.1 x",
        "f.csv": b"550 5.1.1 x",
    }
    file.write_bytes(zipped({**members, "good.eml": line + MAIL}))

    assert errors(read(file)) == {**dict.fromkeys(members, NESTED), "good.eml": None}


def test_what_is_neither_mail_nor_text_is_an_error(file: Path) -> None:
    file.write_bytes(zipped({"a.png": b"\x89PNG\0\0", "empty.eml": b"", "blank": b" \n", "good.eml": MAIL}))

    assert errors(read(file)) == {
        "a.png": "neither a mail nor a text",
        "empty.eml": "there is nothing in it",
        "blank": "there is nothing in it",
        "good.eml": None,
    }


def test_a_bomb_of_many_small_members_is_stopped(file: Path) -> None:
    file.write_bytes(zipped({f"{number}.eml": bytes(1 << 20) for number in range(16)}))
    limits = Limits(ratio_from_bytes=4 << 20)

    found = read(file, 2 << 20, limits)

    assert found[-1] == Item(
        "a.zip", b"", error="it unpacks to more than 200 times its size: an archive bomb"
    )
    assert len(found) == 4 + 1


def test_members_that_lie_one_upon_the_other_are_a_bomb(file: Path) -> None:
    kernel = zipped({"a.eml": MAIL * 100}, zipfile.ZIP_STORED)
    start = kernel.index(b"PK\x01\x02")
    end = kernel.index(b"PK\x05\x06")
    listed = kernel[start:end] * 200
    last = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 200, 200, len(listed), start, 0)
    file.write_bytes(kernel[:start] + listed + last)

    found = read(file, 1)

    assert len(found) == 2
    assert errors(found)["a.zip"] == "its members lie one upon the other: an archive bomb"


def test_a_large_member_costs_no_more_memory_than_itself(file: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.eml", "w") as member:
        for _ in range(80):
            member.write(bytes(1 << 20))
    file.write_bytes(out.getvalue())
    tracemalloc.start()
    found = read(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert errors(found) == {"a.eml": "the message has more than 67108864 bytes"}
    assert peak < 2 << 20


def test_too_many_members_are_refused_after_as_many_as_allowed(file: Path) -> None:
    file.write_bytes(zipped({f"{number}.eml": MAIL for number in range(5)}))
    limits = Limits(members=3)

    found = read(file, 1, limits)

    assert errors(found)["a.zip"] == "more than 3 members are not read; split it"
    assert len(found) < 5


@pytest.mark.parametrize("left", [20, 60, 0.5, 0.9, 0.999])
def test_a_zip_that_is_cut_off_is_one_error(file: Path, left: float) -> None:
    raw = zipped({f"{number}.eml": MAIL for number in range(9)})
    file.write_bytes(raw[: int(left if left > 1 else len(raw) * left)])

    assert errors(read(file)) == {
        "a.zip": "the list of its members is missing: it is cut off, or no zip file"
    }


def test_a_damaged_list_gives_what_stands_before_the_damage(file: Path) -> None:
    raw = zipped({f"{number}.eml": MAIL for number in range(4)})
    second = raw.index(b"PK\x01\x02", raw.index(b"PK\x01\x02") + 1)
    file.write_bytes(raw[:second] + b"XX" + raw[second + 2 :])

    assert errors(read(file)) == {"0.eml": None, "a.zip": "the list of its members is damaged"}


def test_an_empty_zip_says_so(file: Path) -> None:
    file.write_bytes(zipped({}))

    assert errors(read(file)) == {"a.zip": "there is no message in it"}
    assert recognise(str(file))[1] is Packing.NONE


@pytest.mark.parametrize("step", [1, 3])
def test_any_byte_may_be_wrong(file: Path, step: int) -> None:
    raw = zipped({"a.eml": MAIL, "b.eml": MAIL})
    for at in range(4, len(raw), step):
        file.write_bytes(raw[:at] + bytes([raw[at] ^ (0xFF if step == 1 else 0x01)]) + raw[at + 1 :])

        assert read(file)
