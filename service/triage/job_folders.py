"""Says where the folders of jobs lie, also to those who do not work on them."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from stat import S_ISREG

from service.errors import StoreUnavailable
from service.settings import Settings
from service.triage.addresses import local_path
from service.triage.folders import Folder, folder_at, sweep_unfinished

JOB = "job.json"
"""What a job is of, in its folder, from when it was planned until it is deleted."""

UPLOADED = "archive"
"""What an uploaded archive is called in its job's folder."""

_ID = re.compile(r"[0-9a-f]{32}")


def archives_root(settings: Settings) -> str:
    """Where the folders of jobs lie: a path or an fsspec address.

    Raises:
        StoreUnavailable: nobody named a place, and there is no home folder.
    """
    if settings.archive_dir:
        return settings.archive_dir
    if settings.data_dir is None:
        raise StoreUnavailable("NDR_DATA_DIR is not set, and there is no home folder")
    return str(settings.data_dir / "archives")


def job_folder(root: str, order_id: str) -> Folder:
    """The folder of a job; nothing is made yet."""
    return folder_at(f"{root.rstrip('/')}/{order_id}")


def unordered_uploads(root: str, before: datetime) -> tuple[str, ...]:
    """Ids of folders with an upload and no work on it: orders that wait, or that nobody ever gave.

    The process that took an upload may have been killed before it wrote the order down. A place that fsspec
    reaches is not looked through.

    Args:
        root: where the folders of jobs lie.
        before: nothing that was written to later is told of.
    """
    place = local_path(root)
    found = sorted(place.iterdir()) if place and place.is_dir() else ()
    return tuple(each.name for each in found if _ID.fullmatch(each.name) and _is_upload(each, before))


def _is_upload(folder: Path, before: datetime) -> bool:
    """Whether a folder has nothing but an old upload; one that another process removes meanwhile has not."""
    with suppress(OSError):
        if [path.name for path in folder.iterdir()] == [UPLOADED]:
            known = (folder / UPLOADED).lstat()
            return S_ISREG(known.st_mode) and known.st_mtime < before.timestamp()
    return False


def sweep_uploads(root: str, before: datetime) -> int:
    """Removes uploads that never ended, because their process was killed; how many.

    A store that fsspec reaches has none: an upload gets there as a whole.

    Args:
        root: where the folders of jobs lie.
        before: nothing that was written to later is touched.
    """
    place = local_path(root)
    return sweep_unfinished(place, before) if place and place.is_dir() else 0
