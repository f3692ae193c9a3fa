"""Says how large the chunks of some archives are: smaller for small ones, so that progress shows."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from service.errors import UnreadableArchive
from service.triage import addresses
from service.triage.planning import CHUNK_BYTES

CHUNKS = 64
"""Into about how many chunks a small archive is cut, of at least …"""

LEAST_CHUNK_BYTES = 256 << 10


def chunk_bytes_for(archives: Iterable[str]) -> int:
    """About how large a chunk of some archives is, so that every process has some.

    Raises:
        OSError: an archive is not there or cannot be reached.
    """
    total = 0
    for address in archives:
        with suppress(UnreadableArchive):
            total += addresses.stat(address).size or 0
    return min(CHUNK_BYTES, max(LEAST_CHUNK_BYTES, total // CHUNKS)) if total else CHUNK_BYTES
