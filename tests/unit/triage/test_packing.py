"""Packed contents are given in blocks; what is damaged, cut off or a bomb is said after what was whole."""

import gzip
import io
import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from service.errors import UnreadableArchive
from service.triage import packing as packing_module
from service.triage.guards import Limits
from service.triage.nouns import Packing
from service.triage.packing import Source, packing_of, unpacked

NOISE = random.Random(1).randbytes(400_000)  # noqa: S311
PACK: dict[Packing, Callable[[bytes], bytes]] = {
    Packing.NONE: bytes,
    Packing.GZIP: gzip.compress,
    Packing.ZSTD: zstandard.ZstdCompressor(write_checksum=True).compress,
}
PACKED = (Packing.GZIP, Packing.ZSTD)


def content(raw: bytes, packing: Packing, limits: Limits | None = None) -> bytes:
    return b"".join(unpacked(io.BytesIO(raw), packing, limits or Limits()))


def until_refused(raw: bytes, packing: Packing, limits: Limits | None = None) -> tuple[int, str]:
    """How many bytes came, and why no more did."""
    size = 0
    try:
        for block in unpacked(io.BytesIO(raw), packing, limits or Limits()):
            size += len(block)
    except UnreadableArchive as refusal:
        return size, str(refusal)
    return size, ""


@pytest.mark.parametrize("packing", Packing)
@pytest.mark.parametrize("raw", [b"a", NOISE, b"x" * 3_000_000], ids=["byte", "noise", "even"])
def test_a_content_comes_back_whole(packing: Packing, raw: bytes) -> None:
    assert content(PACK[packing](raw), packing) == raw
    assert packing_of(PACK[packing](raw)) is packing


@pytest.mark.parametrize("packing", PACKED)
def test_several_frames_are_one_content(packing: Packing) -> None:
    raw = PACK[packing](b"one") + PACK[packing](NOISE) + PACK[packing](b"") + PACK[packing](b"two")

    assert content(raw, packing) == b"one" + NOISE + b"two"


def test_zeros_may_follow_gzip() -> None:
    assert content(gzip.compress(b"one") + bytes(100_000), Packing.GZIP) == b"one"


def test_a_skipped_frame_is_zstd_too() -> None:
    skipped = b"\x50\x2a\x4d\x18\x04\0\0\0skip"

    assert packing_of(skipped) is Packing.ZSTD
    assert content(skipped + zstandard.compress(b"one"), Packing.ZSTD) == b"one"


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("missing", [1, 9, 200_000])
def test_what_came_before_a_cut_is_given(packing: Packing, missing: int) -> None:
    size, reason = until_refused(PACK[packing](NOISE)[:-missing], packing)

    assert len(NOISE) - missing - 131_072 <= size <= len(NOISE)
    assert reason == "it ends before its end: it is cut off"


@pytest.mark.parametrize("packing", PACKED)
def test_damage_is_said(packing: Packing) -> None:
    raw = bytearray(PACK[packing](b"From the log: " + bytes(range(256)) * 100))
    raw[12:40] = bytes(28)

    assert until_refused(bytes(raw), packing)[1] == f"the {packing} data is damaged"
    assert until_refused(PACK[packing](b"one") + b"garbage", packing)[1] == f"the {packing} data is damaged"


@pytest.mark.parametrize("packing", PACKED)
def test_a_bomb_is_stopped_early_and_in_little_memory(packing: Packing) -> None:
    raw = PACK[packing](bytes(30 << 20))
    tracemalloc.start()
    size, reason = until_refused(raw, packing, Limits(ratio=20, ratio_from_bytes=4 << 20))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert reason == "it unpacks to more than 20 times its size: an archive bomb"
    assert size < 8 << 20
    assert peak < 4 << 20


@pytest.mark.parametrize("packing", PACKED)
def test_the_sum_of_the_content_is_bounded(packing: Packing) -> None:
    size, reason = until_refused(PACK[packing](NOISE), packing, Limits(content_bytes=300_000))

    assert reason == "it unpacks to more than 300000 bytes"
    assert size <= 300_000


@pytest.mark.parametrize("seed", range(40))
def test_a_cut_of_zstd_is_told_from_its_end(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(seed)  # noqa: S311
    monkeypatch.setattr(packing_module, "_FEED_BYTES", dice.choice([1, 7, 19, 1000, 131_072]))
    raw, packed, ends = b"", b"", {0}
    for _ in range(3):
        content = dice.choice([b"", b"a" * dice.randint(1, 2000), dice.randbytes(500)])
        checked, sized = dice.random() < 0.5, dice.random() < 0.5
        engine = zstandard.ZstdCompressor(write_checksum=checked, write_content_size=sized)
        packed += engine.compress(content)
        raw += content
        ends.add(len(packed))

    assert until_refused(packed, Packing.ZSTD) == (len(raw), "")
    for cut in range(0, len(packed), 17):
        size, reason = until_refused(packed[:cut], Packing.ZSTD)
        assert size <= len(raw)
        assert (reason == "") == (cut in ends)


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("seed", range(30))
def test_noise_behind_a_magic_is_refused(packing: Packing, seed: int) -> None:
    raw = PACK[packing](b"a" * 100)[:5] + random.Random(seed).randbytes(500)  # noqa: S311

    until_refused(raw, packing)


def test_the_head_of_a_cut_archive_is_what_came(tmp_path: Path) -> None:
    file = tmp_path / "a.gz"
    file.write_bytes(gzip.compress(NOISE)[:-9])

    assert Source(str(file), Packing.GZIP).head() == NOISE[: 64 << 10]


def test_a_source_reads_on_from_an_offset(tmp_path: Path) -> None:
    (tmp_path / "a.mbox").write_bytes(NOISE)

    assert b"".join(Source(str(tmp_path / "a.mbox")).blocks(1000)) == NOISE[1000:]
