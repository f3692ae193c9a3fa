"""Causes rise by the evidence that names them, keep quotes of it, and come from programs that took part."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from model.causes import (
    MAX_QUOTE_CHARS,
    RAISE,
    fitting,
    quote_of,
    raised_causes,
    ranked_by_evidence,
)
from model.deciding import judged_event
from model.events import Event, Role, What
from model.knowledge import knowledge
from model.path import Sighting
from model.pipeline import build_diagnoser
from model.types import Advice, Cause, FixOwner, RecipientDiagnosis

AT = datetime(2026, 11, 2, 10, 14, 7, tzinfo=UTC)
DIAGNOSER = build_diagnoser(with_model=False)


def seen(witness: str = "events.txt", **detail: str) -> Sighting:
    return Sighting(witness, Role.SYSTEM, Event(What.FAULT, 1, AT, "ex2.example.com", detail=detail))


def cause(cause_id: str, likelihood: float) -> Cause:
    return Cause(cause_id, cause_id, "", likelihood, FixOwner.SENDER_ADMIN, (), (), (), ())


def found(reply: str) -> RecipientDiagnosis:
    return judged_event(DIAGNOSER, Event(What.FAILED, 1, reply=reply), "en")


@pytest.mark.parametrize(
    ("expected", "sightings"),
    [
        ({"clock_skew": RAISE}, [seen(cause="clock_skew")]),
        (
            {"clock_skew": RAISE, "spn_missing_or_duplicate": 3.5, "dc_replication": 2.25},
            [seen(cause="clock_skew, spn_missing_or_duplicate,dc_replication")],
        ),
        (
            {"dc_replication": RAISE},
            [seen(cause="clock,dc_replication"), seen("two", cause="dc_replication")],
        ),
        ({"clock_skew": RAISE}, [seen(delay_s="-430")]),
        ({}, [seen(delay_s="-1")]),
        ({}, [seen(delay_s="430")]),
        ({}, [seen(delay_s="soon")]),
        ({}, [seen(cause="")]),
        ({}, [seen()]),
        ({}, []),
    ],
)
def test_a_cause_rises_by_its_likeliest_witness(
    expected: dict[str, float], sightings: list[Sighting]
) -> None:
    raised = {name: factor for name, (factor, _) in raised_causes(sightings).items() if name != "clock"}

    assert expected == raised


def test_every_witness_is_quoted_once() -> None:
    one, other = seen("a.txt", cause="clock_skew"), seen("b.txt", cause="clock_skew")

    assert (quote_of(one), quote_of(other)) == raised_causes([one, one, other])["clock_skew"][1]


def test_a_quote_tells_who_when_and_what_and_is_bounded() -> None:
    event = Event(
        What.FAULT,
        1,
        AT,
        "EX2.example.com",
        peer_ip="192.0.2.11",
        reply="x" * 1000,
        detail={
            "source": "MSExchangeTransport",
            "event_id": "1035",
            "connector": "Default EX2",
            "level": "warning",
        },
    )
    quote = quote_of(Sighting("events.txt", Role.SYSTEM, event))

    assert MAX_QUOTE_CHARS == len(quote)
    assert quote.startswith(
        "events.txt: 2026-11-02T10:14:07+00:00 MSExchangeTransport 1035 EX2.example.com "
        "connector=Default EX2 192.0.2.11 xxx"
    )


@pytest.mark.parametrize(
    ("expected", "speaking"),
    [
        (["a", "b", "c"], {}),
        (["c", "a", "b"], {"c": (RAISE, ("log: it says so",))}),
        (["a", "b", "c"], {"unheard_of": (RAISE, ("log: it says so",))}),
    ],
)
def test_causes_are_ranked_anew_and_add_up_to_one(
    expected: list[str], speaking: dict[str, tuple[float, tuple[str, ...]]]
) -> None:
    advice = Advice("", "", (cause("a", 0.5), cause("b", 0.3), cause("c", 0.2)))
    ranked = ranked_by_evidence(advice, speaking).causes

    assert expected == [each.id for each in ranked]
    assert 1.0 == pytest.approx(sum(each.likelihood for each in ranked), abs=0.005)
    assert {each.id: each.evidence for each in ranked if each.evidence} == {
        name: quotes for name, (_, quotes) in speaking.items() if name in expected
    }


UNKNOWN_USER, LOOP, NO_TLS = (
    "550 5.1.1 User unknown",
    "554 5.4.6 Hop count exceeded - possible mail loop",
    "TLS is required, but was not offered by host mail.example.org[203.0.113.20]",
)
BOUND = {"exchange_certificate_not_bound": (RAISE, ("log: 12014",))}


@pytest.mark.parametrize(
    ("reply", "parties", "raised", "are_all", "there", "absent"),
    [
        (LOOP, {"exchange"}, {}, False, "accepted_domain_type_wrong", "unheard_of"),
        (LOOP, {"postfix"}, {}, False, "forwarding_circle", "accepted_domain_type_wrong"),
        (NO_TLS, set(), BOUND, False, "exchange_certificate_not_bound", "connector_demands_tls"),
        (NO_TLS, set(), {"clock_skew": (RAISE, ())}, False, "starttls_not_offered", "clock_skew"),
        (NO_TLS, set(), {"unheard_of": (RAISE, ())}, False, "starttls_not_offered", "unheard_of"),
    ],
)
def test_programs_that_took_part_bring_their_causes_and_evidence_those_that_it_names(
    reply: str,
    parties: set[str],
    raised: dict[str, tuple[float, tuple[str, ...]]],
    are_all: bool,  # noqa: FBT001
    there: str,
    absent: str,
) -> None:
    fit = fitting(found(reply), frozenset(parties), raised, "en", are_all=are_all)
    causes = {each.id for each in fit.advice.causes}

    assert (True, False) == (there in causes, absent in causes)


@pytest.mark.parametrize(("expected", "are_all"), [(True, False), (False, True)])
def test_causes_of_programs_that_took_no_part_are_left_out_where_all_are_known(
    expected: bool,  # noqa: FBT001
    are_all: bool,  # noqa: FBT001
) -> None:
    wide = found(UNKNOWN_USER)
    advice = knowledge("en").advice(wide.verdict, parties=frozenset({"exchange"}))
    fit = fitting(replace(wide, advice=advice), frozenset({"postfix"}), {}, "en", are_all=are_all)

    assert expected == ("stale_autocomplete_x500" in {each.id for each in fit.advice.causes})


def test_causes_that_are_added_speak_the_language_of_the_answer() -> None:
    fit = fitting(found(LOOP), frozenset({"exchange"}), {}, "zh", are_all=False)
    added = next(each for each in fit.advice.causes if each.id == "accepted_domain_type_wrong")

    assert knowledge("zh").cause(added.id)[1].title == added.title
