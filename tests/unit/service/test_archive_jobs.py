"""An upload leaves room on its disk, and nothing where there is none."""

from pathlib import Path

import pytest

from service.archive_jobs import ArchiveJobs, Request, Upload
from service.errors import StoreUnavailable
from service.settings import Settings
from service.triage.order_store import store_of

LINE = b'{"text": "550 5.1.1 User unknown"}\n'


def write(upload: Upload) -> str:
    upload.write(LINE)
    return "a.ndjson"


def jobs_in(folder: Path, least_free_bytes: int) -> ArchiveJobs:
    settings = Settings(data_dir=folder)
    return ArchiveJobs(settings, store_of(settings), least_free_bytes)


def test_an_upload_is_taken_where_there_is_room(tmp_path: Path) -> None:
    order, is_new = jobs_in(tmp_path, 1).take_upload(Request(), None, write)

    assert is_new
    assert LINE == Path(order.wish.archives[0]).read_bytes()


def test_a_full_disk_takes_no_upload_and_keeps_nothing_of_it(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="there is no room left for archives"):
        jobs_in(tmp_path, 1 << 62).take_upload(Request(), None, write)

    assert [] == list((tmp_path / "archives").iterdir())
