"""Header fields are added at the top, forged ones go, and nothing else changes."""

from __future__ import annotations

import tracemalloc

import pytest

from service.gateways.headers import (
    FIELDS,
    MOST_HEAD_BYTES,
    head_of,
    headers_of,
    with_headers,
    without_envelope_line,
)

KIND = {"X-NDR-Kind": "bounce"}


@pytest.mark.parametrize(
    ("raw", "marked"),
    [
        (b"A: b\n\nbody", b"X-NDR-Kind: bounce\nA: b\n\nbody"),
        (b"A: b\r\n\r\nbody\r\n", b"X-NDR-Kind: bounce\r\nA: b\r\n\r\nbody\r\n"),
        (b"A: b\r\rbody", b"X-NDR-Kind: bounce\rA: b\r\rbody"),
        (b"From x  Mon\nA: b\n\nbody", b"From x  Mon\nX-NDR-Kind: bounce\nA: b\n\nbody"),
        (b"From x  Mon\n\nbody", b"From x  Mon\nX-NDR-Kind: bounce\n\nbody"),
        (b"A: b", b"X-NDR-Kind: bounce\nA: b"),
        (b"\nbody", b"X-NDR-Kind: bounce\n\nbody"),
        (b"", b"X-NDR-Kind: bounce\n"),
        (b"words without a header\n", b"X-NDR-Kind: bounce\n\nwords without a header\n"),
        (b"550 5.1.1: unknown\n", b"X-NDR-Kind: bounce\n\n550 5.1.1: unknown\n"),
        (b"A: b\n c\n\td\n\nX\xff\x00\n", b"X-NDR-Kind: bounce\nA: b\n c\n\td\n\nX\xff\x00\n"),
    ],
)
def test_fields_go_to_the_top_with_the_line_ends_of_the_mail(raw: bytes, marked: bytes) -> None:
    assert marked == with_headers(raw, KIND)


@pytest.mark.parametrize(
    "forged",
    [
        b"X-NDR-Kind: success\n",
        b"x-ndr-KIND: success\n",
        b"X-NDR-Kind : success\n",
        b"X-NDR-Kind: success\n and more\n\tof it\n",
        b"X-NDR-Kind: success\nX-NDR-Kind: success\n",
        b"X-NDR-Category: success\n",
        b"X-NDR-Confidence:\n 1.0\n",
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_forged_fields_are_taken_away(forged: bytes, end: bytes) -> None:
    raw = b"A: b\n" + forged + b"C: d\n\nX-NDR-Kind: quoted in the body\n"

    marked = with_headers(raw.replace(b"\n", end), KIND)

    assert (b"X-NDR-Kind: bounce\nA: b\nC: d\n\nX-NDR-Kind: quoted in the body\n").replace(
        b"\n", end
    ) == marked


def test_a_field_with_a_similar_name_stays() -> None:
    assert b"X-NDR-Kinds: 3\n" in with_headers(b"X-NDR-Kinds: 3\n\n", KIND)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a\r\nEvil: yes", b"X-NDR-Kind: a Evil: yes\n"),
        ("a\n\nbody", b"X-NDR-Kind: a body\n"),
        ("a\0b\x7f", b"X-NDR-Kind: a b\n"),
        ("\u90ae\u4ef6 full", b"X-NDR-Kind: full\n"),
        ("x" * 5000, b"X-NDR-Kind: " + b"x" * 200 + b"\n"),
    ],
)
def test_no_value_starts_a_field_of_its_own(value: str, shown: bytes) -> None:
    assert shown + b"A: b\n\n" == with_headers(b"A: b\n\n", {"X-NDR-Kind": value})


def test_the_fields_show_what_the_answer_tells() -> None:
    answer = {"kind": "bounce", "category": "mailbox_full", "action": "retry", "confidence": 0.98, "id": "x"}

    assert tuple(headers_of(answer)) == tuple(FIELDS)
    assert headers_of(answer)["X-NDR-Confidence"] == "0.98"
    assert headers_of({"problem": {}}) == {}


@pytest.mark.parametrize(
    "raw", [b"A: b\n" * 200_000, b"\r" * 1_000_000, b"A: b\r\r" * 100_000, b" " * 1_000_000]
)
def test_a_hostile_mail_is_read_once(raw: bytes) -> None:
    assert len(with_headers(raw, KIND)) >= len(raw)


def test_a_head_without_end_takes_little_memory() -> None:
    raw = b"A: b\n" + b"c\n" * (9 << 19)

    tracemalloc.start()
    marked = with_headers(raw, KIND)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert b"X-NDR-Kind: bounce\n" + raw == marked
    assert peak < 4 * len(raw)


def test_what_follows_the_first_mebibyte_stays_as_it_is() -> None:
    filler = b"A: b\n" + b" c\n" * (MOST_HEAD_BYTES // 3)
    forged = b"X-NDR-Kind: success\n"

    assert b"X-NDR-Kind: bounce\n" + filler + forged == with_headers(forged + filler + forged, KIND)


@pytest.mark.parametrize("above", [b"", b"From x  Mon\n"])
def test_a_mail_of_nothing_but_forged_fields_has_none_left(above: bytes) -> None:
    raw = above + b"X-NDR-Kind: a\n b\nX-NDR-Action: c\n\nbody"

    assert above + b"X-NDR-Kind: bounce\n\nbody" == with_headers(raw, KIND)


def test_the_line_of_an_mbox_can_be_taken_away() -> None:
    assert without_envelope_line(b"From x\r\nA: b\r\n") == b"A: b\r\n"
    assert without_envelope_line(b"From: x\n") == b"From: x\n"


def test_the_head_ends_at_the_empty_line() -> None:
    assert head_of(b"A: b\n c\n\nbody: x\n") == b"A: b\n c\n"
