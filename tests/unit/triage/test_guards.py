"""Bombs, tricks with paths and archives within archives are told apart from what is sound."""

import pytest

from service.errors import UnreadableArchive
from service.triage.guards import Limits, Meter, check_name, id_of, is_clutter, is_packed


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/etc/passwd", "absolute"),
        ("\\share\\a.eml", "absolute"),
        ("C:\\a.eml", "absolute"),
        ("c:/a.eml", "absolute"),
        ("../a.eml", "leads out"),
        ("in/../../a.eml", "leads out"),
        ("in\\..\\a.eml", "leads out"),
        ("a/" * 33 + "a.eml", "33 folders deep; 32 are allowed"),
        ("a" * 1001, "1001 characters; 1000 are allowed"),
    ],
)
def test_a_path_that_plays_tricks_is_refused(name: str, reason: str) -> None:
    with pytest.raises(UnreadableArchive, match=reason):
        check_name(name, Limits())


@pytest.mark.parametrize(
    "name",
    [
        "a.eml",
        "in/a..b.eml",
        "in/...",
        "cur/1.host:2,S",
        "a:b",
        "退信/一.eml",
        "a/" * 32 + "a.eml",
        "./a.eml",
    ],
)
def test_an_honest_path_passes(name: str) -> None:
    check_name(name, Limits())


@pytest.mark.parametrize(
    ("packed", "content", "reason"),
    [
        (1000, 1001, ""),
        (1, 1000, ""),
        (10, 1001, "more than 50 times its size"),
        (1000, 5001, "more than 5000 bytes"),
    ],
)
def test_a_bomb_is_what_unpacks_to_too_much(packed: int, content: int, reason: str) -> None:
    meter = Meter(Limits(content_bytes=5000, ratio=50, ratio_from_bytes=1000))

    if reason:
        with pytest.raises(UnreadableArchive, match=reason):
            meter.add(packed, content)
    else:
        meter.add(packed, content)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"PK\x03\x04rest", True),
        (b"\x1f\x8b\x08", True),
        (b"7z\xbc\xaf\x27\x1c", True),
        (b"BZh91AY&SY", True),
        (b"Rar!\x1a\x07\x00", True),
        (b"!BDNrest", True),
        (b"a" * 257 + b"ustar", True),
        (b"PKware wrote", False),
        (b"BZh9 is a name", False),
        (b"Received: from a", False),
        (b"", False),
    ],
)
def test_an_archive_is_known_by_its_first_bytes(head: bytes, expected: bool) -> None:  # noqa: FBT001
    assert is_packed(head) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("__MACOSX/in/._a.eml", True),
        ("in/._a.eml", True),
        ("in/.DS_Store", True),
        ("Thumbs.db", True),
        ("in/a.eml", False),
        ("my__MACOSX.eml", False),
    ],
)
def test_clutter_of_systems_is_no_message(name: str, expected: bool) -> None:  # noqa: FBT001
    assert is_clutter(name) is expected


def test_an_id_is_printable_and_bounded() -> None:
    assert id_of("a\r\nb\udcff") == "a\\r\\nb\\udcff"
    assert len(id_of("a" * 100_000)) == len(id_of("\0" * 100_000)) == 1000
