"""A case as plain values and as a report for people: complete, bounded, in both languages."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from model.errors import UnknownName
from model.events import Event, Role, What
from model.exhibits import Exhibit
from model.inquiry import Case, Question
from model.languages import LANGUAGES
from model.path import Outcome, PathHop, Seen, Sighting
from model.sides import Own
from service.case_answer import MOST_CHARS, MOST_EVENTS, MOST_RECIPIENTS, case_answer_of, shown
from service.settings import Settings
from service.text_answer import labels
from service.text_case import MARKS, case_text_of
from service.wiring import Diagnoser, build

FOLDER = Path(__file__).parents[2] / "samples" / "cases" / "exchange-internal-auth"
AT = datetime(2026, 11, 2, 10, 14, 7, tzinfo=UTC)
WORDS = "way hop span moment seen_by resolved side sender recipient side_inferred read reading next".split()


@pytest.fixture(scope="module")
def diagnoser() -> Diagnoser:
    return build(Settings()).diagnoser


def worked(diagnoser: Diagnoser, *names: str, language: str = "en", own: Own | None = None) -> Case:
    exhibits = [Exhibit.of(name, (FOLDER / name).read_bytes()) for name in names]
    return diagnoser.investigate(exhibits, Question(own=own or Own(), near=AT, language=language))


@pytest.fixture(scope="module")
def case(diagnoser: Diagnoser) -> Case:
    return worked(diagnoser, *sorted(path.name for path in FOLDER.iterdir() if path.suffix != ".toml"))


def event(number: int = 0, **more: object) -> Event:
    known = {"what": What.DEFERRED, "line": number + 1, "at": AT + timedelta(seconds=number)}
    return Event(**{**known, **more})  # type: ignore[arg-type]  # a table of fields


def with_events(case: Case, events: Sequence[Event]) -> Case:
    return replace(case, sightings=tuple(Sighting("mail.log", Role.TRANSPORT, each) for each in events))


def test_it_is_ready_for_json(case: Case) -> None:
    answer = case_answer_of(case)

    assert answer == orjson.loads(orjson.dumps(answer))


def test_events_tell_who_saw_what_where(case: Case) -> None:
    entry = case_answer_of(with_events(case, [event(6, host="mx1", queue_id="A1", detail={"dsn": "4.7.0"})]))
    expected = {
        "at": "2026-11-02T10:14:13.000Z",
        "what": "deferred",
        "host": "mx1",
        "queue_id": "A1",
        "detail": {"dsn": "4.7.0"},
        "evidence": "mail.log",
        "line": 7,
        "sender": None,
        "recipients": [],
    }

    assert expected == {name: entry["events"][0][name] for name in expected}


@pytest.mark.parametrize(
    ("count", "lines"),
    [
        (0, []),
        (MOST_EVENTS, list(range(1, 201))),
        (MOST_EVENTS + 1, [*range(1, 101), *range(102, 202)]),
        (2_000, [*range(1, 101), *range(1_901, 2_001)]),
    ],
)
def test_of_many_events_the_first_and_the_last_are_shown(case: Case, count: int, lines: list[int]) -> None:
    answer = case_answer_of(with_events(case, [event(number) for number in range(count)]))

    assert (count, lines) == (answer["events_total"], [entry["line"] for entry in answer["events"]])


def test_an_event_is_bounded(case: Case) -> None:
    recipients = tuple(f"user{number}@example.com" for number in range(500))
    huge = event(recipients=recipients, reply="x" * 10_000, detail={"note": "x" * 10_000})
    (entry,) = case_answer_of(with_events(case, [huge]))["events"]

    assert MOST_RECIPIENTS == len(entry["recipients"])
    assert [MOST_CHARS, MOST_CHARS] == [len(entry["reply"]), len(entry["detail"]["note"])]


def test_trouble_without_a_message_stands_apart(case: Case) -> None:
    answer = case_answer_of(case)

    assert {"fault"} == {fault["what"] for fault in answer["faults"]}
    assert "fault" not in {entry["what"] for entry in answer["events"]}
    assert "1035" in str([fault["detail"] for fault in answer["faults"]])


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (None, None),
        (datetime(1972, 11, 2, 10, 14, 7, tzinfo=UTC), None),
        (datetime(2026, 11, 2, 10, 14, 7, 123_456, tzinfo=UTC), "2026-11-02T10:14:07.123Z"),
        (AT, "2026-11-02T10:14:07.000Z"),
    ],
)
def test_a_moment_is_utc_or_nothing(moment: datetime | None, expected: str | None) -> None:
    assert expected == shown(moment)


@pytest.mark.parametrize(
    ("own", "home", "told"),
    [
        (Own(), "sender", False),
        (Own(hosts=frozenset({"ex1.example.com"})), "sender", True),
        (Own(domains=frozenset({"example.com"})), "sender", True),
    ],
)
def test_sides_say_whether_they_were_told(diagnoser: Diagnoser, own: Own, home: str, told: bool) -> None:  # noqa: FBT001
    sides = case_answer_of(worked(diagnoser, "ndr.eml", own=own))["sides"]

    assert {
        "home": home,
        "told": told,
        "sender_domains": ["example.com"],
        "recipient_domains": ["example.com"],
    } == sides


def test_fields_trim_and_keep_their_order(case: Case) -> None:
    assert ["kind", "resolved", "path"] == list(case_answer_of(case, ["path", "resolved", "kind"]))


def test_a_field_that_is_not_there_is_refused(case: Case) -> None:
    with pytest.raises(UnknownName):
        case_answer_of(case, ["pth"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_report_has_words_for_everything(language: str) -> None:
    assert [] == [word for word in WORDS if not labels(language).has("case", word)]


@pytest.mark.parametrize(
    ("language", "wanted"),
    [
        (
            "en",
            [
                "One mail server could not authenticate to another",
                "Who can mend it: the sender's administrator",
                "The way:",
                "✓ Mail program: passed",
                "✗ Sender's mail server: stopped",
                "2026-11-02 10:06:51 – ",
                "454 4.7.0 Temporary authentication failure",
                "Evidence: [1] event-1035.txt: ",
                "connector=Default EX2",
                "w32tm /monitor",
                "barracuda.log: barracuda, understood: 4, of this message: 0, set aside: 4",
                "Whose side the evidence is from: the sender's, by what it tells",
            ],
        ),
        (
            "zh",
            [
                "由谁处理: 发件方管理员",
                "投递路径:",
                "✗ 发件方邮件服务器：在此中断",
                "依据: [1] event-1035.txt: ",
                "barracuda.log: barracuda，可识别 4 条，与此邮件有关 0 条",
            ],
        ),
    ],
)
def test_the_report_tells_the_worked_case(diagnoser: Diagnoser, language: str, wanted: list[str]) -> None:
    names = sorted(path.name for path in FOLDER.iterdir() if path.suffix != ".toml")
    text = case_text_of(worked(diagnoser, *names, language=language))

    assert [] == [each for each in wanted if each not in text]
    assert text.endswith("\n")


def test_a_quote_that_speaks_for_several_causes_is_told_once(case: Case) -> None:
    lines = case_text_of(case).splitlines()

    assert 1 == len([line for line in lines if "Evidence: [1] " in line])
    assert 2 == len([line for line in lines if line.endswith("Evidence: [1]")])


def test_the_next_piece_comes_with_its_command(diagnoser: Diagnoser) -> None:
    text = case_text_of(worked(diagnoser, "ndr.eml"))

    assert "\nAsk for next:\n1. " in text
    assert "Get-MessageTrackingLog -MessageId '<d41d8cd9@EX1.example.com>'" in text


@pytest.mark.parametrize(
    ("hop", "line"),
    [
        (PathHop("dns"), "  ? DNS lookup: not known"),
        (PathHop("dns", Seen.MISSING, Outcome.NOT_REACHED), "  · DNS lookup: not reached"),
        (PathHop("dns", Seen.INFERRED, Outcome.PASSED), "  ✓ DNS lookup: passed, inferred"),
        (
            PathHop("dns", Seen.SEEN, Outcome.WAITING, "ns1.example.net", "192.0.2.53", AT, AT, ("a", "b")),
            "  … DNS lookup: waiting, ns1.example.net [192.0.2.53], 2026-11-02 10:14:07 UTC, seen in a, b",
        ),
        (
            PathHop(
                "dns", Seen.SEEN, Outcome.FAILED, None, "192.0.2.53", AT, AT + timedelta(minutes=1), ("a",)
            ),
            "  ✗ DNS lookup: stopped, [192.0.2.53], 2026-11-02 10:14:07 – 10:15:07 UTC, seen in a",
        ),
        (
            PathHop("dns", Seen.SEEN, Outcome.PASSED, None, None, AT, AT + timedelta(days=1), ("a",)),
            "  ✓ DNS lookup: passed, 2026-11-02 10:14:07 – 2026-11-03 10:14:07 UTC, seen in a",
        ),
        (
            PathHop("dns", Seen.SEEN, Outcome.PASSED, None, None, AT.replace(year=1972), AT, ("a",)),
            "  ✓ DNS lookup: passed, seen in a",
        ),
    ],
)
def test_a_part_of_the_way_is_a_line_with_its_mark(case: Case, hop: PathHop, line: str) -> None:
    assert line in case_text_of(replace(case, path=(hop,))).splitlines()


def test_every_outcome_has_a_mark_of_its_own() -> None:
    assert set(Outcome) == set(MARKS)
    assert len(MARKS) == len(set(MARKS.values()))


@pytest.mark.parametrize(("resolved", "count"), [(True, 1), (False, 0)])
def test_what_passed_later_is_said(case: Case, resolved: bool, count: int) -> None:  # noqa: FBT001
    text = case_text_of(replace(case, is_resolved=resolved))

    assert count == text.count("It passed later; the recipient got it.")


def test_a_case_without_steps_asks_for_nothing(case: Case) -> None:
    assert "Ask for next" not in case_text_of(replace(case, steps=()))


def test_hostile_evidence_cannot_steer_a_terminal(diagnoser: Diagnoser, case: Case) -> None:
    hop = PathHop("dns", Seen.SEEN, Outcome.FAILED, "a\x1b[2J", "\u202e", AT, AT, ("\x9b\r",), "\x07\nb")
    readings = tuple(replace(each, name="\x1b]0;x\x07", format="\x1b") for each in case.readings)
    text = case_text_of(replace(case, path=(hop,), readings=readings))

    assert [] == [character for character in text if character != "\n" and not character.isprintable()]
