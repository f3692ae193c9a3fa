"""Opens a path or an fsspec address: as a stream at an offset, as a listing, as what is known of it."""

from __future__ import annotations

import errno
import os
import re
import stat as modes
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from service.errors import UnreadableArchive
from service.triage.guards import LINKED, SPECIAL, Limits

SCHEMES = frozenset({"file", "s3", "gs", "az", "http", "https"})
"""The schemes of addresses that are read unless the caller says otherwise; a path is a ``file``."""

READ_AHEAD_BYTES = 4 << 20
"""How much of a distant file is fetched at once."""

_WEB = ("http", "https")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_VERSION_KEYS = (
    "ETag",
    "etag",
    "md5Hash",
    "Last-Modified",
    "LastModified",
    "last_modified",
    "updated",
    "mtime",
    "created",
)

Got = TypeVar("Got")


class Stream(Protocol):
    """A binary stream as this package needs it."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to so many bytes; none at the end."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Goes to an offset."""

    def tell(self) -> int:
        """Where it stands."""

    def close(self) -> None:
        """Ends it."""


@dataclass(frozen=True, slots=True)
class Stat:
    """What is known of an address.

    Args:
        size: in bytes; ``None`` where nobody says, or parts of it cannot be asked for.
        is_folder: whether it has entries instead of a content.
        version: changes when the content does (an ETag, a time of change); empty where nobody says.
    """

    size: int | None
    is_folder: bool
    version: str


class Entry(NamedTuple):
    """A file below a folder: its path from there, its size, and why it is not read, if it is not."""

    name: str
    size: int
    fault: str = ""


def scheme_of(address: str) -> str:
    """The scheme of an address.

    >>> scheme_of("s3://bucket/a.mbox"), scheme_of("/var/mail/a")
    ('s3', 'file')
    """
    found = _SCHEME.match(address)
    return found[1].lower() if found else "file"


def name_of(address: str) -> str:
    """The last part of an address, without what may be secret in it.

    >>> name_of("https://user:word@example.com/in/a.mbox?sig=1"), name_of("/var/mail/in/")
    ('a.mbox', 'in')
    """
    is_url = _SCHEME.match(address) is not None
    path = address if scheme_of(address) == "file" else urlsplit(address).path
    path = unquote(path) if is_url else path
    return path.rstrip("/").rpartition("/")[2] or shown(address)


def shown(address: str) -> str:
    """An address for messages and logs: without credentials and query.

    >>> shown("https://user:word@example.com/in/a.mbox?sig=1")
    'https://example.com/in/a.mbox'
    """
    if scheme_of(address) == "file":
        return address
    parts = urlsplit(address)
    return f"{scheme_of(address)}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def check(address: str, schemes: frozenset[str] = SCHEMES) -> None:
    """Refuses an address whose scheme is not allowed.

    Args:
        address: a path or an fsspec address.
        schemes: those that are allowed, in lower case; ``file`` stands for paths too.

    Raises:
        UnreadableArchive: it is refused.
    """
    scheme = scheme_of(address)
    if scheme not in schemes:
        raise UnreadableArchive(
            f"addresses with {scheme} are not read; allowed: {', '.join(sorted(schemes))}", shown(address)
        )
    if "\0" in address or (scheme != "file" and "::" in address):
        raise UnreadableArchive("this is no single address", shown(address).replace("\0", "?"))


def stat(address: str, *, schemes: frozenset[str] = SCHEMES) -> Stat:
    """What is known of an address.

    Raises:
        OSError: there is nothing, or it cannot be reached.
        UnreadableArchive: its scheme is not allowed, or it is neither a file nor a folder.
    """
    check(address, schemes)
    path = local_path(address)
    if path is None:
        return _distant_stat(address)
    known = path.stat()
    is_folder = modes.S_ISDIR(known.st_mode)
    if not is_folder and not modes.S_ISREG(known.st_mode):
        raise UnreadableArchive(SPECIAL, shown(address))
    size = None if is_folder else known.st_size
    return Stat(size, is_folder, f"{known.st_mtime_ns:x}-{known.st_size:x}")


def open_at(address: str, offset: int = 0, *, schemes: frozenset[str] = SCHEMES) -> Stream:
    """The content of a file from an offset on.

    Raises:
        OSError: there is no such file, or it cannot be reached.
        UnreadableArchive: its scheme is not allowed.
    """
    check(address, schemes)
    path = local_path(address)
    stream: Stream = path.open("rb") if path else _Distant(address)
    stream.seek(offset)
    return stream


def entries(address: str, limits: Limits, *, schemes: frozenset[str] = SCHEMES) -> Iterator[Entry]:
    """The files below a folder, in a stable order; links are named and not followed.

    Holds the names of one folder at a time in memory.

    Raises:
        OSError: a folder cannot be listed.
        UnreadableArchive: there are too many.
    """
    check(address, schemes)
    for number, entry in enumerate(_walk(_listing(address), "", limits.depth), 1):
        limits.check_count(number)
        yield entry


def folders(address: str, *, schemes: frozenset[str] = SCHEMES) -> frozenset[str]:
    """The names of the folders in a folder.

    Raises:
        OSError: it cannot be listed.
        UnreadableArchive: its scheme is not allowed.
    """
    check(address, schemes)
    return frozenset(entry.name for entry in _listing(address)("") if entry.is_folder)


def read_entry(address: str, name: str, limit: int, *, schemes: frozenset[str] = SCHEMES) -> bytes:
    """The content of a file below a folder, and one byte more than ``limit`` where it has more.

    Raises:
        OSError: it is not there, or cannot be read.
        UnreadableArchive: it is a link, or no file.
    """
    path = local_path(address)
    if path is None:
        with closing(open_at(f"{address.rstrip('/')}/{name}", schemes=schemes)) as stream:
            return stream.read(limit + 1)
    check(address, schemes)
    if (path / name).is_symlink():
        raise UnreadableArchive(LINKED)
    with open(os.open(path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123
        if not modes.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UnreadableArchive(SPECIAL)
        return file.read(limit + 1)


def local_path(address: str) -> Path | None:
    """The path of a local file; ``None`` for an address elsewhere.

    Raises:
        UnreadableArchive: a file address names a host.
    """
    if scheme_of(address) != "file":
        return None
    if not _SCHEME.match(address):
        return Path(address)
    host, _, path = address[len("file://") :].partition("/")
    if host not in ("", "localhost"):
        raise UnreadableArchive("a file address names no host", address)
    return Path("/" + unquote(path))


class _Listed(NamedTuple):
    """An entry of one folder; ``fault`` says why it is not read."""

    name: str
    size: int
    is_folder: bool
    fault: str = ""


def _walk(list_folder: Callable[[str], list[_Listed]], folder: str, depth: int) -> Iterator[Entry]:
    for entry in list_folder(folder):
        name = f"{folder}/{entry.name}" if folder else entry.name
        if not entry.is_folder:
            yield Entry(name, entry.size, entry.fault)
        elif depth:
            yield from _walk(list_folder, name, depth - 1)
        else:
            yield Entry(name, 0, "the folder lies too deep")


def _listing(address: str) -> Callable[[str], list[_Listed]]:
    """What lists a folder below an address."""
    path = local_path(address)
    return partial(_listed, path) if path else partial(_listed_afar, *file_system(address))


def _listed(root: Path, folder: str) -> list[_Listed]:
    with os.scandir(root / folder) as found:
        return sorted(_listed_one(entry) for entry in found)


def _listed_one(entry: os.DirEntry[str]) -> _Listed:
    if entry.is_symlink():
        return _Listed(entry.name, 0, is_folder=False, fault=LINKED)
    if entry.is_dir(follow_symlinks=False):
        return _Listed(entry.name, 0, is_folder=True)
    if not entry.is_file(follow_symlinks=False):
        return _Listed(entry.name, 0, is_folder=False, fault=SPECIAL)
    return _Listed(entry.name, entry.stat(follow_symlinks=False).st_size, is_folder=False)


def file_system(address: str) -> tuple[Any, str]:
    """The fsspec file system of an address, and the path there.

    Raises:
        UnreadableArchive: what reads such addresses is not installed.
    """
    try:
        core = import_module("fsspec.core")
        files, path = reached(address, lambda: core.url_to_fs(address))
    except ImportError as error:
        scheme = scheme_of(address)
        raise UnreadableArchive(
            f"reading {scheme} needs the extra cloud: pip install 'ndr-triage[cloud]'", shown(address)
        ) from error
    return files, path


def reached(address: str, call: Callable[[], Got]) -> Got:
    """What a call to a store gives; each store fails in ways of its own.

    Raises:
        OSError: it fails.
    """
    try:
        return call()
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "no such file", shown(address)) from error
    except ImportError:
        raise
    except Exception as error:
        raise OSError(f"{shown(address)} cannot be reached: {type(error).__name__}") from error


def _distant_stat(address: str) -> Stat:
    files, path = file_system(address)
    known = reached(address, lambda: files.info(path))
    version = next((str(known[key]) for key in _VERSION_KEYS if known.get(key)), "")
    size = known.get("size")
    if size and scheme_of(address) in _WEB and not _gives_parts(address, size):
        size = None
    return Stat(size, known.get("type") == "directory", version)


def _gives_parts(address: str, size: int) -> bool:
    """Whether a server on the web gives parts of a file; only trying tells."""
    with closing(_Distant(address)) as stream:
        stream.seek(size - 1)
        stream.read(1)
        return not stream.is_streamed


def _listed_afar(files: Any, root: str, folder: str) -> list[_Listed]:  # noqa: ANN401  # fsspec has no types
    path = f"{root.rstrip('/')}/{folder}" if folder else root
    found = reached(path, lambda: files.ls(path, detail=True))
    return sorted(
        _Listed(name, entry.get("size") or 0, is_folder=entry.get("type") == "directory")
        for entry in found
        if (name := entry["name"].rstrip("/").rpartition("/")[2])
        and entry["name"].strip("/") != path.strip("/")
    )


class _Distant:
    """A file of a store, whose failures are all ``OSError``.

    A server that does not give parts of a file is read from the start, and ``is_streamed``.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._files, self._path = file_system(address)
        self._file = self._opened(READ_AHEAD_BYTES)
        self.is_streamed = False

    def read(self, size: int = -1, /) -> bytes:
        """Up to so many bytes; none at the end."""
        try:
            return self._read(size)
        except OSError as failure:
            if self.is_streamed or not isinstance(failure.__cause__, ValueError):
                raise
        self._stream_on()
        return self._read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Goes to an offset."""
        if whence == 0 and offset == self.tell():
            return offset
        try:
            return int(self._file.seek(offset, whence))
        except ValueError:  # a stream is not sought in
            return self._pass_over(offset - self.tell() if whence == 0 else -1)

    def tell(self) -> int:
        """Where it stands."""
        return int(self._file.tell())

    def close(self) -> None:
        """Ends it."""
        self._file.close()

    def _opened(self, ahead_bytes: int) -> Any:  # noqa: ANN401  # fsspec has no types
        return reached(self._address, lambda: self._files.open(self._path, "rb", block_size=ahead_bytes))

    def _read(self, size: int) -> bytes:
        found: bytes = reached(self._address, lambda: self._file.read(size))
        return found

    def _stream_on(self) -> None:
        """Opens the file anew, without asking for parts of it, and goes to where it stood."""
        at = self.tell()
        self.close()
        self._file, self.is_streamed = self._opened(0), True
        self._pass_over(at)

    def _pass_over(self, size: int) -> int:
        if size < 0:
            raise OSError(f"{shown(self._address)} cannot be read in parts: its server gives none")
        while size and (block := self.read(min(size, 1 << 20))):
            size -= len(block)
        return self.tell()
