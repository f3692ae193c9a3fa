"""The drawing of a way is one safe, self-contained picture of each place and what became of the mail."""

import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from model.errors import UnknownName
from model.exhibits import Exhibit
from model.inquiry import Case, Question, investigate
from model.languages import LANGUAGES
from model.path import PLACES, Outcome, PathHop, Seen
from model.pipeline import build_diagnoser
from model.step_words import place_title
from service.path_svg import svg_of
from service.svg_parts import balanced, clean, fitting, outline, width_of, wrapped

SAMPLE = Path(__file__).parents[2] / "samples" / "cases" / "exchange-internal-auth"
SVG = "{http://www.w3.org/2000/svg}"
AT = datetime(2026, 11, 2, 23, 59, 30, tzinfo=UTC)
HOSTILE = [
    "</text><script>alert(1)</script>",
    "\"/><image href='https://example.org/x.png'/>",
    "]]> <!-- <![CDATA[ &amp; &#0; &entity;",
    "a\x00b\x1b[2J\u202e\ufffe\ud800",
    "{name} {value} %s %d",
    "x" * 100_000,
    "路" * 100_000,
    "<" * 100_000,
]
LAYOUTS = ("wide", "narrow")
each_language = pytest.mark.parametrize("language", LANGUAGES)


@pytest.fixture(scope="module")
def worked() -> Case:
    exhibits = [
        Exhibit.of(path.name, path.read_bytes())
        for path in sorted(SAMPLE.iterdir())
        if path.suffix in (".eml", ".log", ".txt")
    ]
    question = Question(near=datetime(2026, 11, 24, tzinfo=UTC))
    return investigate(build_diagnoser(), exhibits, question)


def drawn(case: Case, language: str = "en") -> ElementTree.Element:
    return ElementTree.fromstring(svg_of(case, language))  # noqa: S314 - our own


def places(picture: ElementTree.Element, layout: str) -> dict[str, ElementTree.Element]:
    prefix = f"way-{layout}-"
    return {
        each.attrib["id"].removeprefix(prefix): each
        for each in picture.iter(f"{SVG}g")
        if each.get("id", "").startswith(prefix)
    }


def shown(element: ElementTree.Element) -> str:
    """All that stands in the picture, one line after the other."""
    return "\n".join(text.text or "" for text in element.iter(f"{SVG}text"))


def tip(element: ElementTree.Element) -> str:
    return element.findtext(f"{SVG}title") or ""


def with_hops(case: Case, **changed: Any) -> Case:
    """The same case with a changed hop at each place named."""
    return replace(
        case,
        path=tuple(replace(hop, **changed.get(hop.place, changed.get("every", {}))) for hop in case.path),
    )


@each_language
def test_every_place_is_drawn_once_in_each_layout(worked: Case, language: str) -> None:
    picture = drawn(worked, language)

    for layout in LAYOUTS:
        drawn_there = places(picture, layout)

        assert list(PLACES) == list(drawn_there)
        assert [place_title(place, language) for place in PLACES] == [
            tip(each).split("\n")[0] for each in drawn_there.values()
        ]


@each_language
def test_ids_are_unique(worked: Case, language: str) -> None:
    ids = Counter(each.attrib["id"] for each in drawn(worked, language).iter() if "id" in each.attrib)

    assert {} == {name: count for name, count in ids.items() if count > 1}


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("seen", Seen)
def test_outcome_and_state_are_classes_with_a_symbol_of_their_own(
    worked: Case, outcome: Outcome, seen: Seen
) -> None:
    picture = drawn(with_hops(worked, dns={"outcome": outcome, "seen": seen}))
    other = drawn(with_hops(worked, dns={"outcome": Outcome.PASSED, "seen": seen}))

    for layout in LAYOUTS:
        place = places(picture, layout)["dns"]

        assert ["place", outcome, seen] == place.attrib["class"].split()
        assert (outcome is Outcome.PASSED) == (symbol(place) == symbol(places(other, layout)["dns"]))


def symbol(place: ElementTree.Element) -> list[str]:
    return [path.attrib["d"] for path in place.iter(f"{SVG}path")]


def test_the_worked_case_shows_where_it_stopped_and_why(worked: Case) -> None:
    picture = drawn(worked)
    wanted = (
        "It stopped here",
        "One mail server could not authenticate to another",
        "“454 4.7.0 Temporary authentication failure",
        "Who can mend it: the sender's administrator",
        "To: warehouse@example.com",
        "Message-ID: <d41d8cd9@EX1.example.com>",
        "Times in UTC: 2026-11-02",
    )

    for layout in LAYOUTS:
        outcomes = [each.attrib["class"].split()[1] for each in places(picture, layout).values()]
        text = "\n".join(shown(each) for each in picture if each.get("class") == layout)

        assert ["passed", "passed", "failed", *["not_reached"] * 6] == outcomes
        assert [] == [each for each in wanted if each not in text.replace("\n", " ")]


def test_pointing_at_a_place_tells_all_that_is_known(worked: Case) -> None:
    told = tip(places(drawn(worked), "wide")["sender_transport"])
    wanted = (
        "stopped (seen)",
        "ex1.example.com",
        "2026-11-02 10:",
        "tracking.log",
        "event-1035.txt",
        "454 4.7.0",
    )

    assert [] == [each for each in wanted if each not in told]


def test_a_screen_reader_gets_title_and_description(worked: Case) -> None:
    picture = drawn(worked, "zh")
    named = picture.attrib["aria-labelledby"].split()
    texts = {each.attrib["id"]: each.text or "" for each in picture if "id" in each.attrib}

    assert "img" == picture.attrib["role"]
    assert "一台邮件服务器无法通过另一台的身份验证" in texts[named[0]]
    assert len(PLACES) == len(texts[named[1]].split("\n"))


def test_chinese_pictures_are_chinese(worked: Case) -> None:
    text = shown(drawn(worked, "zh"))
    wanted = (
        "邮件的投递路径",
        "发件方邮件服务器",
        "邮件在此中断",
        "由谁处理：发件方管理员",
        "已通过",
        "推断，无直接证据",
    )

    assert [] == [each for each in wanted if each not in text]
    assert not re.search(r"stopped|Mailbox|mend", text)


@pytest.mark.parametrize(
    ("outcome", "is_resolved", "kicker", "look"),
    [
        (Outcome.FAILED, False, "It stopped here", "failed"),
        (Outcome.WAITING, False, "It waits here", "waiting"),
        (Outcome.PASSED, True, "It was held up here and passed later", "waiting"),
        (Outcome.PASSED, False, None, None),
        (Outcome.UNKNOWN, False, None, None),
    ],
)
def test_what_is_said_of_a_stop_follows_from_the_outcome(
    worked: Case,
    outcome: Outcome,
    is_resolved: bool,  # noqa: FBT001
    kicker: str | None,
    look: str | None,
) -> None:
    case = replace(with_hops(worked, sender_transport={"outcome": outcome}), is_resolved=is_resolved)
    picture = drawn(case)
    kickers = [text.text for text in picture.iter(f"{SVG}text") if "kicker" in text.get("class", "")]
    looks = {
        each.attrib["class"]
        for each in picture.iter(f"{SVG}g")
        if each.find(f"{SVG}path[@class='box']") is not None
    }

    assert ([kicker] * 2 if kicker else []) == kickers
    assert ({look} if look else set()) == looks


def test_a_stop_without_words_is_drawn_too(worked: Case) -> None:
    assert "“" not in shown(drawn(with_hops(worked, sender_transport={"words": ""})))


@pytest.mark.parametrize("stop", PLACES)
def test_the_note_hangs_on_its_place_wherever_that_is(worked: Case, stop: str) -> None:
    passed = replace(worked, path=tuple(PathHop(place, Seen.SEEN, Outcome.PASSED) for place in PLACES))
    picture = drawn(with_hops(passed, **{stop: {"outcome": Outcome.FAILED}}))
    box = next(path for path in picture.iter(f"{SVG}path") if path.get("class") == "box")
    x = int(re.findall(r"-?\d+", places(picture, "wide")[stop].attrib["transform"])[0])
    across = [int(number) for number in re.findall(r"[ML](-?\d+) ", box.attrib["d"])]

    assert min(across) < x < max(across)
    assert 0 <= min(across)
    assert max(across) <= 1180


def test_a_time_of_another_day_has_its_date(worked: Case) -> None:
    hops = {
        "client": {"first": AT},
        "submission": {"first": AT + timedelta(minutes=1)},
        "every": {"first": None},
    }
    picture = places(drawn(with_hops(worked, **hops)), "wide")

    assert "23:59:30" in shown(picture["client"]).split("\n")
    assert "11-03 00:00:30" in shown(picture["submission"]).split("\n")


def test_a_stamp_without_a_year_gets_none(worked: Case) -> None:
    text = svg_of(with_hops(worked, every={"first": AT.replace(year=1972), "last": None}), "en")

    assert "Times in UTC: 11-02<" in text
    assert "0001" not in text


def test_a_long_name_is_shortened_and_told_in_full(worked: Case) -> None:
    name = "mail-am6eur05on2100.outbound.protection.mail.example.com"
    place = places(drawn(with_hops(worked, dns={"host": name})), "wide")["dns"]

    assert name not in shown(place).replace("\n", "")
    assert "…" in shown(place)
    assert name in tip(place)


@each_language
@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: ascii(value[:20]))
def test_hostile_evidence_cannot_leave_its_texts_nor_make_it_large(
    worked: Case, value: str, language: str
) -> None:
    hostile = {"host": value, "ip": value, "words": value, "seen_by": (value,) * 50}
    case = with_hops(worked, every=hostile)
    lead = replace(case.diagnosis.lead, address=value)
    report = replace(case.diagnosis.report, original_message_id=value)
    text = svg_of(replace(case, diagnosis=replace(case.diagnosis, lead=lead, report=report)), language)
    tags = {each.tag.removeprefix(SVG) for each in ElementTree.fromstring(text).iter()}  # noqa: S314

    assert {"svg", "g", "path", "text", "title", "desc", "style"} == tags
    assert len(text.encode()) < 250_000


@each_language
def test_nothing_is_loaded_or_run(worked: Case, language: str) -> None:
    text = svg_of(worked, language).replace('xmlns="http://www.w3.org/2000/svg"', "")

    assert not re.search(r"https?:|//|url\(|@import|href|<script|<image|<foreignObject|\son\w+=|data:", text)


@each_language
def test_the_same_case_makes_the_same_bytes(worked: Case, language: str) -> None:
    assert svg_of(worked, language) == svg_of(worked, language)


def test_it_fits_its_window_and_chooses_its_layout_by_it(worked: Case) -> None:
    picture = drawn(worked)
    style = picture.findtext(f"{SVG}style") or ""
    narrow = next(each for each in picture if each.get("class") == "narrow")

    assert ("100%", True) == (picture.attrib["width"], "viewBox" in picture.attrib)
    assert "none" == narrow.attrib["display"]
    assert "prefers-color-scheme: dark" in style
    assert f"aspect-ratio: 420/{narrow.attrib['viewBox'].split()[-1]}" in style


@each_language
def test_no_line_is_wider_than_its_layout(worked: Case, language: str) -> None:
    long = {"host": "W" * 300, "words": "很长的话" * 30 + "W" * 300}
    picture = drawn(with_hops(worked, every=long), language)
    for layout, room in zip(LAYOUTS, (1180, 420), strict=True):
        part = next(each for each in picture if each.get("class") == layout)
        texts = [text for text in part.iter(f"{SVG}text") if text.text]

        assert [] == [
            each.text for each in texts if width_of(each.text or "", float(each.attrib["font-size"])) > room
        ]


def test_an_unknown_language_is_an_error(worked: Case) -> None:
    with pytest.raises(UnknownName):
        svg_of(worked, "xx")


@pytest.mark.parametrize(
    ("text", "most", "expected"),
    [
        ("", 3, []),
        ("one two three", 3, ["one two", "three"]),
        ("one two three", 1, ["one tw…"]),
        ("发件方邮件服务器", 3, ["发件方邮件", "服务器"]),
        ("发件方邮件，服务器", 3, ["发件方邮", "件，服务器"]),
        ("abcdefghijklmnopqrst", 3, ["abcdefghi", "jklmnopqr", "st"]),
        ("  a   b ", 3, ["a   b"]),
        ("mx1.example.com", 3, ["mx1.", "example.", "com"]),
        ("a.bcdefghijklmnopqr", 3, ["a.bcdefgh", "ijklmnopqr"]),
    ],
)
def test_a_text_is_broken_between_words_and_chinese_characters(
    text: str, most: int, expected: list[str]
) -> None:
    assert expected == wrapped(text, 10, 52, most=most)


def test_a_title_has_no_lonely_word() -> None:
    title = "一台邮件服务器无法通过另一台的身份验证"

    assert ["身份验证"] != balanced(title, 10, 180, most=3)[-1:]
    assert len(balanced(title, 10, 180, most=3)[-1]) > 4
    assert wrapped(title, 10, 180, most=1) == balanced(title, 10, 180, most=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("mx1.example.com", "mx1.example.com"), ("mx1.a.very.long.example.com", "mx1.a.ver…mple.com"), ("", "")],
)
def test_the_middle_of_a_long_name_is_left_out(text: str, expected: str) -> None:
    assert expected == fitting(text, 10, 110, "code")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a\nb\t c", "a b c"), ("\u202eabc\x1b[0m", "abc [0m"), ("x" * 300, "x" * 254 + "…"), ("邮件", "邮件")],
)
def test_a_text_is_cleaned(text: str, expected: str) -> None:
    assert expected == clean(text)


def test_an_outline_has_round_corners() -> None:
    square = outline((0, 0), (100, 0), (100, 50), (0, 50))

    assert "M0 8Q0 0 8 0L92 0Q100 0 100 8L100 42Q100 50 92 50L8 50Q0 50 0 42Z" == square
