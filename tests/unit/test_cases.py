"""Every case in the samples folder is told as an experienced administrator tells it, in any order."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Any

import pytest

from model.exhibits import Exhibit
from model.inquiry import Case, Question, investigate
from model.path import PathHop
from model.pipeline import Diagnoser, build_diagnoser
from model.sides import Own

CASES = Path(__file__).parents[1] / "samples" / "cases"
EXPECTED = {
    path.parent.name: tomllib.loads(path.read_text("utf-8")) for path in sorted(CASES.glob("*/expected.toml"))
}
NEAR = datetime(2026, 11, 24, tzinfo=UTC)
MAX_ORDERS = 24
CHINESE = re.compile(r"[\u4e00-\u9fff]")
PIECES = [(name, piece["file"]) for name, entry in EXPECTED.items() for piece in entry["piece"]]
each_case = pytest.mark.parametrize("name", EXPECTED)
each_piece = pytest.mark.parametrize(("name", "file"), PIECES)


def formats(name: str) -> set[str]:
    return {piece["format"] for piece in EXPECTED[name]["piece"]}


@cache
def diagnoser() -> Diagnoser:
    return build_diagnoser()


def files(name: str) -> tuple[str, ...]:
    return tuple(sorted(path.name for path in (CASES / name).iterdir() if path.suffix != ".toml"))


@cache
def told(name: str, pieces: Sequence[str], language: str = "en", renamed: bool = False) -> Case:  # noqa: FBT001, FBT002
    """A case by some of its pieces, in their order; renamed, so that their names are in that order too."""
    exhibits = [
        Exhibit.of(f"{number}" if renamed else piece, (CASES / name / piece).read_bytes())
        for number, piece in enumerate(pieces)
    ]
    own = Own(domains=frozenset(EXPECTED[name].get("own_domains", ())))
    return investigate(diagnoser(), exhibits, Question(own=own, near=NEAR, language=language))


def together(name: str) -> Case:
    return told(name, files(name))


def expected(name: str) -> dict[str, Any]:
    return EXPECTED[name]["together"]


def piece_of(name: str, file: str) -> dict[str, Any]:
    return next(piece for piece in EXPECTED[name]["piece"] if piece["file"] == file)


def hop_of(case: Case, place: str) -> PathHop:
    return next(hop for hop in case.path if hop.place == place)


def stopped_hop(case: Case) -> PathHop:
    """The hop where it stopped: the one of its stage; of a rule, the one that failed."""
    failed = [hop for hop in case.path if hop.outcome in ("failed", "waiting")]
    return failed[0] if failed else hop_of(case, case.diagnosis.lead.verdict.stage)


def orders(pieces: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """All orders, or some where there are many."""
    if len(pieces) <= 4:
        yield from permutations(pieces)
        return
    shuffled = list(pieces)
    for seed in range(MAX_ORDERS):
        Random(seed).shuffle(shuffled)  # noqa: S311  # no secret
        yield tuple(shuffled)


def answer(case: Case, names: dict[str, str]) -> Any:
    """All that a case says, with the pieces called by their own names."""
    verdict = case.diagnosis.lead.verdict
    return {
        "kind": case.diagnosis.kind,
        "verdict": (verdict.category, verdict.permanence, verdict.action, verdict.fix_owner, verdict.stage),
        "recipient": case.diagnosis.lead.address,
        "resolved": case.is_resolved,
        "home": case.sides.home,
        "causes": [(cause.id, cause.likelihood) for cause in case.diagnosis.lead.advice.causes],
        "path": [
            (
                *(hop.place, hop.seen, hop.outcome, hop.host, hop.ip, hop.first, hop.last, hop.words),
                sorted(names[witness] for witness in hop.seen_by),
            )
            for hop in case.path
        ],
        "read": sorted(
            (names[reading.name], reading.format, reading.lines, reading.events, reading.used)
            for reading in case.readings
        ),
        "steps": case.steps,
        "events": sorted(
            (names[sighting.witness], sighting.event.line, sighting.event.what) for sighting in case.sightings
        ),
    }


def test_every_case_says_what_is_expected_of_each_of_its_pieces() -> None:
    assert {path.name for path in CASES.iterdir()} == set(EXPECTED)
    assert {name: files(name) for name in EXPECTED} == {
        name: tuple(sorted(piece["file"] for piece in entry["piece"])) for name, entry in EXPECTED.items()
    }


@each_case
@pytest.mark.parametrize("aspect", ["category", "stage", "fix_owner", "permanence"])
def test_verdict(name: str, aspect: str) -> None:
    assert expected(name)[aspect] == getattr(together(name).diagnosis.lead.verdict, aspect)


@each_case
def test_kind(name: str) -> None:
    assert expected(name)["kind"] == together(name).diagnosis.kind


@each_case
def test_recipient(name: str) -> None:
    assert expected(name)["recipient"] == together(name).diagnosis.lead.address


@each_case
def test_whether_it_got_there_at_last(name: str) -> None:
    assert expected(name)["resolved"] == together(name).is_resolved


@each_case
def test_the_causes_that_come_first(name: str) -> None:
    found = [cause.id for cause in together(name).diagnosis.lead.advice.causes]

    assert set(expected(name)["causes"]) <= set(found[:3])
    assert not expected(name)["leading"] or expected(name)["causes"][0] == found[0]


@each_case
def test_likelihoods_add_up_to_one(name: str) -> None:
    causes = together(name).diagnosis.lead.advice.causes

    assert 1.0 == pytest.approx(sum(cause.likelihood for cause in causes), abs=0.01)


@each_case
def test_a_cause_quotes_the_pieces_that_speak_for_it(name: str) -> None:
    quotes = {cause.id: cause.evidence for cause in together(name).diagnosis.lead.advice.causes}
    speaking = {
        cause: sorted({file for file in files(name) for quote in found if quote.startswith(f"{file}: ")})
        for cause, found in quotes.items()
    }

    for cause, wanted in expected(name)["quoted"].items():
        assert sorted(wanted) == speaking[cause]


@each_case
def test_telling_places_of_the_path(name: str) -> None:
    path = {
        place: {
            "state": str(hop_of(together(name), place).seen),
            "outcome": str(hop_of(together(name), place).outcome),
            **({"host": hop_of(together(name), place).host} if "host" in wanted else {}),
        }
        for place, wanted in expected(name)["path"].items()
    }

    assert expected(name)["path"] == path


@each_case
def test_the_server_where_it_stopped(name: str) -> None:
    assert expected(name)["host"] == (stopped_hop(together(name)).host or "")


@each_case
def test_what_to_ask_for_first(name: str) -> None:
    assert expected(name)["first_step"] == next((step.id for step in together(name).steps), "")


@each_piece
def test_what_is_used_of_a_piece_and_what_is_set_aside(name: str, file: str) -> None:
    wanted = piece_of(name, file)
    reading = next(reading for reading in together(name).readings if reading.name == file)

    assert (wanted["format"], wanted["used"], wanted["set_aside"]) == (
        reading.format,
        reading.used,
        reading.set_aside,
    )


@each_piece
def test_a_piece_alone_gives_what_it_can(name: str, file: str) -> None:
    wanted, case = piece_of(name, file), told(name, (file,))
    verdict = case.diagnosis.lead.verdict

    assert (wanted["category"], wanted["stage"], wanted.get("resolved", False)) == (
        verdict.category,
        verdict.stage,
        case.is_resolved,
    )


@each_piece
def test_a_piece_alone_names_the_next_one(name: str, file: str) -> None:
    assert piece_of(name, file)["first_step"] == next((step.id for step in told(name, (file,)).steps), "")


@each_case
@pytest.mark.parametrize("renamed", [False, True])
def test_the_order_of_the_pieces_does_not_matter(name: str, renamed: bool) -> None:  # noqa: FBT001
    first = answer(together(name), {file: file for file in files(name)})

    for order in orders(files(name)):
        names = {str(number) if renamed else file: file for number, file in enumerate(order)}

        assert first == answer(told(name, order, "en", renamed), names), order


@pytest.mark.parametrize("name", [name for name in EXPECTED if "ndr" in formats(name)])
def test_logs_of_other_messages_change_nothing(name: str) -> None:
    """Where a report says which message is meant."""
    strange = [
        Exhibit.of(f"{other}/{file}", (CASES / other / file).read_bytes())
        for other in EXPECTED
        for file in files(other)
        if other != name and piece_of(other, file)["format"] not in ("ndr", "headers")
    ]
    own = Own(domains=frozenset(EXPECTED[name].get("own_domains", ())))
    exhibits = [Exhibit.of(file, (CASES / name / file).read_bytes()) for file in files(name)]
    case = investigate(diagnoser(), [*exhibits, *strange], Question(own=own, near=NEAR))
    names = {file: file for file in files(name)}
    alone = answer(together(name), names)
    used = {reading.name for reading in case.readings if reading.used}

    assert used <= set(files(name))
    assert alone == answer(
        replace(case, readings=tuple(each for each in case.readings if each.name in names)), names
    )


@each_case
def test_the_answer_in_chinese_says_the_same(name: str) -> None:
    names = {file: file for file in files(name)}

    assert answer(together(name), names) == answer(told(name, files(name), "zh"), names)


@each_case
def test_title_summary_and_causes_are_chinese_in_chinese(name: str) -> None:
    advice = told(name, files(name), "zh").diagnosis.lead.advice
    texts = [advice.title, advice.summary, *(cause.title for cause in advice.causes)]

    assert [] == [text for text in texts if not CHINESE.search(text)]
    assert [] == [
        cause.title for cause in together(name).diagnosis.lead.advice.causes if CHINESE.search(cause.title)
    ]
