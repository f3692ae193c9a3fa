"""``ndr triage`` writes results, tells what there was, goes on when asked to, ends with a telling code."""

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest
from click import UsageError
from click.testing import CliRunner, Result

from service import triage_command
from service.cli import exit_code_of, ndr
from service.triage.nouns import Done
from service.triage_cli import triage
from service.triage_command import INTERRUPTED, Interrupts
from service.triage_progress import Progress, Sums


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "a.ndjson"
    texts = ["550 5.1.1 <user@example.com>: User unknown", "552 5.2.2 Mailbox full", ""]
    path.write_bytes(b"".join(orjson.dumps({"text": text}) + b"\n" for text in texts))
    return path


def called(*arguments: object) -> Result:
    return CliRunner().invoke(
        triage, ["--jobs", "1", *(str(each) for each in arguments)], standalone_mode=False
    )


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".ndjson"])
def test_an_archive_becomes_a_table_and_a_summary(archive: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"

    result = called(archive, "--out", out)

    assert result.return_value == os.EX_OK
    assert out.stat().st_size > 0
    assert "items: 3, rows: 3, errors: 1" in result.stdout
    assert "         1  mailbox_full" in result.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ndjson", out.name]


def test_a_named_work_folder_stays_and_is_gone_on_with_only_when_asked(archive: Path, tmp_path: Path) -> None:
    arguments = (archive, "--out", tmp_path / "out.parquet", "--work", tmp_path / "job")
    assert called(*arguments).return_value == os.EX_OK

    refused = called(*arguments)
    assert isinstance(refused.exception, UsageError)
    assert "--resume" in str(refused.exception)
    resumed = called(*arguments, "--resume")
    assert resumed.return_value == os.EX_OK
    assert "items: 3, rows: 3, errors: 1" in resumed.stdout


def test_going_on_with_another_archive_is_refused(archive: Path, tmp_path: Path) -> None:
    arguments = (archive, "--out", tmp_path / "out.parquet", "--work", tmp_path / "job")
    called(*arguments)
    archive.write_bytes(archive.read_bytes() * 2)

    refused = called(*arguments, "--resume")

    assert isinstance(refused.exception, UsageError)
    assert "archives are others, or were changed" in str(refused.exception)


def test_an_interrupted_run_says_how_to_go_on(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    arguments = (archive, "--out", tmp_path / "out.parquet")
    with monkeypatch.context() as patch:
        patch.setattr(triage_command, "run", interrupted)
        result = called(*arguments)

    assert result.return_value == INTERRUPTED
    assert "--resume" in result.stderr
    assert not (tmp_path / "out.parquet").exists()
    assert called(*arguments, "--resume").return_value == os.EX_OK
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 3


@pytest.mark.parametrize(
    "content", [b"", b"no archive at all", b"\x1f\x8b\x08\0\0\0\0\0", b'{"text": ""}\n{"text": " "}\n']
)
def test_an_archive_of_which_nothing_can_be_read_is_a_row_and_a_code(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)

    result = called(path, "--out", tmp_path / "out.parquet")

    assert result.return_value == os.EX_DATAERR
    assert pq.read_table(tmp_path / "out.parquet")["error"].null_count == 0
    assert "nothing in it could be read" in result.stderr


def test_a_missing_file_ends_before_anything_is_written(archive: Path, tmp_path: Path) -> None:
    result = called(archive, tmp_path / "missing.mbox", "--out", tmp_path / "out.csv")

    assert isinstance(result.exception, FileNotFoundError)
    assert exit_code_of(result.exception) == os.EX_NOINPUT
    assert [path.name for path in tmp_path.iterdir()] == ["a.ndjson"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--out", "out.xlsx"), r"\.parquet"),
        (("--out", "out.csv", "--kind", "pdf"), "pdf"),
        (("--out", "out.csv", "--jobs", "0"), "range"),
        ((), "--out"),
    ],
)
def test_wrong_options_are_named(archive: Path, arguments: Sequence[str], reason: str) -> None:
    result = called(archive, *arguments)

    assert isinstance(result.exception, UsageError)
    with pytest.raises(UsageError, match=reason):
        raise UsageError(result.exception.format_message())


def test_the_same_path_twice_is_read_once(archive: Path, tmp_path: Path) -> None:
    result = called(archive, archive, "--out", tmp_path / "out.csv")

    assert "items: 3," in result.stdout


def test_the_report_is_written_in_the_language_that_was_asked_for(archive: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    called(archive, "--out", tmp_path / "out.csv", "--report", page, "--lang", "zh")
    text = page.read_text("utf-8")

    assert '<html lang="zh' in text
    assert archive.name in text


def test_an_interrupt_that_dying_workers_hide_still_ends_the_run() -> None:
    def hidden() -> None:
        with Interrupts(), suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        hidden()

    assert signal.getsignal(signal.SIGINT) is before


def test_the_command_is_registered() -> None:
    assert ndr.commands["triage"] is triage


def test_progress_tells_of_chunks_every_ten_seconds_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = [0.0]
    with Progress(4, Sums(), lambda: now[0]) as progress:
        for chunk, seconds in enumerate((6.0, 12.0, 15.0)):
            now[0] = seconds
            progress.add(Done(chunk, "", items=60, rows=90, errors=1, size=1_500_000, seconds=6.0))

    assert capsys.readouterr().err == " 50%  3.0 MB, 120 items, 15 rows/s, 0:12 left\n"
    assert progress.sums == Sums(chunks=3, items=180, rows=270, errors=3, size=4_500_000)


def test_what_an_earlier_run_did_counts_but_not_for_the_rate() -> None:
    now = [0.0]
    progress = Progress(4, Sums(2, 100, 100, 0, 1_000_000), lambda: now[0])
    now[0] = 10.0
    progress.add(Done(2, "", items=50, rows=50, errors=0, size=1_000_000, seconds=6.0))

    assert progress.line() == " 75%  2.0 MB, 150 items, 5 rows/s, 0:10 left"
