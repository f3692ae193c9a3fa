"""Says whether a caller may name an address: only below the places that the operator lists."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from service.errors import UnreadableArchive
from service.triage.addresses import local_path, scheme_of, shown

_ODD = re.compile(r"[\x00-\x1f\x7f\\]|::")
_ODD_IN_URL = re.compile(r"[?#*\[\]{}@\s]")
MOST_DECODINGS = 5


def allowed_address(address: str, sources: Iterable[str]) -> str:
    """An address in the form that is safe to open: a local one with its links followed.

    Args:
        address: a path or an fsspec address, as the caller wrote it.
        sources: paths and fsspec addresses below which callers may name archives.

    Raises:
        UnreadableArchive: it lies elsewhere, is not there, or is written in a way that could lead elsewhere.
    """
    if not sources:
        raise UnreadableArchive("archives are uploaded here; NDR_ARCHIVE_SOURCES names no place to read from")
    if _ODD.search(address):
        raise UnreadableArchive("the address has a character that is not allowed")
    path = local_path(address)
    _check_parts(address if path is None else str(path))
    below = _below(address, sources) if path is None else _local_below(path, sources)
    if below is None:
        places = ", ".join(shown(source) for source in sources)
        raise UnreadableArchive(f"the address is not below a place that callers may name: {places}")
    return below


def _check_parts(path: str) -> None:
    """Refuses a path that leads upwards, also where somebody decodes it again."""
    decoded = path
    for _ in range(MOST_DECODINGS):
        if {"..", "."} & set(re.split(r"[/\\]", decoded)):
            raise UnreadableArchive("the address leads upwards")
        path, decoded = decoded, unquote(decoded)
        if path == decoded:
            return
    raise UnreadableArchive("the address is encoded over and over")


def _local_below(path: Path, sources: Iterable[str]) -> str | None:
    """The real path, when it and the path as it was written lie below a source."""
    roots = [root for source in sources if (root := local_path(source)) is not None]
    if not any(_holds(root.absolute(), path) for root in roots):
        return None
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError):
        raise UnreadableArchive("there is no such file, or it cannot be reached") from None
    return str(real) if any(_holds(root.resolve(), real) for root in roots) else None


def _holds(root: PurePosixPath | Path, path: PurePosixPath | Path) -> bool:
    return path.is_relative_to(root)


def _below(address: str, sources: Iterable[str]) -> str | None:
    if _ODD_IN_URL.search(address):
        raise UnreadableArchive("the address has a character that is not allowed")
    for source in sources:
        if local_path(source) is None and _place(source) == _place(address):
            root, path = urlsplit(source).path.strip("/"), urlsplit(address).path
            if "//" not in path and _holds(PurePosixPath("/", root), PurePosixPath("/", path)):
                return address
    return None


def _place(address: str) -> tuple[str, str]:
    """The scheme and the host or bucket."""
    return scheme_of(address), urlsplit(address).netloc
