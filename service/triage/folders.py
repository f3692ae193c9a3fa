"""Where a job's files lie: a folder on disk, or an fsspec address; a file appears whole or not at all."""

from __future__ import annotations

import io
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol, TypeVar
from uuid import uuid4

from service.triage.addresses import (
    READ_AHEAD_BYTES,
    Stream,
    file_system,
    local_path,
    open_at,
    reached,
    scheme_of,
    shown,
)

READ_AT_ONCE = 100
"""So many small files of a store are asked for at the same time."""

_UNFINISHED = re.compile(r"\.[0-9a-f]{32}\..+")
_PIECES = {"s3": 8 << 20, "s3a": 8 << 20, "gs": 8 << 20, "gcs": 8 << 20}
"""How much of a large file is held while it is stored, where that can be said."""

Got = TypeVar("Got")


class Folder(Protocol):
    """Some files, by their paths from here with slashes; it can be pickled, and every process sees the same.

    What fails is an ``OSError`` whose words hold no secret of an address.
    """

    @property
    def address(self) -> str:
        """Its path or fsspec address."""

    def address_of(self, name: str) -> str:
        """The path or fsspec address of a file."""

    def make(self, below: str = "") -> None:
        """Makes it, or a folder in it, where it is not there."""

    def names(self, below: str = "") -> list[str]:
        """The files of a folder in it, in order and without its path; none where it is not there."""

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""

    def read(self, name: str) -> bytes:
        """The content of a small file."""

    def read_all(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The contents of small files, in order; those that are not there are left out."""

    def opened(self, name: str) -> AbstractContextManager[BinaryIO]:
        """A file to read and to seek in."""

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """A local path to write to; the file then takes the place of an earlier one, but not after a failure.

        The path ends as the name does.
        """

    def remove(self, name: str) -> None:
        """Removes a file; none need be there."""

    def remove_all(self) -> None:
        """Removes the folder and all that is in it; none need be there."""

    def sweep(self, below: str = "") -> None:
        """Removes what processes left in a folder that were killed while they wrote."""


def folder_at(address: str | Path) -> Folder:
    """The folder at a path or an fsspec address; nothing is made or asked yet.

    Args:
        address: may begin with ``file://`` too.

    Raises:
        UnreadableArchive: a file address names a host.
    """
    path = address if isinstance(address, Path) else local_path(address)
    return FsspecFolder(str(address).rstrip("/")) if path is None else LocalFolder(path.absolute())


@contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """A new file to write under another name, which then takes the place of a file; nothing where it fails.

    Raises:
        OSError: it cannot be written.
    """
    path = target.with_name(f".{uuid4().hex}.{target.name}")
    try:
        yield path
        _settle(path)
        path.replace(target)
        _settle(target.parent)
    finally:
        path.unlink(missing_ok=True)


def sweep_unfinished(root: Path, before: datetime) -> int:
    """Removes files in the folders of a folder that nobody finished; a folder with nothing else goes too.

    Args:
        root: the folder.
        before: nothing that was written to later is touched.

    Returns:
        How many files.
    """
    count = 0
    for path in sorted(root.glob("*/.*")):
        with suppress(OSError):  # another process may be faster
            if _UNFINISHED.fullmatch(path.name) and path.stat().st_mtime < before.timestamp():
                path.unlink()
                count += 1
                path.parent.rmdir()
    return count


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """A folder on disk; see ``Folder``."""

    path: Path

    @property
    def address(self) -> str:
        """Its path."""
        return str(self.path)

    def address_of(self, name: str) -> str:
        """The path of a file."""
        return str(self.path / name)

    def make(self, below: str = "") -> None:
        """Makes it, or a folder in it, where it is not there."""
        (self.path / below).mkdir(parents=True, exist_ok=True)

    def names(self, below: str = "") -> list[str]:
        """The files of a folder in it, in order."""
        return sorted(name for name in self._names(below) if not _UNFINISHED.fullmatch(name))

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        return (self.path / name).is_file()

    def read(self, name: str) -> bytes:
        """The content of a small file."""
        return (self.path / name).read_bytes()

    def read_all(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The contents of small files, in order; those that are not there are left out."""
        for name in names:
            with suppress(FileNotFoundError):
                yield name, self.read(name)

    def opened(self, name: str) -> AbstractContextManager[BinaryIO]:
        """A file to read and to seek in."""
        return (self.path / name).open("rb")

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """A path to write to; the file then appears, but not after a failure."""
        return replaced(self.path / name)

    def remove(self, name: str) -> None:
        """Removes a file; none need be there."""
        (self.path / name).unlink(missing_ok=True)

    def remove_all(self) -> None:
        """Removes the folder and all that is in it; none need be there."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self.path)

    def sweep(self, below: str = "") -> None:
        """Removes what processes left in a folder that were killed while they wrote."""
        for name in self._names(below):
            if _UNFINISHED.fullmatch(name):
                self.remove(f"{below}/{name}" if below else name)

    def _names(self, below: str) -> list[str]:
        try:
            with os.scandir(self.path / below) as found:
                return [entry.name for entry in found if entry.is_file()]
        except FileNotFoundError:
            return []


class _Place(NamedTuple):
    """A path in a store, and what fsspec reaches it with."""

    address: str
    files: Any
    path: str

    def reached(self, call: Callable[[], Got]) -> Got:
        """What a call gives; see ``addresses.reached``."""
        return reached(self.address, call)


@dataclass(frozen=True, slots=True)
class FsspecFolder:
    """A folder in a store that fsspec reaches; see ``Folder``.

    Others write there too, so nothing that the library remembers of listings is believed.
    """

    address: str

    def address_of(self, name: str) -> str:
        """The fsspec address of a file."""
        return f"{self.address}/{name}"

    def make(self, below: str = "") -> None:
        """Makes it, or a folder in it, where the store has folders."""
        place = self._place(below)
        place.reached(lambda: place.files.makedirs(place.path, exist_ok=True))

    def names(self, below: str = "") -> list[str]:
        """The files of a folder in it, in order."""
        place = self._place(below)
        try:
            found = place.reached(lambda: place.files.ls(place.path, detail=True))
        except FileNotFoundError:
            return []
        return sorted(
            each["name"].rpartition("/")[2]
            for each in found
            if each.get("type") == "file" and each["name"].strip("/") != place.path.strip("/")
        )

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        place = self._place(name)
        try:
            known = place.reached(lambda: place.files.info(place.path))
        except FileNotFoundError:
            return False
        return bool(known.get("type") == "file")

    def read(self, name: str) -> bytes:
        """The content of a small file."""
        place = self._place(name)
        content: bytes = place.reached(lambda: place.files.cat_file(place.path))
        return content

    def read_all(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The contents of small files, in order; those that are not there are left out."""
        waiting = iter(names)
        while some := list(islice(waiting, READ_AT_ONCE)):
            for name, content in zip(some, self._contents(some), strict=True):
                if content is not None:
                    yield name, content

    @contextmanager
    def opened(self, name: str) -> Iterator[BinaryIO]:
        """A file to read and to seek in; a small one is fetched at once."""
        place = self._place(name)
        size = place.reached(lambda: place.files.info(place.path)).get("size")
        if size is not None and size <= READ_AHEAD_BYTES:
            yield io.BytesIO(self.read(name))
            return
        scheme = frozenset({scheme_of(self.address)})
        with _Raw(open_at(place.address, schemes=scheme)) as raw, io.BufferedReader(raw) as file:
            yield file

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """A local path to write to; the file is then stored, but not after a failure."""
        place = self._place(name)
        pieces = _PIECES.get(scheme_of(self.address))
        how = {"chunksize": pieces} if pieces else {}
        with tempfile.TemporaryDirectory(prefix="ndr-") as held:
            path = Path(held, name.rpartition("/")[2])
            yield path
            place.reached(lambda: place.files.put_file(str(path), place.path, **how))

    def remove(self, name: str) -> None:
        """Removes a file; none need be there."""
        place = self._place(name)
        with suppress(FileNotFoundError):
            place.reached(lambda: place.files.rm_file(place.path))

    def remove_all(self) -> None:
        """Removes the folder and all that is in it; none need be there."""
        place = self._place()
        with suppress(FileNotFoundError):
            place.reached(lambda: place.files.rm(place.path, recursive=True))

    def sweep(self, below: str = "") -> None:
        """Nothing: an unfinished file is not in the store."""

    def _contents(self, names: list[str]) -> list[bytes | None]:
        """The contents of some files, asked for at the same time; ``None`` for one that is not there."""
        places = [self._place(name) for name in names]
        paths, first = [each.path for each in places], places[0]
        found = first.reached(lambda: first.files.cat_ranges(paths, None, None, on_error="return"))
        return [_given(place, each) for place, each in zip(places, found, strict=True)]

    def _place(self, name: str = "") -> _Place:
        address = self.address_of(name) if name else self.address
        files, path = file_system(address)
        files.invalidate_cache()
        return _Place(shown(address), files, path)


class _Raw(io.RawIOBase):
    """A stream as the standard library has them."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def seekable(self) -> bool:
        """Whether it can be sought in: always."""
        return True

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401  # any writable buffer
        """Fills a buffer as far as it can."""
        found = self._stream.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Goes to an offset."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """Where it stands."""
        return self._stream.tell()

    def close(self) -> None:
        """Ends it."""
        if not self.closed:
            self._stream.close()
        super().close()


def _given(place: _Place, found: bytes | Exception) -> bytes | None:
    def give() -> bytes:
        if isinstance(found, Exception):
            raise found
        return found

    try:
        return place.reached(give)
    except FileNotFoundError:
        return None


def _settle(path: Path) -> None:
    """Waits until the disk has a file, or the names in a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
