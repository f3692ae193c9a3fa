"""Part files become one file in their order, which spreadsheets and programs read alike."""

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from service.errors import JobRefused, UnreadableArchive
from service.triage import parts, results
from service.triage.folders import Folder, folder_at
from service.triage.nouns import Done, Row
from service.triage.results import Wanted, neutral, rows_as_csv, rows_as_ndjson, tally, write_rows

ROWS = [
    [Row("a", "1", 0, kind="bounce", category="mailbox_full", reply='552 "full", really', smtp=552)],
    [],
    [
        Row("a", "2", 0, kind="bounce", category="mailbox_full", confidence=0.25, recipient="+x@example.com"),
        Row(
            "a",
            "2",
            1,
            kind="delay",
            category="greylisted",
            action="wait",
            recipient_domain="example.com",
            reply="=HYPERLINK(1)",
        ),
        Row("b", "中", 0, error="it is empty"),
    ],
]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = folder_at(tmp_path / "job")
    folder.make(parts.PARTS)
    for chunk, rows in enumerate(ROWS):
        count = parts.write(folder, chunk, rows)
        parts.finish(folder, Done(chunk, "", items=count, rows=count, errors=0, size=0, seconds=0))
    return folder


ITEMS = ["1", "2", "2", "中"]


@pytest.mark.parametrize("group", [1, 3, 1000])
def test_parquet_has_all_rows_in_order(
    folder: Folder, tmp_path: Path, group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "GROUP_ROWS", group)

    assert write_rows(folder, tmp_path / "out.parquet") == 4

    table = pq.read_table(tmp_path / "out.parquet")
    assert table["item"].to_pylist() == ITEMS
    assert table.schema.equals(parts.ARROW)


def test_ndjson_has_an_object_a_line_with_nulls(folder: Folder, tmp_path: Path) -> None:
    assert write_rows(folder, tmp_path / "out.ndjson") == 4

    lines = [json.loads(line) for line in (tmp_path / "out.ndjson").read_text("utf-8").splitlines()]
    assert [line["item"] for line in lines] == ITEMS
    assert list(lines[0]) == parts.ARROW.names
    assert (lines[0]["smtp"], lines[1]["smtp"], lines[1]["confidence"]) == (552, None, 0.25)


def test_csv_follows_its_standard_and_holds_no_formulas(folder: Folder, tmp_path: Path) -> None:
    assert write_rows(folder, tmp_path / "out.CSV") == 4

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

    assert write_rows(folder_at(tmp_path), target) == 0
    assert target.read_bytes() != b"old"


def test_a_damaged_part_leaves_the_earlier_file(folder: Folder, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("old")
    folder.remove(parts.part_of(2))
    Path(folder.address_of(parts.part_of(1))).write_bytes(b"PAR1")
    with pytest.raises(UnreadableArchive, match=r"000001\.parquet"):
        write_rows(folder, target)

    assert target.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job", "out.csv"]


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobRefused, match=r"\.parquet, \.csv, \.ndjson"):
        write_rows(folder_at(tmp_path), tmp_path / "out.xlsx")


def test_the_tally_counts_rows_by_kind_category_and_error(folder: Folder) -> None:
    found = tally(folder)

    assert (found.rows, found.errors) == (4, 1)
    assert found.kinds == {"bounce": 2, "delay": 1}
    assert found.categories == {"mailbox_full": 2, "greylisted": 1}
    assert found.reasons == {"it is empty": 1}


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        (None, [0, 1, 2, 3]),
        (Wanted(), [0, 1, 2, 3]),
        (Wanted(kind=("bounce",)), [0, 1]),
        (Wanted(kind=("bounce", "delay")), [0, 1, 2]),
        (Wanted(kind=("bounce",), category=("greylisted",)), []),
        (Wanted(category=("greylisted", "mailbox_full")), [0, 1, 2]),
        (Wanted(action=("wait",)), [2]),
        (Wanted(recipient_domain=("example.com", "")), [2]),
        (Wanted(has_error=True), [3]),
        (Wanted(has_error=False), [0, 1, 2]),
        (Wanted(kind=("none",)), []),
    ],
)
def test_only_wanted_rows_are_given_in_every_form(
    folder: Folder, tmp_path: Path, wanted: Wanted | None, places: list[int]
) -> None:
    items = [ITEMS[place] for place in places]
    lines = [json.loads(line) for line in b"".join(rows_as_ndjson(folder, wanted)).splitlines()]
    rows = csv.DictReader(b"".join(rows_as_csv(folder, wanted)).decode().splitlines())

    assert write_rows(folder, tmp_path / "some.parquet", wanted) == len(items)
    assert pq.read_table(tmp_path / "some.parquet")["item"].to_pylist() == items
    assert [line["item"] for line in lines] == items
    assert [row["item"] for row in rows] == items


def test_rows_are_read_as_they_are_asked_for(folder: Folder) -> None:
    Path(folder.address_of(parts.part_of(2))).write_bytes(b"PAR1")
    blocks = rows_as_ndjson(folder)

    assert json.loads(next(blocks))["item"] == "1"
    with pytest.raises(UnreadableArchive):
        next(blocks)


@pytest.mark.parametrize("at_once", [1, 3])
def test_however_many_rows_are_turned_at_once_the_text_is_the_same(
    folder: Folder, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = b"".join(rows_as_csv(folder)), b"".join(rows_as_ndjson(folder))
    monkeypatch.setattr(results, "ROWS_AT_ONCE", at_once)

    assert (b"".join(rows_as_csv(folder)), b"".join(rows_as_ndjson(folder))) == before
