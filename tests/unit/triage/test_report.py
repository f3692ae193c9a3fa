"""The report is one page that loads nothing, trusts nothing and hides persons, in each language."""

import re
import tomllib
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
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
from service.triage.report import About, Page, as_html, rows_of_parts, versions_of, write_report
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


def sections_of(page: str) -> list[str]:
    """The ids of the headings of a page."""
    return [str(values["id"]) for tag, values in tags(page) if tag == "h2"]


def words(language: str) -> dict[str, str]:
    content = files("service.triage").joinpath("page", f"{language}.toml").read_text("utf-8")
    return dict(tomllib.loads(content)["page"])


def values_of(text: str) -> set[str]:
    return set(re.findall(r"{(\w+)}", text))


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
    page = as_html(summarise(ROWS), language)

    assert "person" not in re.sub(r'<details class="cause".*?</details>', "", page, flags=re.S)
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
@pytest.mark.parametrize(
    ("rows", "sections"),
    [
        ([], []),
        ([row(0, kind="not_ndr", category=None, smtp=None)], ["kinds", "archives"]),
        ([Row("a.mbox", "#1", 0, error="damaged")], ["kinds", "archives", "errors"]),
    ],
    ids=["nothing", "no failure", "nothing readable"],
)
def test_an_archive_without_failures_has_a_short_page(
    rows: list[Row], sections: list[str], language: str
) -> None:
    page = as_html(summarise(rows), language)

    assert sections == sections_of(page)
    assert "notice" in page
    assert "<svg" not in page
    assert "<nav" not in page


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], ROWS[-1:], ROWS[5:6], []])
def test_every_link_of_a_page_leads_to_one_place_of_it(rows: list[Row], language: str) -> None:
    found = tags(as_html(summarise(rows), language))
    places = [values["id"] for _, values in found if "id" in values]
    links = {str(values["href"]) for tag, values in found if tag == "a"}

    assert len(places) == len(set(places))
    assert {link[1:] for link in links if link.startswith("#")} <= set(places)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_first_screen_says_what_since_when_what_to_fix_and_which_to_drop(language: str) -> None:
    page = as_html(summarise(ROWS, show_addresses=True), language)
    first = page[page.index("<header>") : page.index("<nav")]

    assert "2026-11-02 10:14" in first
    assert "#cause-" in first
    assert "person0<wbr>@example<wbr>.net" in first
    assert ["items", "failures", "suppress", "clusters", "unreadable"] == [
        name
        for name in ("items", "failures", "suppress", "clusters", "unreadable")
        if words(language)[name] in first
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_table_and_picture_can_be_heard(language: str) -> None:
    found = tags(as_html(summarise([*ROWS, row(9, reported_at="2026-11-02T13:00:00Z")]), language))
    names = [tag for tag, _ in found]
    levels = [int(tag[1]) for tag in names if re.fullmatch("h[1-6]", tag)]

    assert all("scope" in values for tag, values in found if tag == "th")
    assert [values for tag, values in found if tag == "svg"]
    assert all(
        values.get("role") == "img" and values.get("aria-label") for tag, values in found if tag == "svg"
    )
    assert names.count("table") == names.count("caption")
    assert 1 == levels[0]
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_a_sortable_table_says_by_what_it_is_sorted() -> None:
    page = as_html(summarise(ROWS), "en")
    tables = re.findall(r'<table class="sortable">.*?</thead>', page, flags=re.S)

    assert tables
    assert [1] * len(tables) == [table.count('aria-sort="descending"') for table in tables]


def test_failures_that_nobody_knows_are_no_cause_to_fix() -> None:
    found = summarise(ROWS)

    assert "unknown" not in {each.category for each in found.causes}
    assert "1 failure is in words that nobody knows yet" in as_html(found, "en")


@pytest.mark.parametrize(
    ("number", "said", "unsaid"),
    [
        (1, ["1 row, one per recipient", "1 bounce<", "in 1 row<"], "1 rows"),
        (2, ["2 rows, one", "2 bounces"], "2 row,"),
    ],
)
def test_counts_are_in_the_singular_where_there_is_one(number: int, said: list[str], unsaid: str) -> None:
    page = as_html(summarise(ROWS[:number]), "en")

    assert said == [each for each in said if each in page]
    assert unsaid not in page


@pytest.mark.parametrize(
    ("count", "total", "share"),
    [(0, 0, "–"), (0, 9, "0.0%"), (1, 5000, "<0.1%"), (1, 1000, "0.1%"), (9, 9, "100.0%")],
)
def test_a_small_share_is_not_told_as_none(count: int, total: int, share: str) -> None:
    assert share == Page(summarise([]), "en", About()).share(count, total)


def test_full_addresses_can_be_copied_as_a_list() -> None:
    listed = re.search(
        r"<pre[^>]*>(.*?)</pre>", as_html(summarise(ROWS, show_addresses=True), "en"), flags=re.S
    )

    assert listed
    assert sorted({f"person{number}@example.net" for number in range(7)}) == sorted(listed[1].split())
    assert "<pre" not in as_html(summarise(ROWS), "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_the_same_words_with_the_same_values(language: str) -> None:
    one, other = words("en"), words(language)

    assert {name for name in one if not name.endswith("_one")} == {
        name for name in other if not name.endswith("_one")
    }
    assert {name: values_of(one[name]) for name in other} == {name: values_of(other[name]) for name in other}


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
