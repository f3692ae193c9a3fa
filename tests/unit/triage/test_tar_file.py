"""A tar gives its messages as they come; tricks are refused by name, and what is cut off says so."""

import gzip
import io
import tarfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from service.errors import UnreadableArchive
from service.triage.formats import tar_file
from service.triage.formats.records import WHOLE
from service.triage.guards import Limits
from service.triage.nouns import Item, Kind, Packing
from service.triage.packing import Source
from service.triage.planning import plan, recognise
from service.triage.reading import items

MAIL = b"From: a@example.com\nSubject: one\n\nbody\n"
LONG = "in/" + "x" * 120 + "/" + "y" * 90 + "é.eml"


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname, found.size = kind, target, size
    return found


def tarred(*members: tuple[str, bytes] | tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for each in members:
            if isinstance(each, tarfile.TarInfo):
                archive.addfile(each)
            else:
                archive.addfile(member(each[0], size=len(each[1])), io.BytesIO(each[1]))
    return out.getvalue()


def read(file: Path, limits: Limits | None = None) -> list[Item]:
    return [item for chunk in plan([str(file)], limits=limits) for item in items(chunk, limits=limits)]


def errors(found: list[Item]) -> dict[str, str | None]:
    return {item.id: item.error for item in found}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.tar"


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("packing", Packing)
def test_members_are_read_from_any_kind_of_tar(file: Path, form: int, packing: Packing) -> None:
    raw = tarred(
        member("in", tarfile.DIRTYPE), ("in/a.eml", MAIL), (LONG, MAIL * 40), ("._b.eml", b"\0"), form=form
    )
    pack = {Packing.NONE: bytes, Packing.GZIP: gzip.compress, Packing.ZSTD: zstandard.compress}[packing]
    file.write_bytes(pack(raw))

    assert recognise(str(file)) == (Kind.TAR, packing)
    assert read(file) == [Item("in/a.eml", MAIL, "message"), Item(LONG, MAIL * 40, "message")]


@pytest.mark.parametrize("size", [1, 7, 511, 512, 513, 100_000])
def test_blocks_of_every_size_give_the_same_members(size: int) -> None:
    raw = tarred(("in/a.eml", MAIL), (LONG, MAIL * 40), ("c.eml", MAIL))

    class Blocks(Source):
        def blocks(self, offset: int = 0) -> Iterator[bytes]:
            return (raw[start : start + size] for start in range(offset, len(raw), size))

    assert [item.raw for item in tar_file.read(Blocks("a.tar"), WHOLE)] == [MAIL, MAIL * 40, MAIL]


@pytest.mark.parametrize(
    ("trick", "error"),
    [
        (member("../a.eml"), "the path leads out of the archive"),
        (member("/etc/a.eml"), "the path is absolute"),
        (member("a.eml", tarfile.SYMTYPE, "/etc/passwd"), "a link is not followed"),
        (member("a.eml", tarfile.LNKTYPE, "good.eml"), "a link is not followed"),
        (member("a.eml", tarfile.CHRTYPE), "neither a file nor a folder"),
        (member("a.eml", tarfile.FIFOTYPE), "neither a file nor a folder"),
        (member("a/" * 40 + "a.eml"), "the path is 40 folders deep; 32 are allowed"),
        (("a.zip", b"PK\x03\x04"), "an archive within an archive is not read; hand it in by itself"),
        (("a.tgz", gzip.compress(b"a")), "an archive within an archive is not read; hand it in by itself"),
        (("a.eml", b"x" * 2001), "the message has more than 2000 bytes"),
        (("a.eml", b""), "there is nothing in it"),
    ],
)
def test_tricks_are_refused_by_name_and_the_rest_goes_on(
    file: Path, trick: tuple[str, bytes] | tarfile.TarInfo, error: str
) -> None:
    file.write_bytes(tarred(("first.eml", MAIL), trick, ("good.eml", MAIL)))
    name = trick.name if isinstance(trick, tarfile.TarInfo) else trick[0]

    assert errors(read(file, Limits(message_bytes=2000))) == {
        "first.eml": None,
        name: error,
        "good.eml": None,
    }


def test_a_tar_within_a_tar_is_refused(file: Path) -> None:
    file.write_bytes(tarred(("in.tar", tarred(("a.eml", MAIL))), ("good.eml", MAIL)))

    assert [bool(item.error) for item in read(file)] == [True, False]


def test_a_sparse_file_is_refused_and_passed_over(file: Path) -> None:
    raw = bytearray(tarred(("sparse.eml", MAIL), ("good.eml", MAIL), form=tarfile.GNU_FORMAT))
    raw[156:157] = tarfile.GNUTYPE_SPARSE
    checksum = sum(raw[:148]) + sum(raw[156:512]) + 8 * 32
    raw[148:156] = b"%06o\0 " % checksum
    file.write_bytes(raw)

    assert errors(read(file)) == {"sparse.eml": "a sparse file is not read", "good.eml": None}


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (512 + 10, {"a.eml": "it ends before its end: it is cut off"}),
        (1024 + 100, {"a.eml": None, "a.tar": "it ends before its end: it is cut off"}),
        (1024 + 512 + 10, {"a.eml": None, "b.eml": "it ends before its end: it is cut off"}),
        (2048, {"a.eml": None, "b.eml": None}),
    ],
)
def test_a_tar_that_is_cut_off_gives_what_came_before(
    file: Path, left: int, expected: dict[str, str | None]
) -> None:
    file.write_bytes(tarred(("a.eml", MAIL), ("b.eml", MAIL), form=tarfile.USTAR_FORMAT)[:left])

    assert errors(read(file)) == expected


def test_a_cut_tar_gz_gives_what_came_before(file: Path) -> None:
    members = [(f"{number}.eml", MAIL + bytes(range(1, 250)) * number) for number in range(50)]
    file.write_bytes(gzip.compress(tarred(*members))[:-40])

    found = read(file)

    assert [item.raw for item in found[:40]] == [raw for _, raw in members[:40]]
    assert found[-1].error == "it ends before its end: it is cut off"


@pytest.mark.parametrize("size", [b"99999999999\0", b"\x80" + b"\0" * 7 + b"\x7f\xff\xff\xff", b"\xff" * 12])
def test_a_path_that_takes_gigabytes_is_never_read(file: Path, size: bytes) -> None:
    raw = bytearray(tarred(("in/a.eml", MAIL), (LONG, MAIL), form=tarfile.PAX_FORMAT))
    at = 1024
    assert raw[at + 156 : at + 157] == b"x"
    raw[at + 124 : at + 136] = size
    raw[at + 148 : at + 156] = b"%06o\0 " % (sum(raw[at : at + 148]) + sum(raw[at + 156 : at + 512]) + 8 * 32)
    file.write_bytes(raw)

    assert errors(read(file)) == {
        "in/a.eml": None,
        "a.tar": "the header of a member is damaged; what follows it is not read",
    }


def test_a_bomb_is_stopped_in_little_memory(file: Path) -> None:
    file.write_bytes(gzip.compress(tarred(("first.eml", MAIL), ("a.eml", bytes(40 << 20)))))
    limits = Limits(message_bytes=1 << 20, ratio_from_bytes=8 << 20, ratio=100)
    tracemalloc.start()
    found = read(file, limits)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert errors(found) == {
        "first.eml": None,
        "a.eml": "it unpacks to more than 100 times its size: an archive bomb",
    }
    assert peak < 8 << 20


def test_too_many_members_are_refused_after_as_many_as_allowed(file: Path) -> None:
    file.write_bytes(tarred(*((f"{number}.eml", MAIL) for number in range(5))))

    assert [item.error for item in read(file, Limits(members=3))] == [
        *(None, None, None),
        "more than 3 members are not read; split it",
    ]


def test_a_tar_without_messages_says_so(file: Path) -> None:
    file.write_bytes(tarred(member("in", tarfile.DIRTYPE)))

    assert errors(read(file)) == {"a.tar": "there is no message in it"}


def test_fields_of_a_header_take_linear_time() -> None:
    content = b"6 a=b\n" * 170_000

    assert sum(1 for _ in tar_file._fields(content)) == 170_000
    assert list(tar_file._fields(b"0 a=b\n")) == list(tar_file._fields(b"999 a=b\n")) == []
    assert list(tar_file._fields(b"-6 a=b\n")) == list(tar_file._fields(b"3 =\n" * 2)) == []


def test_any_byte_of_a_header_may_be_wrong(file: Path) -> None:
    raw = tarred(("a.eml", MAIL), (LONG, MAIL))
    for at in range(1024, 3584, 11):
        file.write_bytes(raw[:at] + bytes([raw[at] ^ 0x41]) + raw[at + 1 :])

        assert read(file)[0] == Item("a.eml", MAIL, "message")


@pytest.mark.parametrize("head", [b"", bytes(1024), b"From: a\n\n", b"x" * 511, b"x" * 600])
def test_other_contents_are_no_tar(head: bytes) -> None:
    assert tar_file.claims(head) is False


def test_an_unreadable_header_is_refused() -> None:
    with pytest.raises(UnreadableArchive, match="header of a member is damaged"):
        tar_file._header(b"x" * 512)
