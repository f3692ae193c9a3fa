"""Bombs, cut and empty files, and files that are no archive end as counted errors, and the rest goes on."""

import gzip
import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.triage import results, run
from service.triage.folders import folder_at
from service.triage.guards import Limits
from service.triage.nouns import Done
from service.triage.run import prepare, serially
from service.triage.work import Options

MIB = 1 << 20
TIGHT = Limits(message_bytes=MIB, content_bytes=8 * MIB, ratio=50, ratio_from_bytes=2 * MIB)
REPORT = b"Subject: Mail failure\n\n<user@example.com>: 550 5.1.1 User unknown\n"
ENVELOPE = b"From MAILER-DAEMON Mon Nov  2 10:14:23 2026\n"
MAIL = ENVELOPE + REPORT + b"\n"


def triaged(path: Path, limits: Limits = TIGHT) -> tuple[int, list[str]]:
    """How many items of a file were read, and in short why others were not."""
    done: list[Done] = []
    job = prepare(folder_at(path.with_name("job")), [str(path)], Options(limits=limits))
    run.run(job, serially, done.append)
    reasons = sorted(each.partition(":")[0] for each in results.tally(job.folder).reasons.elements())
    assert len(reasons) == sum(each.errors for each in done)
    return sum(each.items for each in done) - len(reasons), reasons


def zeros(size: int) -> Iterator[bytes]:
    yield from (bytes(MIB) for _ in range(size // MIB))


def zip_of(*members: tuple[str, int | bytes]) -> Callable[[Path], None]:
    """Makes a zip; a member that is a number has so many zeros."""

    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
            for name, content in members:
                with file.open(name, "w", force_zip64=True) as member:
                    for block in (content,) if isinstance(content, bytes) else zeros(content):
                        member.write(block)

    return make


def nested(depth: int) -> bytes:
    """A zip in a zip in a zip …, with a message at the bottom."""
    content, name = REPORT, "a.eml"
    for _ in range(depth):
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr(name, content)
        content, name = held.getvalue(), "a.zip"
    return content


def packed_zeros(path: Path) -> None:
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(MAIL)
        file.writelines(zeros(16 * MIB))


def huge_message(path: Path) -> None:
    """An mbox with a message of 300 MiB between two others; the file has a hole and takes no room."""
    with path.open("wb") as file:
        file.write(MAIL + ENVELOPE + b"Subject: large\n\n")
        file.seek(300 * MIB, 1)
        file.write(b"\n\n" + MAIL)


def bytes_of(content: bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_bytes(content)

    return make


LARGE = f"the message has more than {MIB} bytes"
BOMB = "it unpacks to more than 50 times its size"
NESTED = "an archive within an archive is not read; hand it in by itself"


@pytest.mark.parametrize(
    ("make", "count", "reasons"),
    [
        (zip_of(("a.eml", REPORT), ("zeros.eml", 16 * MIB)), 1, [LARGE]),
        (
            zip_of(("a.eml", REPORT), *((f"{n}.eml", MIB) for n in range(16))),
            1,
            [BOMB, "neither a mail nor a text"],
        ),
        (bytes_of(nested(50)), 0, [NESTED]),
        (packed_zeros, 0, [BOMB]),
        (huge_message, 2, [LARGE]),
        (bytes_of(b""), 0, ["there is nothing in it"]),
        (bytes_of(b"\r\n \n"), 0, ["there is nothing in it"]),
        (bytes_of(b"Dear all,\nlunch is at noon.\n"), 0, ["no archive that is read here"]),
    ],
    ids=["large member", "many members", "nested", "gzip", "huge message", "empty", "blank", "no archive"],
)
def test_it_ends_in_counted_errors_and_the_rest_is_read(
    tmp_path: Path, make: Callable[[Path], None], count: int, reasons: list[str]
) -> None:
    path = tmp_path / "archive"
    make(path)

    assert triaged(path) == (count, reasons)


def test_what_stands_before_a_cut_is_read(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(MAIL.replace(b"user", b"user%d" % n) for n in range(200)))
    path = tmp_path / "archive"
    path.write_bytes(whole[: len(whole) // 2])
    count, reasons = triaged(path)

    assert 0 < count < 200
    assert reasons == ["it ends before its end"]
