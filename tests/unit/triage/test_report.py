"""The report is one page that loads nothing, trusts nothing and hides persons, in each language."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model.errors import UnknownName
from model.languages import LANGUAGES
from service.errors import UnreadableArchive
from service.triage import parts
from service.triage.folders import Folder, folder_at
from service.triage.nouns import Done, Row
from service.triage.report import About, as_html, rows_of_parts, versions_of, write_report
from service.triage.summary import summarise

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&"


def row(number: int, **more: object) -> Row:
    values: dict[str, object] = {
        "kind": "bounce",
        "category": "recipient_unknown",
        "permanence": "permanent",
        "action": "suppress",
        "stage": "mailbox",
        "recipient": f"person{number}@example.net",
        "recipient_domain": "example.net",
        "reported_at": "2026-11-02T10:14:23Z",
    }
    return Row("a.mbox", f"#{number}", 0, **{**values, **more})  # type: ignore[arg-type]


ROWS = [
    *(row(number) for number in range(5)),
    row(5, category="unknown", reply="550 zulu person5@example.net", smtp=550),
    row(6, kind="delay", category="connection_failed"),
    Row("a.mbox", "#7", 0, error="this is damaged"),
]


class Versions(NamedTuple):
    rules_version: str
    model_version: str | None


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def tags(page: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(page)
    return parser.seen


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = folder_at(tmp_path)
    folder.make(parts.PARTS)
    for chunk, rows in enumerate((ROWS[:3], ROWS[3:])):
        count = parts.write(folder, chunk, rows)
        parts.finish(folder, Done(chunk, "", items=count, rows=count, errors=0, size=0, seconds=0))
    return folder


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_loads_nothing(language: str) -> None:
    page = as_html(summarise(ROWS), language)

    for tag, values in tags(page):
        assert "src" not in values
        assert tag != "link"
        assert tag == "a" or not any(
            "http" in (value or "") for name, value in values.items() if "href" in name
        )
    assert not re.search(r"url\(|@import|fetch\(", page)


@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_values_stay_text(language: str) -> None:
    names = (
        "recipient",
        "recipient_domain",
        "remote_mta",
        "reporting_mta",
        "provider",
        "stage",
        "action",
        "kind",
    )
    rows = [row(1, **{name: HOSTILE}) for name in (*names, "permanence", "category", "cause", "reported_at")]
    rows += [row(2, category="unknown", smtp=550, reply=HOSTILE), Row(HOSTILE, HOSTILE, 0, error=HOSTILE)]
    found = summarise(rows, show_addresses=True)

    page = as_html(found, language, About(title=HOSTILE, made_at=HOSTILE, versions={HOSTILE: HOSTILE}))

    assert [] == [tag for tag, values in tags(page) if tag == "img" or "onerror" in values]
    assert 1 == page.count("</script>")


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_address_stands_in_full_unless_asked_for(language: str) -> None:
    assert "person" not in re.sub(
        r"<h[34]>.*?</h[34]>|<article.*?</article>", "", as_html(summarise(ROWS), language), flags=re.S
    )
    assert "person1@example.net" in as_html(summarise(ROWS, show_addresses=True), language)


def test_the_same_rows_make_the_same_bytes(folder: Folder, tmp_path: Path) -> None:
    for name in ("1.html", "2.html", "1.json", "2.json"):
        write_report(folder, tmp_path / name, "en")

    assert (tmp_path / "1.html").read_bytes() == (tmp_path / "2.html").read_bytes()
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes()


def test_parts_give_all_rows_in_order(folder: Folder) -> None:
    assert ROWS == list(rows_of_parts(folder))


def test_a_damaged_part_is_named_and_no_report_is_left(folder: Folder, tmp_path: Path) -> None:
    Path(folder.address_of(parts.part_of(1))).write_bytes(b"PAR1")

    with pytest.raises(UnreadableArchive, match=r"000001\.parquet"):
        write_report(folder, tmp_path / "r.html", "en")
    assert not (tmp_path / "r.html").exists()


def test_a_part_without_the_columns_is_damaged(folder: Folder) -> None:
    pq.write_table(pa.table({"archive": ["a"]}), folder.address_of(parts.part_of(1)))

    with pytest.raises(UnreadableArchive):
        list(rows_of_parts(folder))


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_empty_archive_has_a_page(language: str) -> None:
    page = as_html(summarise([]), language)

    assert "<h1>" in page
    assert "<svg" not in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_table_and_picture_can_be_heard(language: str) -> None:
    found = tags(as_html(summarise(ROWS), language))

    assert all("scope" in values for tag, values in found if tag == "th")
    assert all(
        values.get("role") == "img" and values.get("aria-label") for tag, values in found if tag == "svg"
    )


def test_a_language_that_nobody_translated_is_refused(folder: Folder, tmp_path: Path) -> None:
    with pytest.raises(UnknownName):
        write_report(folder, tmp_path / "r.html", "xx")


@pytest.mark.parametrize(("model", "names"), [("m1", ["m1", "r1"]), (None, ["r1"])])
def test_the_page_names_the_rules_and_the_classifier_that_there_were(
    model: str | None, names: list[str]
) -> None:
    versions = versions_of(Versions("r1", model))  # type: ignore[arg-type]
    page = as_html(summarise(ROWS), "en", About(versions=versions))

    assert [name for name in ("m1", "r1") if f'<span class="code">{name}</span>' in page] == names
    assert {"product", "taxonomy"} < set(versions)
