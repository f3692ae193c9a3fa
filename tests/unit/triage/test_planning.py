"""Archives are recognised by content, planned in chunks that hold all once, and refused in clear words."""

import gzip
import io
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from fsspec.implementations.memory import MemoryFileSystem

from service.errors import UnreadableArchive
from service.triage import planning
from service.triage.formats import CLAIMS, FORMATS
from service.triage.nouns import Chunk, Item, Kind, Packing
from service.triage.packing import Source
from service.triage.planning import plan, recognise
from service.triage.reading import items

FROM = b"From a@example.com Mon Nov  2 10:14:23 2026\n"
MBOX = FROM + b"Subject: one\n\nbody\n\n"
CONTENTS = {
    Kind.MBOX: MBOX,
    Kind.ZIP: b"PK\x05\x06" + bytes(18),
    Kind.MESSAGES: b'{"text": "550 5.1.1 x"}\n',
    Kind.TABLE: b"id,reply\n1,550 5.1.1 x\n",
    Kind.LOG: b"Nov  2 10:14:23 mx1 postfix/smtp[7]: 4C1F32A0B7: removed\n",
    Kind.PST: b"!BDN" + bytes(60),
}
EMPTY = "there is nothing in it"
NESTED = "an archive within an archive is not read; hand it in by itself"


def zipped(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.mark.parametrize(("kind", "raw"), CONTENTS.items())
def test_a_file_is_recognised_by_its_content(file: Path, kind: Kind, raw: bytes) -> None:
    file.write_bytes(raw)

    assert recognise(str(file)) == (kind, Packing.NONE)


@pytest.mark.parametrize("kind", [Kind.MBOX, Kind.MESSAGES, Kind.TABLE, Kind.LOG])
@pytest.mark.parametrize(
    ("packing", "pack"), [(Packing.GZIP, gzip.compress), (Packing.ZSTD, zstandard.compress)]
)
def test_a_packed_file_is_recognised_by_what_is_in_it(
    file: Path, kind: Kind, packing: Packing, pack: Callable[[bytes], bytes]
) -> None:
    file.write_bytes(pack(CONTENTS[kind]))

    assert recognise(str(file)) == (kind, packing)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", EMPTY),
        (b" \r\n\n\t", EMPTY),
        (b"\xef\xbb\xbf", EMPTY),
        (gzip.compress(b""), EMPTY),
        (gzip.compress(gzip.compress(MBOX)), NESTED),
        (gzip.compress(zstandard.compress(MBOX)), NESTED),
        (gzip.compress(CONTENTS[Kind.ZIP]), NESTED),
        (zstandard.compress(CONTENTS[Kind.PST]), NESTED),
        (b"7z\xbc\xaf\x27\x1c", "archives of this kind are not read"),
        (b"\xfd7zXZ\x00", "archives of this kind are not read"),
        (gzip.compress(MBOX)[:8], "it ends before its end: it is cut off"),
        (b"\x1f\x8b" + b"x" * 100, "the gzip data is damaged"),
        ("hello\n".encode("utf-16"), "a text in UTF-16 that is no log; save it in UTF-8"),
        (b"Dear all,\n\nnothing here.\n", "no archive that is read here"),
        (b"From: a@example.com\nSubject: one\n\nbody\n", "one message alone goes to classify"),
        (b"Received: from a\nReceived: from b\nSubject: one\n", "one message alone goes to classify"),
        (random.Random(1).randbytes(5000), "no archive that is read here"),  # noqa: S311
    ],
    ids=lambda value: value if isinstance(value, str) else "raw",  # gzip writes the time into what it packs
)
def test_what_is_no_archive_is_refused_in_clear_words(file: Path, raw: bytes, reason: str) -> None:
    file.write_bytes(raw)

    with pytest.raises(UnreadableArchive, match=reason) as caught:
        recognise(str(file))
    assert str(caught.value).startswith(f"{file}: ")
    (chunk,) = plan([str(file)])
    (item,) = items(chunk)
    assert (chunk.kind, item.id, item.raw) == (Kind.AUTO, "archive", b"")
    assert reason in str(item.error)
    assert str(file.parent) not in str(item.error)


def test_what_is_not_there_is_no_chunk(file: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(plan([str(file)]))
    with pytest.raises(FileNotFoundError):
        list(items(Chunk(0, str(file), Kind.MBOX)))


def test_chunks_are_numbered_on_and_a_bad_archive_does_not_stop_the_next(tmp_path: Path) -> None:
    for name, raw in {"1": MBOX * 3, "2": b"", "3": gzip.compress(MBOX * 3)}.items():
        (tmp_path / name).write_bytes(raw)

    chunks = list(plan([str(tmp_path / name) for name in "123"], chunk_bytes=100))

    assert [(chunk.number, chunk.kind, chunk.start, chunk.end) for chunk in chunks] == [
        (0, Kind.MBOX, 0, 100),
        (1, Kind.MBOX, 100, 192),
        (2, Kind.AUTO, 0, None),
        (3, Kind.MBOX, 0, None),
    ]
    assert [len(list(items(chunk))) for chunk in chunks] == [2, 1, 1, 3]
    assert chunks == pickle.loads(pickle.dumps(chunks))  # noqa: S301


@pytest.mark.parametrize(
    ("kind", "raw", "whole", "broken"),
    [
        pytest.param(Kind.MBOX, b"preface\n\n" + MBOX, 1, 1, id="the end of a message"),
        pytest.param(Kind.MBOX, b"QUJD\n" * 20_000 + b"\n" + MBOX, 1, 1, id="the end of a long one"),
        pytest.param(Kind.MESSAGES, b'.1.1 x"}\n' + CONTENTS[Kind.MESSAGES], 1, 1, id="the end of a line"),
        pytest.param(
            Kind.ZIP, b"#!/bin/sh\n" + zipped("a.eml", MBOX), 1, 0, id="an archive that unpacks itself"
        ),
        pytest.param(Kind.TABLE, b"550 5.1.1 x\n551 5.1.6 y\n", 2, 0, id="a list"),
    ],
)
def test_a_kind_that_is_named_is_believed(
    file: Path, kind: Kind, raw: bytes, whole: int, broken: int
) -> None:
    file.write_bytes(raw)
    (chunk,) = plan([str(file)], kind=kind)
    found = [item.error for item in items(chunk)]

    assert chunk.kind is kind
    assert (whole, broken) == (found.count(None), len(found) - found.count(None))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (chunk,) = plan([str(tmp_path)], kind=Kind.MBOX)

    assert ["it is a folder, not mbox"] == [item.error for item in items(chunk)]


@pytest.mark.parametrize(
    ("kind", "raw", "reason"),
    [
        (Kind.MBOX, CONTENTS[Kind.ZIP], "it is zip, not mbox"),
        (Kind.MBOX, CONTENTS[Kind.MESSAGES], "it is ndjson, not mbox"),
        (Kind.MBOX, b"7z\xbc\xaf\x27\x1c" + bytes(60), "archives of this kind are not read"),
        (Kind.ZIP, MBOX, "it is mbox, not zip"),
        (Kind.ZIP, gzip.compress(MBOX), "it is mbox, not zip"),
        (Kind.TAR, MBOX, "it is mbox, not tar"),
        (Kind.PST, MBOX, "it is mbox, not pst"),
        (Kind.MESSAGES, MBOX, "it is mbox, not ndjson"),
        (Kind.LOG, MBOX, "it is mbox, not log"),
        (Kind.TABLE, b"name,size\na,1\nb,2\n", "no column of it holds SMTP replies"),
        (Kind.MBOX, b"\n", EMPTY),
    ],
)
def test_a_file_that_surely_is_of_another_kind_than_is_named_is_refused(
    file: Path, kind: Kind, raw: bytes, reason: str
) -> None:
    file.write_bytes(raw)
    (chunk,) = plan([str(file)], kind=kind)
    (item,) = items(chunk)

    assert (chunk.kind, chunk.is_planned, item.raw) == (kind, False, b"")
    assert reason in str(item.error)


def test_a_table_without_the_column_that_is_named_is_refused(file: Path) -> None:
    file.write_bytes(b"when,reply\n1,550 5.1.1 No such user\n")
    with pytest.raises(UnreadableArchive, match="it has no column 'nonesuch'"):
        planning.source_of(Source(str(file), column="nonesuch"), Kind.AUTO)


def test_a_packed_zip_is_refused_although_it_was_named(file: Path) -> None:
    file.write_bytes(gzip.compress(CONTENTS[Kind.ZIP]))
    (chunk,) = plan([str(file)], kind=Kind.ZIP)

    assert [item.error for item in items(chunk)] == [NESTED]


def test_an_archive_that_can_be_read_by_now_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.mbox"
    file.write_bytes(b"")
    (chunk,) = plan([str(file)])
    file.write_bytes(MBOX)

    assert list(items(chunk)) == [Item("a.mbox#0", b"Subject: one\n\nbody\n\n", "message")]


def test_an_archive_in_a_store_is_read_like_a_file() -> None:
    MemoryFileSystem().pipe("/in/a.mbox", MBOX * 5)
    schemes = frozenset({"memory"})

    chunks = list(plan(["memory://in/a.mbox"], chunk_bytes=100, schemes=schemes))

    assert len(chunks) == 4
    assert sum(len(list(items(chunk, schemes=schemes))) for chunk in chunks) == 5
    with pytest.raises(UnreadableArchive, match="addresses with memory are not read"):
        recognise("memory://in/a.mbox")


def test_an_address_that_is_not_allowed_is_an_error_of_its_own() -> None:
    (chunk,) = plan(["ftp://user:word@example.com/a.mbox?sig=1"])

    (item,) = items(chunk)

    assert item.id == "a.mbox"
    assert item.error == ("addresses with ftp are not read; allowed: az, file, gs, http, https, s3")


@pytest.mark.parametrize("seed", range(60))
def test_no_bytes_make_recognition_or_reading_fail(file: Path, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    raw = b"".join(
        dice.choice([*CONTENTS.values(), dice.randbytes(40), b"\0" * 300, b'"', b"\n\n"]) for _ in range(9)
    )
    file.write_bytes(raw)

    for kind in (Kind.AUTO, Kind.MBOX, Kind.ZIP, Kind.TAR, Kind.MESSAGES, Kind.TABLE, Kind.LOG):
        for chunk in plan([str(file)], kind=kind, chunk_bytes=100):
            for item in items(chunk):
                assert item.id
                assert item.error or item.raw


def test_every_kind_has_a_format_and_every_kind_of_file_a_claim() -> None:
    assert {form.kind for form in FORMATS} | {Kind.AUTO} == set(Kind)
    assert {kind for kind, _ in CLAIMS} | {Kind.AUTO, Kind.MAILDIR, Kind.FOLDER} == set(Kind)


def test_a_chunk_is_8_mib_by_default() -> None:
    assert planning.CHUNK_BYTES == 8 << 20
