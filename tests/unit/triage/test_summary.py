"""The figures of an archive add up, hide addresses, and take constant memory."""

import tracemalloc
from collections.abc import Iterator

import pytest

from model.knowledge import knowledge
from model.taxonomy import taxonomy
from service.triage.counting import MAX_COLUMNS, Distinct, Moments, Ranking, Tally, Unit
from service.triage.masking import address, masked
from service.triage.nouns import Row
from service.triage.summary import Summary, group_of, groups, likeliest, summarise, summary_json


def bounce(number: int, category: str = "recipient_unknown", **more: object) -> Row:
    values: dict[str, object] = {
        "kind": "bounce",
        "category": category,
        "permanence": "permanent",
        "action": "suppress",
        "stage": "mailbox",
        "recipient": f"person{number}@example.net",
        "recipient_domain": "example.net",
        "reported_at": "2026-11-02T10:14:23Z",
        "reporting_mta": "mx.example.com",
    }
    return Row("a.mbox", f"#{number}", 0, **{**values, **more})  # type: ignore[arg-type]


ROWS = [
    bounce(1),
    bounce(2, "mailbox_full", permanence="temporary", action="retry", provider="gmail"),
    bounce(
        3, "connection_failed", kind="delay", permanence="temporary", action="retry", recipient_domain=None
    ),
    bounce(4, "unknown", action="review", smtp=550, reply="550 5.9.9 <person4@example.net>: person4 is zulu"),
    bounce(5, "unknown", action="review", smtp=550, reply="550 5.9.9 <person5@example.net>: person5 is zulu"),
    Row("a.mbox", "#6", 0, kind="not_ndr", category="unknown"),
    Row("b.zip", "person7@example.net.eml", 0, error="this is damaged: person7@example.net"),
]


def everything_of(ranking: Ranking) -> int:
    return sum(each.count for each in ranking.top) + ranking.others + ranking.missing


def test_totals_add_up() -> None:
    found = summarise(ROWS)

    assert (7, 7, 5) == (found.rows, found.items, found.failures)
    assert everything_of(found.kinds) == everything_of(found.archives) == found.rows
    for ranking in (found.stages, found.permanences, found.actions, found.domains, found.sending_hosts):
        assert everything_of(ranking) == found.failures
    assert sum(each.count for each in found.categories) == found.failures
    assert sum(each.total for each in found.timeline.columns) + found.timeline.undated == found.failures
    assert (1, 1) == (found.delays.total, found.suppression.rows)
    assert (2, 1) == (found.unknown.rows, found.unreadable.rows)


def test_recipients_of_one_item_are_one_item() -> None:
    assert 1 == summarise([Row("a", "1", number) for number in range(3)]).items


def test_texts_that_differ_in_names_only_are_one_cluster() -> None:
    (cluster,) = summarise(ROWS).unknown.listed

    assert 2 == cluster.count
    assert ("550 5.9.9 <p***@example.net>: p*** is zulu",) == cluster.samples


def test_no_address_stands_in_full_unless_asked_for() -> None:
    hidden, shown = summary_json(summarise(ROWS)), summary_json(summarise(ROWS, show_addresses=True))

    assert b"person" not in hidden
    assert b"person1@example.net" in shown
    assert b"person7@example.net.eml" in shown


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        (bounce(1, "mailbox_full"), "mailbox_quota_reached"),
        (bounce(1, "mailbox_full", cause="mailbox_abandoned"), "mailbox_abandoned"),
        (bounce(1, "mailbox_full", cause="<nobody knows>"), "mailbox_quota_reached"),
    ],
)
def test_a_row_counts_for_its_cause_or_the_likeliest(row: Row, cause: str) -> None:
    assert [(cause, 1)] == [(each.cause, each.count) for each in summarise([row]).causes]


def test_every_category_has_a_group_and_only_known_causes() -> None:
    assert {} == {name: group_of(name) for name in taxonomy().names if group_of(name) not in groups()}
    for name in taxonomy().names:
        cause = likeliest(name, None)
        assert cause is None or knowledge().cause(cause)[0] == name


def test_an_empty_archive_has_no_figures() -> None:
    found = summarise([])

    assert (0, 0, None, ()) == (found.rows, found.failures, found.first, found.timeline.columns)


@pytest.mark.parametrize(
    "value", ["", "x", "\ud800", "9999-12-31T23:59:59", "0001-01-01T00", "2026-13-01", "①"]
)
def test_no_value_crashes(value: str) -> None:
    names = (
        "category",
        "permanence",
        "action",
        "stage",
        "cause",
        "provider",
        "reported_at",
        "recipient",
        "reply",
    )
    odd = [bounce(1, **{name: value}) for name in names]

    assert len(names) == summarise([*odd]).failures


def test_memory_stays_bounded_with_all_names_distinct() -> None:
    tracemalloc.start()
    found = summarise(_distinct(100_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 60_000_000
    assert everything_of(found.domains) == found.failures == 100_000
    assert abs(found.suppression.addresses - 100_000) < 3_000


def _distinct(number: int) -> Iterator[Row]:
    for each in range(number):
        host = f"h{each}.example.net"
        yield bounce(each, recipient_domain=host, remote_mta=host, reporting_mta=host, provider=host)


def test_a_common_name_survives_many_rare_ones() -> None:
    tally = Tally(10)
    for number in range(1_000):
        tally.add(f"rare{number}")
        if number % 4 == 0:
            tally.add("common")

    ranking = tally.ranking(5)

    assert "common" == ranking.top[0].name
    assert 250 - ranking.uncertainty <= ranking.top[0].count <= 250
    assert 1_250 == ranking.total


@pytest.mark.parametrize(("number", "is_exact"), [(0, True), (50, True), (5_000, False)])
def test_distinct_names_are_counted_or_estimated(number: int, *, is_exact: bool) -> None:
    distinct = Distinct(1_000)
    for each in range(2 * number):
        distinct.add(str(each % number))

    assert is_exact is distinct.is_exact
    assert abs(distinct.number - number) <= number * (0 if is_exact else 0.12)


@pytest.mark.parametrize(
    ("moments", "unit", "columns"),
    [
        (["2026-11-02T10:00:00Z", "2026-11-02T12:59:59Z"], Unit.HOUR, 3),
        (["2026-11-02T10", "2026-12-02T10"], Unit.DAY, 31),
        (["2025-11-02T10", "2026-12-02T10"], Unit.MONTH, 14),
        (["1970-01-01T00", "2026-12-02T10"], Unit.YEAR, 57),
        ([*["2026-11-02T10"] * 500, "2026-11-02T11", "1970-01-01T00"], Unit.HOUR, 2),
    ],
)
def test_the_unit_fits_the_time(moments: list[str], unit: Unit, columns: int) -> None:
    counting = Moments(("a",))
    for each in moments:
        counting.add(each, "a")
    found = counting.timeline()

    assert (unit, columns) == (found.unit, len(found.columns))
    assert len(moments) == sum(each.total for each in found.columns) + found.outside


def test_too_many_hours_become_days() -> None:
    counting = Moments(("a",))
    for each in range(20_000):
        counting.add(f"{1900 + each % 150}-{1 + each % 12:02}-{1 + each % 28:02}T{each % 24:02}", "a")
    found = counting.timeline()

    assert 20_000 == sum(each.total for each in found.columns) + found.outside
    assert len(found.columns) <= 2 * MAX_COLUMNS


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("<user@example.com>", "<u***@example.com>"),
        ('"John Doe"@example.com', "J***@example.com"),
        ("b+user=example.com@example.org", "b***@example.org"),
        ("user%40example.com", "u***%40example.com"),
        ("no address here", "no address here"),
    ],
)
def test_addresses_in_texts_are_masked(text: str, hidden: str) -> None:
    assert hidden == masked(text)


def test_masking_takes_linear_time() -> None:
    assert "a%" * 10_000 == masked("a%" * 10_000)
    assert "p***" == address("postmaster")


def test_figures_are_frozen() -> None:
    with pytest.raises(AttributeError):
        setattr(summarise([]), Summary.__match_args__[0], 1)
