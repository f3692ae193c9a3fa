"""An archive in a store like S3 is triaged as one on disk, and the job's folder may lie there too."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
from click import UsageError
from joblib.externals.loky import get_reusable_executor

from service.triage import addresses, run
from service.triage.folders import READ_AHEAD_BYTES, Folder, folder_at
from service.triage.nouns import Done, Execute
from service.triage.report import write_report
from service.triage.results import Wanted, rows_as_csv, rows_as_ndjson, write_rows
from service.triage.run import Job, prepare, serially, with_joblib
from service.triage.work import Options
from service.triage_command import Request, perform

s3fs = pytest.importorskip("s3fs", reason="needs the package s3fs")
server = pytest.importorskip("moto.server", reason="needs the package moto[server,s3]")

REPLIES = ("550 5.1.1 <user@example.com>: User unknown", "552 5.2.2 Mailbox full")
CONTENT = b"".join(orjson.dumps({"id": f"r{n}", "text": REPLIES[n % 2]}) + b"\n" for n in range(40))
OPTIONS = Options(chunk_bytes=600)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()
    running._server.server_close()


@pytest.fixture
def bucket(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    """An empty bucket, known to this process and to those that it starts."""
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    get_reusable_executor().shutdown(wait=True)
    s3fs.S3FileSystem.clear_instance_cache()
    folder = folder_at("s3://ndr")
    folder.make()
    yield folder
    folder.remove_all()
    get_reusable_executor().shutdown(wait=True)
    files = s3fs.S3FileSystem()
    s3fs.S3FileSystem.close_session(files.loop, files.s3)
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def archive(bucket: Folder) -> str:
    with bucket.writing("in/a.ndjson") as path:
        path.write_bytes(CONTENT)
    return bucket.address_of("in/a.ndjson")


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, Any]]:
    """What the same archive gives on disk."""
    (tmp_path / "a.ndjson").write_bytes(CONTENT)
    job = prepare(folder_at(tmp_path / "job"), [str(tmp_path / "a.ndjson")], OPTIONS)
    run.run(job, serially, ignored)
    return rows_of(job)


def rows_of(job: Job) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in b"".join(rows_as_ndjson(job.folder)).splitlines()]


def ignored(_done: Done) -> None:
    pass


@pytest.mark.parametrize("execute", [serially, with_joblib(2)], ids=["serially", "processes"])
@pytest.mark.parametrize("where", ["disk", "store"])
def test_an_archive_in_a_store_gives_the_same_rows_wherever_the_job_lies(
    archive: str, rows: list[dict[str, Any]], tmp_path: Path, where: str, execute: Execute
) -> None:
    folder = folder_at("s3://ndr/jobs/1" if where == "store" else tmp_path / "there")
    job = prepare(folder, [archive], OPTIONS)
    run.run(job, execute, ignored)

    assert rows_of(job) == rows
    assert len(folder.names("parts")) == 2 * job.chunks
    assert folder.names() == ["chunks.ndjson", "job.json"]


def test_a_job_in_a_store_goes_on_where_it_was(archive: str, rows: list[dict[str, Any]]) -> None:
    def stopping(done: Done) -> None:
        if done.chunk == 1:
            raise KeyboardInterrupt

    job = prepare(folder_at("s3://ndr/jobs/1"), [archive], OPTIONS)
    with pytest.raises(KeyboardInterrupt):
        run.run(job, serially, stopping)
    told: list[Done] = []
    run.run(prepare(job.folder, [archive], OPTIONS), serially, told.append)

    assert [done.chunk for done in told] == list(range(2, job.chunks))
    assert rows_of(job) == rows


def test_results_and_report_of_a_job_in_a_store_lie_there_too(archive: str, tmp_path: Path) -> None:
    job = prepare(folder_at("s3://ndr/jobs/1"), [archive], OPTIONS)
    run.run(job, serially, ignored)
    full = Wanted(category=("mailbox_full",))
    with job.folder.writing("results.parquet") as path:
        assert write_rows(job.folder, path, full) == 20
    with job.folder.writing("report.html") as path:
        write_report(job.folder, path, "en")

    with job.folder.opened("results.parquet") as file:
        assert set(pq.read_table(file)["category"].to_pylist()) == {"mailbox_full"}
    assert job.folder.read("report.html").startswith(b"<!DOCTYPE html>")
    assert b"".join(rows_as_csv(job.folder, full)).count(b"\r\n") == 21


def test_the_command_takes_addresses(
    archive: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = Request(paths=(archive,), out=tmp_path / "out.parquet", jobs=1, work="s3://ndr/jobs/1")
    assert perform(request) == os.EX_OK

    assert pq.read_table(request.out).num_rows == 40
    assert "items: 40, rows: 40, errors: 0" in capsys.readouterr().out
    with pytest.raises(UsageError, match="s3://ndr/jobs/1 has the work of an earlier run"):
        perform(request)


def test_removing_a_job_leaves_the_archive(archive: str) -> None:
    job = prepare(folder_at("s3://ndr/jobs/1"), [archive], OPTIONS)
    run.run(job, serially, ignored)
    job.folder.remove_all()

    assert job.folder.names() == job.folder.names("parts") == []
    assert addresses.stat(archive).size == len(CONTENT)


def test_what_another_process_writes_is_seen(bucket: Folder) -> None:
    assert bucket.names("in") == []
    s3fs.S3FileSystem(skip_instance_cache=True).pipe("ndr/in/b", b"1")

    assert bucket.names("in") == ["b"]
    assert list(bucket.read_all(["in/a", "in/b"])) == [("in/b", b"1")]


def test_a_large_file_is_stored_in_pieces_and_read_where_it_is_sought(bucket: Folder) -> None:
    size = 4 * READ_AHEAD_BYTES + 100
    with bucket.writing("large") as path:
        path.write_bytes(bytes(size) + b"tail")

    with bucket.opened("large") as file:
        assert file.seek(-4, 2) == size
        assert file.read() == b"tail"
    with closing(addresses.open_at(bucket.address_of("large"), size)) as stream:
        assert stream.read() == b"tail"


@pytest.mark.parametrize("call", ["exists", "names", "read"])
def test_a_store_that_refuses_is_an_error_of_the_system(bucket: Folder, call: str) -> None:
    there = folder_at("s3://no_such_bucket!")
    with pytest.raises(OSError, match=r"s3://no_such_bucket!.* cannot be reached|no such file"):
        {"exists": there.exists, "names": there.names, "read": there.read}[call]("a")
