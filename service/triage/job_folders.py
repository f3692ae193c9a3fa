"""Says where the folders of jobs lie, also to those who do not work on them."""

from __future__ import annotations

from datetime import datetime

from service.errors import StoreUnavailable
from service.settings import Settings
from service.triage.addresses import local_path
from service.triage.folders import Folder, folder_at, sweep_unfinished

UPLOADED = "archive"
"""What an uploaded archive is called in its job's folder."""


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


def unheard_of(root: str, before: datetime) -> tuple[str, ...]:
    """Ids of folders with an upload and no work on it, of whose orders somebody else must know.

    The process that took such an upload may have been killed before it wrote the order down. A place that
    fsspec reaches is not looked through.

    Args:
        root: where the folders of jobs lie.
        before: nothing that was written to later is told of.
    """
    place = local_path(root)
    found = place.glob(f"*/{UPLOADED}") if place else ()
    return tuple(
        path.parent.name
        for path in sorted(found)
        if path.stat().st_mtime < before.timestamp() and len(list(path.parent.iterdir())) == 1
    )


def sweep_uploads(root: str, before: datetime) -> int:
    """Removes uploads that never ended, because their process was killed; how many.

    A store that fsspec reaches has none: an upload gets there as a whole.

    Args:
        root: where the folders of jobs lie.
        before: nothing that was written to later is touched.
    """
    place = local_path(root)
    return sweep_unfinished(place, before) if place and place.is_dir() else 0
