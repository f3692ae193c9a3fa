"""A log gives each recipient that failed or waits, in words that the diagnosis reads."""

import gzip
from pathlib import Path

import pytest

from model.parse import LOG_FORMATS
from service.triage.formats import log
from service.triage.guards import Limits
from service.triage.nouns import Chunk, Item, Kind, Packing
from service.triage.planning import plan, recognise
from service.triage.reading import items

SAMPLES = Path(__file__).parents[2] / "samples" / "logs"
HEAD = "Nov  2 10:14:2{} mx1 postfix/smtp[7]: "
REFUSED = (
    "4C1F32A0B7: to=<nobody@example.net>, relay=mx.example.net[192.0.2.7]:25, dsn=5.1.1, status=bounced "
    "(host mx.example.net[192.0.2.7] said: 550 5.1.1 No such user (in reply to RCPT TO command))"
)
TIMED_OUT = (
    "4C1F32A0B8: to=<help@example.org>, relay=none, delay=30, dsn=4.4.1, status=deferred "
    "(connect to mx.example.org[192.0.2.9]:25: Connection timed out)"
)
SENT = "4C1F32A0B9: to=<a@example.org>, relay=mx.example.org[192.0.2.9]:25, dsn=2.0.0, status=sent (250 ok)"
LOG = "".join(HEAD.format(number) + line + "\n" for number, line in enumerate((SENT, REFUSED, TIMED_OUT)))


def read(file: Path, limits: Limits | None = None) -> list[Item]:
    return [item for chunk in plan([str(file)], limits=limits) for item in items(chunk, limits=limits)]


@pytest.mark.parametrize("packing", [Packing.NONE, Packing.GZIP])
def test_each_failure_is_told_with_its_recipient_its_host_and_its_command(
    tmp_path: Path, packing: Packing
) -> None:
    file = tmp_path / "mail.log"
    file.write_bytes(gzip.compress(LOG.encode()) if packing is Packing.GZIP else LOG.encode())

    assert recognise(str(file)) == (Kind.LOG, packing)
    assert read(file) == [
        Item(
            "mail.log#2",
            b"<nobody@example.net>: host mx.example.net[192.0.2.7] said: 550 5.1.1 No such user "
            b"(in reply to RCPT TO command)",
            "text",
        ),
        Item(
            "mail.log#3",
            b"<help@example.org>: connect to mx.example.org[192.0.2.9]:25: Connection timed out",
            "text",
        ),
    ]


def test_a_log_that_is_cut_off_gives_what_came_before(tmp_path: Path) -> None:
    file = tmp_path / "mail.log.gz"
    file.write_bytes(gzip.compress(LOG.encode() * 2000)[:-9])

    found = read(file)

    assert found[0].id == "mail.log.gz#2"
    assert found[-1] == Item("mail.log.gz", b"", error="it ends before its end: it is cut off")


@pytest.mark.parametrize("file", sorted(SAMPLES.iterdir()), ids=lambda file: file.name)
def test_every_sample_of_a_log_gives_items_with_ids_of_their_own(file: Path) -> None:
    if file.name.startswith("headers-"):
        assert not log.claims(file.read_bytes())
        return

    found = read(file)

    assert [item.error for item in found if item.error] == []
    assert len({item.id for item in found}) == len(found)
    assert all(item.raw.strip() and item.form == "text" for item in found)


def test_every_format_of_logs_but_headers_has_a_sample_that_is_recognised() -> None:
    names = {file.name.partition("-")[0].partition(".")[0] for file in SAMPLES.iterdir()}

    assert {form.name for form in LOG_FORMATS} <= names


def test_a_windows_event_log_above_the_limit_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.evtx"
    file.write_bytes(b"ElfFile\0" + bytes(100_000))

    assert read(file, Limits(message_bytes=50_000)) == [
        Item("a.evtx", b"", error="the message has more than 50000 bytes")
    ]


def test_a_damaged_windows_event_log_is_one_error(tmp_path: Path) -> None:
    file = tmp_path / "a.evtx"
    file.write_bytes(b"ElfFile\0")

    assert read(file) == [Item("a.evtx", b"", error="the Windows event log file cannot be read")]


def test_a_text_that_was_called_a_log_is_one_error(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("hello\n")

    assert list(items(Chunk(0, str(file), Kind.LOG))) == [
        Item("a.txt", b"", error="no log of a known format")
    ]
