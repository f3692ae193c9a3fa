"""A folder and a maildir give their mails in a stable order; what is no mail is refused by name."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from service.triage.guards import Limits
from service.triage.nouns import Item, Kind, Packing
from service.triage.planning import plan, recognise
from service.triage.reading import items

MAIL = b"From: a@example.com\nSubject: one\n\nbody\n"
MEMORY = frozenset({"memory"})


def read(folder: Path, chunk_bytes: int = 8 << 20, limits: Limits | None = None) -> list[Item]:
    chunks = plan([str(folder)], chunk_bytes=chunk_bytes, limits=limits)
    return [item for chunk in chunks for item in items(chunk, limits=limits)]


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    for name in (
        "cur/2.host:2,S",
        "new/1.host",
        "tmp/3.host",
        ".Sub/cur/4.host:2,",
        ".Sub/tmp/5",
        "dovecot-uidlist",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(MAIL)
    return tmp_path


@pytest.fixture
def store() -> Iterator[MemoryFileSystem]:
    files = MemoryFileSystem()
    files.pipe(
        {"/box/cur/1": MAIL, "/box/new/2": MAIL, "/box/tmp/3": MAIL, "/in/a.eml": MAIL, "/in/b/c.eml": MAIL}
    )
    yield files
    files.rm("/box", recursive=True)
    files.rm("/in", recursive=True)


def test_a_maildir_gives_what_was_delivered(maildir: Path) -> None:
    assert recognise(str(maildir)) == (Kind.MAILDIR, Packing.NONE)
    assert read(maildir) == [
        Item(".Sub/cur/4.host:2,", MAIL, "message"),
        Item("cur/2.host:2,S", MAIL, "message"),
        Item("new/1.host", MAIL, "message"),
    ]


def test_a_mail_that_is_gone_is_an_error(maildir: Path) -> None:
    chunks = list(plan([str(maildir)]))
    (maildir / "new" / "1.host").unlink()

    assert [item.error for item in items(chunks[0])] == [
        *(None, None),
        "it cannot be read: No such file or directory",
    ]


def test_a_folder_gives_every_file_or_says_why_not(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_bytes(MAIL)
    folder = tmp_path / "in"
    files = {
        "a.eml": MAIL,
        "b/c.EML": MAIL,
        "d": b"550 5.1.1 No such user",
        "e.zip": b"PK\x03\x04",
        "f.eml": b"x" * 2000,
        ".DS_Store": b"\0",
    }
    for name, raw in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(raw)
    (folder / "link.eml").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe")

    assert recognise(str(folder)) == (Kind.FOLDER, Packing.NONE)
    assert read(folder, limits=Limits(message_bytes=1000)) == [
        Item("a.eml", MAIL, "message"),
        Item("b/c.EML", MAIL, "message"),
        Item("d", files["d"], "auto"),
        Item("e.zip", b"", error="an archive within an archive is not read; hand it in by itself"),
        Item("f.eml", b"", error="the message has more than 1000 bytes"),
        Item("link.eml", b"", error="a link is not followed"),
        Item("pipe", b"", error="neither a file nor a folder"),
    ]


def test_a_name_that_is_no_text_is_read_all_the_same(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.eml")).write_bytes(MAIL)

    assert read(tmp_path) == [Item("\\udcff.eml", MAIL, "message")]


def test_chunks_of_every_size_hold_each_file_once(tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / f"{number}.eml").write_bytes(MAIL * (number + 1))
    expected = read(tmp_path)

    assert len(expected) == 7
    for chunk_bytes in range(1, 1500, 11):
        assert expected == read(tmp_path, chunk_bytes)


def test_a_folder_that_lies_too_deep_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "1" / "2").mkdir(parents=True)
    (tmp_path / "1" / "2" / "a.eml").write_bytes(MAIL)
    (tmp_path / "b.eml").write_bytes(MAIL)

    found = read(tmp_path, limits=Limits(depth=1))

    assert [item.id for item in found] == ["1/2", "b.eml"]
    assert found[0].error is not None


def test_too_many_files_are_refused_after_as_many_as_allowed(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.eml").write_bytes(MAIL)

    found = read(tmp_path, limits=Limits(members=3))

    assert [item.error for item in found] == [
        *(None, None, None),
        "more than 3 members are not read; split it",
    ]


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    assert read(tmp_path) == [Item(tmp_path.name, b"", error="there is no message in it")]


def test_folders_of_a_store_are_read_alike(store: MemoryFileSystem) -> None:
    assert recognise("memory://box", schemes=MEMORY) == (Kind.MAILDIR, Packing.NONE)
    found = [
        item.id
        for chunk in plan(["memory://box", "memory://in"], schemes=MEMORY)
        for item in items(chunk, schemes=MEMORY)
    ]

    assert found == ["cur/1", "new/2", "a.eml", "b/c.eml"]
