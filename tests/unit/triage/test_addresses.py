"""Paths and addresses open at an offset, are listed in a stable order, and are refused where they must be."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from service.errors import UnreadableArchive
from service.triage import addresses
from service.triage.addresses import Entry, Stat
from service.triage.guards import Limits

MEMORY = frozenset({"memory"})


@pytest.fixture
def store() -> Iterator[MemoryFileSystem]:
    files = MemoryFileSystem()
    files.pipe({"/in/b.eml": b"bb", "/in/sub/c.eml": b"ccc", "/in/a.eml": b"0123456789"})
    yield files
    files.rm("/in", recursive=True)


@pytest.mark.parametrize(
    ("address", "scheme", "name", "shown"),
    [
        ("/var/mail/a.mbox", "file", "a.mbox", "/var/mail/a.mbox"),
        ("in/", "file", "in", "in/"),
        ("file:///in/a%20b.mbox", "file", "a b.mbox", "file:///in/a%20b.mbox"),
        ("S3://bucket/in/a.mbox", "s3", "a.mbox", "s3://bucket/in/a.mbox"),
        ("s3://bucket", "s3", "s3://bucket", "s3://bucket"),
        ("https://u:w@example.com/a.gz?sig=1", "https", "a.gz", "https://example.com/a.gz"),
        ("c:/a.mbox", "file", "a.mbox", "c:/a.mbox"),
    ],
)
def test_an_address_has_a_scheme_and_a_name_without_secrets(
    address: str, scheme: str, name: str, shown: str
) -> None:
    assert addresses.scheme_of(address) == scheme
    assert addresses.name_of(address) == name
    assert addresses.shown(address) == shown


@pytest.mark.parametrize(
    ("address", "schemes", "reason"),
    [
        ("ftp://example.com/a", addresses.SCHEMES, "addresses with ftp are not read"),
        ("/a.mbox", frozenset({"s3"}), "addresses with file are not read; allowed: s3"),
        ("file:///a.mbox", frozenset({"s3"}), "addresses with file are not read"),
        ("https://example.com/a", frozenset({"file"}), "addresses with https are not read"),
        ("s3://bucket/a::file:///b", addresses.SCHEMES, "this is no single address"),
        ("/a\0b", addresses.SCHEMES, "this is no single address"),
    ],
)
def test_a_scheme_that_is_not_allowed_is_refused(address: str, schemes: frozenset[str], reason: str) -> None:
    with pytest.raises(UnreadableArchive, match=reason):
        addresses.stat(address, schemes=schemes)
    with pytest.raises(UnreadableArchive, match=reason):
        addresses.open_at(address, schemes=schemes)


def test_a_refusal_shows_no_secrets() -> None:
    with pytest.raises(UnreadableArchive) as caught:
        addresses.check("sftp://user:word@example.com/a?sig=1")

    assert "word" not in str(caught.value)
    assert "sig" not in str(caught.value)


@pytest.mark.parametrize("prefix", ["", "file://", "file://localhost"])
def test_a_local_file_opens_at_an_offset(tmp_path: Path, prefix: str) -> None:
    (tmp_path / "a b.mbox").write_bytes(b"0123456789")
    address = f"{prefix}{tmp_path}/" + ("a%20b.mbox" if prefix else "a b.mbox")

    with closing(addresses.open_at(address, 4)) as stream:
        assert stream.read(3) == b"456"
    known = addresses.stat(address)
    assert (known.size, known.is_folder) == (10, False)


def test_the_version_of_a_file_changes_with_it(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"1")
    before = addresses.stat(str(file)).version
    os.utime(file, ns=(1, 1))

    assert before != addresses.stat(str(file)).version


def test_a_file_address_with_a_host_is_refused() -> None:
    with pytest.raises(UnreadableArchive, match="names no host"):
        addresses.stat("file://example.com/a")


def test_what_is_missing_is_an_os_error(tmp_path: Path, store: MemoryFileSystem) -> None:
    with pytest.raises(FileNotFoundError):
        addresses.stat(str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError):
        addresses.stat("memory://in/none", schemes=MEMORY)
    with pytest.raises(FileNotFoundError):
        addresses.open_at("memory://in/none", schemes=MEMORY)


def test_a_pipe_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(UnreadableArchive, match="neither a file nor a folder"):
        addresses.stat(str(tmp_path / "pipe"))
    with pytest.raises(UnreadableArchive, match="neither a file nor a folder"):
        addresses.read_entry(str(tmp_path), "pipe", 10)


def test_a_store_is_read_like_a_path(store: MemoryFileSystem) -> None:
    with closing(addresses.open_at("memory://in/a.eml", 4, schemes=MEMORY)) as stream:
        assert (stream.read(3), stream.tell()) == (b"456", 7)
        assert (stream.seek(0, 2), stream.seek(1), stream.read()) == (10, 1, b"123456789")
    assert addresses.stat("memory://in/a.eml", schemes=MEMORY).size == 10
    assert addresses.stat("memory://in", schemes=MEMORY) == Stat(0, is_folder=True, version="")
    assert addresses.read_entry("memory://in", "sub/c.eml", 2, schemes=MEMORY) == b"ccc"
    assert addresses.folders("memory://in", schemes=MEMORY) == {"sub"}


def test_a_store_is_listed_like_a_folder(store: MemoryFileSystem, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name, raw in {"b.eml": b"bb", "sub/c.eml": b"ccc", "a.eml": b"0123456789"}.items():
        (tmp_path / name).write_bytes(raw)
    expected = [Entry("a.eml", 10), Entry("b.eml", 2), Entry("sub/c.eml", 3)]

    assert list(addresses.entries("memory://in", Limits(), schemes=MEMORY)) == expected
    assert list(addresses.entries(str(tmp_path), Limits())) == expected


def test_links_are_named_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_bytes(b"s")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "in" / "up").symlink_to(tmp_path)

    listed = addresses.entries(str(tmp_path / "in"), Limits())

    assert [(entry.name, entry.fault) for entry in listed] == [
        ("link", "a link is not followed"),
        ("up", "a link is not followed"),
    ]
    with pytest.raises(UnreadableArchive, match="a link is not followed"):
        addresses.read_entry(str(tmp_path / "in"), "link", 10)


def test_folders_are_walked_to_a_depth(tmp_path: Path) -> None:
    (tmp_path / "1" / "2" / "3").mkdir(parents=True)
    (tmp_path / "1" / "2" / "3" / "a").write_bytes(b"")

    listed = list(addresses.entries(str(tmp_path), Limits(depth=2)))

    assert listed == [Entry("1/2/3", 0, "the folder lies too deep")]


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / str(number)).write_bytes(b"")

    with pytest.raises(UnreadableArchive, match="more than 2 members"):
        list(addresses.entries(str(tmp_path), Limits(members=2)))


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(addresses, "import_module", missing)

    with pytest.raises(UnreadableArchive, match=r"s3://bucket/a: reading s3 needs the extra cloud"):
        addresses.stat("s3://bucket/a?word=1")


class Streamed:
    """A file that is read forwards only, as fsspec gives it."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def read(self, size: int) -> bytes:
        piece = self._raw[self._at :][: size if size >= 0 else None]
        self._at += len(piece)
        return piece

    def tell(self) -> int:
        return self._at

    def seek(self, *_: int) -> int:
        raise ValueError("Cannot seek streaming HTTP file")

    def close(self) -> None:
        """Nothing to end."""


class Ranged(Streamed):
    """A file of which parts are asked for, by a server that gives the whole."""

    def read(self, size: int) -> bytes:
        if self._at:
            raise ValueError("Got more bytes than requested")
        return super().read(size)

    def seek(self, offset: int, _: int = 0) -> int:
        self._at = offset
        return offset


class Server:
    """A file system on the web, whose server gives no parts of a file, or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure

    def open(self, _: str, mode: str, block_size: int) -> Streamed:
        assert mode == "rb"
        if self._failure:
            raise self._failure
        return (Ranged if block_size else Streamed)(b"0123456789")

    def info(self, _: str) -> dict[str, object]:
        return {"size": 10, "type": "file", "ETag": "x"}


def test_a_server_without_ranges_is_read_forwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "file_system", lambda _: (Server(), "/a"))

    with closing(addresses.open_at("https://example.com/a", 4)) as stream:
        assert (stream.read(2), stream.seek(8), stream.read(5)) == (b"45", 8, b"89")
        with pytest.raises(OSError, match="its server gives none"):
            stream.seek(1)
    assert addresses.stat("https://example.com/a") == Stat(None, is_folder=False, version="x")


def test_every_failure_of_a_store_is_an_os_error_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Server(RuntimeError("key word"))
    monkeypatch.setattr(addresses, "file_system", lambda _: (failing, "/a"))

    with pytest.raises(OSError, match="RuntimeError") as caught:
        addresses.open_at("https://u:w@example.com/a?sig=1")

    assert str(caught.value) == "https://example.com/a cannot be reached: RuntimeError"
