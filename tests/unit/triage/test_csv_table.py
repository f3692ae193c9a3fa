"""A table gives the reply of each row, wherever its column stands and however the file is cut."""

import csv
import io
from pathlib import Path

import pytest

from service.errors import UnreadableArchive
from service.triage.formats import csv_table
from service.triage.formats.csv_table import Layout, layout_of
from service.triage.guards import Limits
from service.triage.nouns import Item, Kind
from service.triage.planning import plan
from service.triage.reading import items

REPLY = "550 5.1.1 <user@example.com>: No such user"


def read(file: Path, chunk_bytes: int = 1 << 20, column: str | None = None) -> list[Item]:
    chunks = plan([str(file)], kind=Kind.TABLE, chunk_bytes=chunk_bytes, column=column)
    return [item for chunk in chunks for item in items(chunk, column=column)]


@pytest.mark.parametrize(
    ("table", "layout"),
    [
        (f"id,reply\n1,{REPLY}\n", Layout(",", 1, None, has_header=True)),
        (f"id;SMTP Response;to\n1;{REPLY};a@example.com\n", Layout(";", 1, 2, has_header=True)),
        (f"time\trcpt\tdsnDiag\n1\ta@example.com\tsmtp;{REPLY}\n", Layout("\t", 2, 1, has_header=True)),
        (f"when|what\n1|{REPLY}\n", Layout("|", 1, None, has_header=True)),
        (f"1,{REPLY}\n2,{REPLY}\n", Layout(",", 1, None, has_header=False)),
        ("message,diagnostic\nhello,User unknown\n", Layout(",", 1, None, has_header=True)),
        (f"diagnostic,message\nnone,{REPLY}\n", Layout(",", 1, None, has_header=True)),
        (f"收件人,退信原因\na@example.com,{REPLY}\n", Layout(",", 1, 0, has_header=True)),
        ("reply\n" + f"{REPLY}, sorry\n" * 99, Layout("", 0, None, has_header=True)),
        (f"reply\n{REPLY}\n", Layout("", 0, None, has_header=True)),
        (f"{REPLY}, sorry\n{REPLY}, gone\n", Layout("", 0, None, has_header=False)),
        ('"a, b","550 5.1.1 x, ""y"""\n"c","5.2.2 z"\n', Layout(",", 1, None, has_header=False)),
        (f"\ufeffreply,id\r\n{REPLY},1\r\n", Layout(",", 0, None, has_header=True)),
    ],
)
def test_the_column_of_replies_is_found(table: str, layout: Layout) -> None:
    assert layout_of(table.encode()) == layout


@pytest.mark.parametrize(
    "table",
    [
        "",
        "\n\n",
        "name,size\na,1\nb,2\n",
        "subject,message\nlunch,see you at noon\nwork,no\n",
        "A plain text,\nthat goes on, and on,\nand ends.\n",
        "text\nhello\n",
        '"never closed,\nand more\n550 5.1.1 x\n',
    ],
)
def test_a_text_without_replies_is_no_table(table: str) -> None:
    assert csv_table.claims(table.encode()) is False


@pytest.mark.parametrize(("column", "expected"), [("note", 1), ("Note ", 1), ("2", 1), ("1", 0)])
def test_a_column_can_be_named(column: str, expected: int) -> None:
    assert layout_of(b"id,note\n1,gone\n", column).reply == expected


@pytest.mark.parametrize("column", ["reason", "3", "0", "-1", "9" * 100, "²"])
def test_a_column_that_is_not_there_is_refused(column: str) -> None:
    with pytest.raises(UnreadableArchive, match="it has no column"):
        layout_of(b"id,note\n1,gone\n", column)


def test_utf_16_is_refused_in_words_that_help() -> None:
    with pytest.raises(UnreadableArchive, match="save it as CSV in UTF-8"):
        layout_of("reply\n".encode("utf-16"))


def test_ids_are_the_rows_of_the_sheet_and_recipients_are_named(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(
        "to,reply\n"
        "user@example.com,550 5.1.1 No such user\n"
        "\n"
        "b@example.com,\n"
        "b@example.com,552 5.2.2 <b@example.com> is full\n"
        'x,"421 4.3.2\nbusy, ""later"""\n'
        "c@example.com\n"
    )

    assert read(file) == [
        Item("2", b"<user@example.com>: 550 5.1.1 No such user", "text"),
        Item("4", b"", error="the row has no reply"),
        Item("5", b"552 5.2.2 <b@example.com> is full", "text"),
        Item("6", b'421 4.3.2\nbusy, "later"', "text"),
        Item("7", b"", error="the row has no reply"),
    ]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_chunks_of_every_size_hold_each_row_once(tmp_path: Path, line_end: str, quoting: int) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=line_end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows(
        [("id", "reply"), (1, REPLY), (2, '452 4.2.2 "full",\nor\r\nnearly'), (), (3, "退信 550 "), (4, "")]
    )
    file = tmp_path / "a.csv"
    file.write_bytes(out.getvalue().encode())
    expected = read(file)

    assert [item.id for item in expected] == ["2", "3", "5", "6"]
    for chunk_bytes in range(1, file.stat().st_size + 1):
        assert expected == read(file, chunk_bytes)


@pytest.mark.parametrize("chunk_bytes", [1, 1000, 1 << 20])
def test_a_quotation_mark_that_is_not_closed_costs_a_bounded_part(tmp_path: Path, chunk_bytes: int) -> None:
    file = tmp_path / "a.csv"
    row = f"1,{REPLY}\n"
    file.write_text(f'id,reply\n2,{REPLY}\n3,"550 {row * 4000}')

    found = read(file, chunk_bytes)

    assert [item.error for item in found if item.error] == [
        "the row cannot be read: a cell is too long, or a quotation mark is not closed"
    ]
    assert len(found) > 1000


def test_a_line_above_the_limit_is_an_error_and_the_rest_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(f"id,reply\n1,{'x' * 5000}\n2,{REPLY}\n")
    limits = Limits(message_bytes=1000)

    found = [item for chunk in plan([str(file)], limits=limits) for item in items(chunk, limits=limits)]

    assert [(item.id, item.error) for item in found] == [
        ("2", "the message has more than 1000 bytes"),
        ("3", None),
    ]


def test_bytes_of_other_charsets_pass_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes("id,reply\n1,550 收件人不存在\n".encode("gb18030"))

    assert [item.raw for item in read(file)] == ["550 收件人不存在".encode("gb18030")]


def test_a_table_without_replies_is_one_error_where_it_is_called_a_table(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("name,size\na,1\n")

    assert read(file) == [
        Item("a.csv", b"", error="no column of it holds SMTP replies; name the one that does")
    ]
