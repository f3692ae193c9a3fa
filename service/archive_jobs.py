"""Takes archives as jobs: stores uploads, refuses early what cannot be read, removes what is not wanted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from shutil import disk_usage
from typing import BinaryIO
from uuid import uuid4

import orjson

from model.errors import UnknownName
from service.archive_sources import allowed_address
from service.errors import NoResults, StillRunning, StoreUnavailable, UnreadableArchive
from service.once import Once
from service.settings import Settings
from service.triage.addresses import name_of
from service.triage.folders import Folder, LocalFolder
from service.triage.guards import EMPTY
from service.triage.job_folders import UPLOADED, archives_root, job_folder
from service.triage.nouns import Kind
from service.triage.orders import Order, OrderStore, State, Wish

LEAST_FREE_BYTES = 256 << 20
"""So much of a disk no upload takes, so that the jobs on it can still be told of and deleted."""

MAX_NAME_CHARS = 200


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller says of archives.

    Args:
        kind: what they are; ``auto`` looks.
        column: the column of replies in tables.
        name: what people know the job by; empty: what the archives are called.
        show_addresses: whether the report shows addresses in full.
    """

    kind: Kind = Kind.AUTO
    column: str | None = None
    name: str = ""
    show_addresses: bool = False

    def wish(self, order_id: str, archives: Iterable[str], name: str, *, is_uploaded: bool) -> Wish:
        """The wish that this makes of some archives, which are called so where the caller does not say."""
        known_by = harmless(self.name) or harmless(name) or UPLOADED
        return Wish(
            order_id, tuple(archives), known_by, self.kind, self.column, self.show_addresses, is_uploaded
        )

    def digest(self, content: str) -> str:
        """Changes when the content or anything that is said of it does."""
        said = [content, self.kind, self.column, self.name, self.show_addresses]
        return hashlib.sha256(orjson.dumps(said)).hexdigest()


class Upload:
    """A file that is written, and digested on the way.

    Args:
        file: to write to.
        free_bytes: tells how much room its disk has.
        least_free_bytes: how much of it is to be left.
    """

    def __init__(self, file: BinaryIO, free_bytes: Callable[[], int], least_free_bytes: int) -> None:
        self._file = file
        self._free_bytes = free_bytes
        self._least_free_bytes = least_free_bytes
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> str:
        """Of all that was written."""
        return self._digest.hexdigest()

    def write(self, block: bytes) -> int:
        """Writes a block.

        Raises:
            StoreUnavailable: the disk would be too full.
        """
        if self._free_bytes() - len(block) < self._least_free_bytes:
            raise StoreUnavailable("there is no room left for archives")
        self._digest.update(block)
        self.size += len(block)
        return self._file.write(block)

    def seek(self, _offset: int, _whence: int = 0) -> int:
        """Nothing: a parser of forms wants to go back to the start, and nobody reads there."""
        return 0


@dataclass(frozen=True, slots=True)
class ArchiveJobs:
    """Jobs on archives, as callers have them.

    Args:
        settings: name the places.
        orders: keeps the orders.
        least_free_bytes: how much room uploads leave on a disk.
    """

    settings: Settings
    orders: OrderStore
    least_free_bytes: int = LEAST_FREE_BYTES

    def take_upload(
        self, request: Request, key: str | None, write: Callable[[Upload], str]
    ) -> tuple[Order, bool]:
        """Takes an archive that arrives; keeps nothing where that fails, or where it came before.

        Args:
            request: what the caller says of it.
            key: a digest of the caller's name for this request, if he has one.
            write: writes the archive as it arrives; gives what it is called.

        Returns:
            The order, and whether it is new.

        Raises:
            UnreadableArchive: it is empty, damaged, or none that is read here.
            KeyReused: the key came with another archive before.
            StoreUnavailable: the store or the place of archives cannot be used.
        """
        order_id = uuid4().hex
        folder = self.folder(order_id)
        with _nothing_left(folder), _told_as_store():
            folder.make()
            with folder.writing(UPLOADED) as path, path.open("wb") as file:
                is_local = isinstance(folder, LocalFolder)
                least = self.least_free_bytes if is_local else 0
                upload = Upload(file, lambda: disk_usage(path.parent).free, least)
                name = write(upload)
            if not upload.size:
                raise UnreadableArchive(EMPTY)
            address = folder.address_of(UPLOADED)
            _check(address, request)
            wish = request.wish(order_id, (address,), name, is_uploaded=True)
            order, is_new = self.orders.add(wish, _once(key, request, upload.digest))
        if not is_new:
            folder.remove_all()
        return order, is_new

    def take_addresses(
        self, request: Request, key: str | None, addresses: Iterable[str]
    ) -> tuple[Order, bool]:
        """Takes archives that lie elsewhere.

        Args:
            request: what the caller says of them.
            key: a digest of the caller's name for this request, if he has one.
            addresses: of the archives.

        Returns:
            The order, and whether it is new.

        Raises:
            UnreadableAddress: one may not be named, or is none that is read here.
            KeyReused: the key came with other archives before.
            StoreUnavailable: the store cannot be used.
        """
        given = tuple(addresses)
        found = tuple(self._allowed(number, each, request) for number, each in enumerate(given))
        name = ", ".join(map(name_of, found))
        wish = request.wish(uuid4().hex, dict.fromkeys(found), name, is_uploaded=False)
        return self.orders.add(wish, _once(key, request, orjson.dumps(given).hex()))

    def with_results(self, order_id: str, *, partial: bool) -> Folder:
        """The folder of a job whose results can be read.

        Raises:
            UnknownName: there is no such job.
            NoResults: it has not succeeded, and what there is is not wanted.
        """
        order = self.orders.get(order_id)
        if not partial and order.state is not State.SUCCEEDED:
            raise NoResults(f"The job is {order.state}.")
        return self.folder(order_id)

    def remove(self, order_id: str) -> None:
        """Deletes a job with its archive and results.

        Raises:
            UnknownName: there is no such job.
            StillRunning: it has not ended.
            StoreUnavailable: the store or the place of archives cannot be used.
        """
        if not self.orders.get(order_id).state.is_end:
            raise StillRunning("The job has not ended; cancel it first.")
        with _told_as_store():
            self.folder(order_id).remove_all()
        self.orders.remove(order_id)

    def folder(self, order_id: str) -> Folder:
        """The folder of a job; nothing is made yet.

        Raises:
            StoreUnavailable: nobody named a place.
        """
        return job_folder(archives_root(self.settings), order_id)

    def _allowed(self, number: int, address: str, request: Request) -> str:
        try:
            found = allowed_address(address, self.settings.archive_sources)
            _check(found, request)
        except UnreadableArchive as refusal:
            raise UnreadableAddress(number, refusal.reason) from refusal
        except OSError as error:
            raise UnreadableAddress(number, "there is no such file, or it cannot be reached") from error
        return found


class UnreadableAddress(UnreadableArchive):
    """One of several addresses is refused.

    Args:
        number: its place among them, from 0.
        reason: why.
    """

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number = number


def check_id(order_id: str) -> str:
    """An id of a job.

    Raises:
        UnknownName: no job has such an id.
    """
    if len(order_id) != 32 or set(order_id) - set("0123456789abcdef"):
        raise UnknownName("job", order_id[:40])
    return order_id


def harmless(name: str) -> str:
    r"""A name that can be shown anywhere: printable, and not too long.

    >>> harmless(" old\x07 bounces ")
    'old bounces'
    """
    return "".join(filter(str.isprintable, name)).strip()[:MAX_NAME_CHARS]


def last_part(path: str) -> str:
    r"""The name of a file without the folders that some programs send along.

    >>> last_part("C:\\mail\\old.mbox"), last_part("../../etc/passwd")
    ('old.mbox', 'passwd')
    """
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2]


@contextmanager
def _nothing_left(folder: Folder) -> Iterator[None]:
    """Removes a folder when something fails."""
    try:
        yield
    except BaseException:
        with suppress(OSError):
            folder.remove_all()
        raise


@contextmanager
def _told_as_store() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StoreUnavailable(f"the place of archives cannot be used: {reason}") from error


def _check(address: str, request: Request) -> None:
    """Refuses what the runner could not read.

    Raises:
        UnreadableArchive: it could not; the message names no place.
        OSError: it is not there, or cannot be reached.
    """
    from service.triage.packing import Source  # readers of formats only where there are jobs
    from service.triage.planning import source_of

    try:
        source_of(Source(address, column=request.column), request.kind)
    except UnreadableArchive as refusal:
        raise UnreadableArchive(refusal.reason) from refusal


def _once(key: str | None, request: Request, content: str) -> Once | None:
    return None if key is None else Once(key, request.digest(content))
