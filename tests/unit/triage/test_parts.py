"""A part file is there as a whole or not at all, and only a note beside it makes its chunk done."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from service.triage import parts
from service.triage.folders import Folder, folder_at
from service.triage.nouns import Done, Row
from service.triage.parts import ARROW, files, finish, finished, part_of, write


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = folder_at(tmp_path)
    folder.make(parts.PARTS)
    return folder


def row(item: str) -> Row:
    return Row("a.mbox", item, 0, kind="bounce", smtp=550, confidence=0.5)


def done(folder: Folder, chunk: int) -> Done:
    return Done(chunk, folder.address_of(part_of(chunk)), items=1, rows=1, errors=0, size=10, seconds=0.5)


def path_of(folder: Folder, chunk: int) -> Path:
    return Path(folder.address_of(part_of(chunk)))


def names(folder: Folder) -> list[str]:
    return sorted(path.name for path in Path(folder.address_of(parts.PARTS)).iterdir())


def test_rows_come_back_as_they_went_in(folder: Folder) -> None:
    assert write(folder, 7, [row("1"), Row("a.mbox", "2", 0, error="it is empty")]) == 2

    table = pq.read_table(path_of(folder, 7))
    assert table.schema.names == ARROW.names
    assert [(each["item"], each["smtp"], each["error"]) for each in table.to_pylist()] == [
        ("1", 550, None),
        ("2", None, "it is empty"),
    ]


def test_more_rows_than_a_group_holds_are_written_group_by_group(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "GROUP_ROWS", 2)

    write(folder, 0, (row(str(number)) for number in range(5)))

    with pq.ParquetFile(path_of(folder, 0)) as part:
        assert (part.num_row_groups, part.metadata.num_rows) == (3, 5)


def test_a_chunk_without_rows_has_a_part_file(folder: Folder) -> None:
    assert write(folder, 0, []) == 0
    assert pq.read_table(path_of(folder, 0)).num_rows == 0


def test_repeating_a_chunk_replaces_its_file(folder: Folder) -> None:
    write(folder, 0, [row("1")])
    write(folder, 0, [row("2")])

    assert pq.read_table(path_of(folder, 0))["item"].to_pylist() == ["2"]
    assert names(folder) == ["000000.parquet"]


def test_a_failure_on_the_way_leaves_the_earlier_file_and_nothing_else(folder: Folder) -> None:
    def rows() -> Iterator[Row]:
        yield row("2")
        raise ConnectionError

    write(folder, 0, [row("1")])
    with pytest.raises(ConnectionError):
        write(folder, 0, rows())

    assert pq.read_table(path_of(folder, 0))["item"].to_pylist() == ["1"]
    assert names(folder) == ["000000.parquet"]


def test_chunks_are_done_in_the_order_of_their_numbers(folder: Folder) -> None:
    for chunk in (1_000_000, 2, 10):
        write(folder, chunk, [row("1")])
        finish(folder, done(folder, chunk))

    assert list(finished(folder)) == [done(folder, chunk) for chunk in (2, 10, 1_000_000)]
    assert files(folder) == tuple(part_of(chunk) for chunk in (2, 10, 1_000_000))


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b'{"chunk": 0}', None])
def test_a_chunk_without_a_sound_note_is_not_done(folder: Folder, note: bytes | None) -> None:
    write(folder, 0, [row("1")])
    if note is not None:
        path_of(folder, 0).with_suffix(".done").write_bytes(note)

    assert list(finished(folder)) == []


def test_a_note_without_its_part_file_counts_for_nothing(folder: Folder) -> None:
    finish(folder, done(folder, 0))

    assert list(finished(folder)) == []


def test_a_moved_folder_knows_its_parts(folder: Folder, tmp_path: Path) -> None:
    write(folder, 0, [row("1")])
    finish(folder, done(folder, 0))
    (tmp_path / "elsewhere").mkdir()
    moved = folder_at((tmp_path / parts.PARTS).rename(tmp_path / "elsewhere" / parts.PARTS).parent)

    assert [each.part for each in finished(moved)] == [
        str(tmp_path / "elsewhere" / "parts" / "000000.parquet")
    ]


def test_a_folder_that_is_not_there_has_no_parts(tmp_path: Path) -> None:
    assert files(folder_at(tmp_path / "missing")) == ()
