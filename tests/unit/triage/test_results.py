"""Part files become one file in their order, which spreadsheets and programs read alike."""

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from service.errors import JobRefused
from service.triage import parts, results
from service.triage.nouns import Row
from service.triage.results import merge, neutral, tally

ROWS = [
    [Row("a", "1", 0, kind="bounce", category="mailbox_full", reply='552 "full", really', smtp=552)],
    [],
    [
        Row("a", "2", 0, kind="bounce", category="mailbox_full", confidence=0.25, recipient="+x@example.com"),
        Row("a", "2", 1, kind="delay", category="greylisted", reply="=HYPERLINK(1)"),
        Row("b", "中", 0, error="it is empty"),
    ],
]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    (tmp_path / parts.PARTS).mkdir()
    for chunk, rows in enumerate(ROWS):
        parts.write(tmp_path, chunk, rows)
    return [parts.part_of(tmp_path, chunk) for chunk in range(len(ROWS))]


ITEMS = ["1", "2", "2", "中"]


@pytest.mark.parametrize("group", [1, 3, 1000])
def test_parquet_has_all_rows_in_order(
    files: list[Path], tmp_path: Path, group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "GROUP_ROWS", group)

    assert merge(files, tmp_path / "out.parquet") == 4

    table = pq.read_table(tmp_path / "out.parquet")
    assert table["item"].to_pylist() == ITEMS
    assert table.schema.equals(parts.ARROW)


def test_ndjson_has_an_object_a_line_with_nulls(files: list[Path], tmp_path: Path) -> None:
    assert merge(files, tmp_path / "out.ndjson") == 4

    lines = [json.loads(line) for line in (tmp_path / "out.ndjson").read_text("utf-8").splitlines()]
    assert [line["item"] for line in lines] == ITEMS
    assert list(lines[0]) == parts.ARROW.names
    assert (lines[0]["smtp"], lines[1]["smtp"], lines[1]["confidence"]) == (552, None, 0.25)


def test_csv_follows_its_standard_and_holds_no_formulas(files: list[Path], tmp_path: Path) -> None:
    assert merge(files, tmp_path / "out.CSV") == 4

    raw = (tmp_path / "out.CSV").read_bytes()
    assert raw.startswith(b"archive,item,")
    assert raw.count(b"\r\n") == raw.count(b"\n") == 5
    rows = list(csv.DictReader(raw.decode().splitlines()))
    assert [row["reply"] for row in rows] == ['552 "full", really', "", "'=HYPERLINK(1)", ""]
    assert [row["recipient"] for row in rows] == ["", "'+x@example.com", "", ""]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=a", "'=a"),
        ("+a", "'+a"),
        ("-a", "'-a"),
        ("@a", "'@a"),
        ("a=", "a="),
        ("", ""),
        (None, ""),
        (-1, -1),
        (0.5, 0.5),
    ],
)
def test_only_texts_that_open_like_a_formula_get_a_mark(value: object, shown: object) -> None:
    assert neutral(value) == shown


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".ndjson"])
def test_nothing_gives_an_empty_table_and_an_earlier_file_is_replaced(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"
    target.write_text("old")

    assert merge([], target) == 0
    assert target.read_bytes() != b"old"


def test_a_missing_part_leaves_the_earlier_file(files: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")
    with pytest.raises(OSError, match="missing"):
        merge([*files, tmp_path / "missing.parquet"], target)

    assert target.read_text() == "old"
    assert not list(tmp_path.glob(".*.tmp"))


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobRefused, match=r"\.parquet, \.csv, \.ndjson"):
        merge([], tmp_path / "out.xlsx")


def test_the_tally_counts_rows_by_kind_category_and_error(files: list[Path]) -> None:
    found = tally(files)

    assert (found.rows, found.errors) == (4, 1)
    assert found.kinds == {"bounce": 2, "delay": 1}
    assert found.categories == {"mailbox_full": 2, "greylisted": 1}
    assert found.reasons == {"it is empty": 1}
