"""Gathers the rows of an archive into the figures of its report, in constant memory.

Names are counted by tallies that prune what is rare (``service.triage.counting``); moments, causes and
categories are few.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files

import orjson

from model.errors import UnknownName
from model.knowledge import knowledge
from model.normalise import canonical
from model.providers import providers
from model.resources import read_toml
from model.taxonomy import UNKNOWN, taxonomy
from model.types import Action, FixOwner, Permanence, Stage, Verdict
from model.types import Kind as MailKind
from service.anonymise import SOMEBODY
from service.triage.counting import Distinct, Moments, Ranking, Tally, Timeline
from service.triage.masking import address, masked
from service.triage.nouns import Row

TOP = 100
"""So many names of a ranking are kept."""

MAX_ADDRESSES = 500
MAX_CLUSTERS = 30
MAX_REASONS = 50
MAX_CAUSES = 40
MAX_EXAMPLES = 5
MAX_SAMPLE_CHARS = 300
MAX_ITEM_CHARS = 120
_MAX_REPLY_CHARS = 2_000
_FAILED = frozenset({MailKind.BOUNCE.value, MailKind.DELAY.value, MailKind.COMPLAINT.value})
_UNREADABLE = "unreadable"
_OTHER = "other"


@dataclass(frozen=True, slots=True)
class CategoryLine:
    """A category: its rows, and how many of them will not pass later, or may."""

    category: str
    count: int
    permanent: int
    temporary: int


@dataclass(frozen=True, slots=True)
class CauseLine:
    """A cause and the rows that mending it would mend.

    Args:
        cause: its id, as ``model.knowledge`` has it.
        category: what it causes.
        count: the rows that it is the likeliest cause of.
    """

    cause: str
    category: str
    count: int


@dataclass(frozen=True, slots=True)
class Sampled:
    """Rows that say the same, with one or a few examples."""

    name: str
    count: int
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Samples:
    """What rows say, the commonest first; ``listed`` and ``others`` add up to the rows."""

    rows: int = 0
    listed: tuple[Sampled, ...] = ()

    @property
    def others(self) -> int:
        """The rows that are not listed."""
        return self.rows - sum(each.count for each in self.listed)


@dataclass(frozen=True, slots=True)
class Suppression:
    """The addresses that should get no more mail.

    Args:
        rows: that say so.
        addresses: how many different ones; about 1 % off where it is not exact.
        is_exact: whether it is.
        top: the addresses, those with most rows first.
        domains: of these rows.
    """

    rows: int
    addresses: int
    is_exact: bool
    top: Ranking
    domains: Ranking


@dataclass(frozen=True, slots=True)
class Summary:
    """What an archive holds; times are ISO 8601 in UTC.

    ``failures`` are the rows of bounces, delays and complaints: all that follows ``kinds`` is of these only,
    but for ``unreadable``, and ``unknown``, which also has replies in words that nobody knows.
    """

    items: int
    rows: int
    failures: int
    first: str | None
    last: str | None
    archives: Ranking
    kinds: Ranking
    categories: tuple[CategoryLine, ...]
    timeline: Timeline
    stages: Ranking
    permanences: Ranking
    actions: Ranking
    fix_owners: Ranking
    causes: tuple[CauseLine, ...]
    domains: Ranking
    remote_hosts: Ranking
    sending_hosts: Ranking
    providers: Ranking
    suppression: Suppression
    delays: Ranking
    delayed_domains: Ranking
    unknown: Samples
    unreadable: Samples
    show_addresses: bool = False


def summarise(rows: Iterable[Row], *, show_addresses: bool = False) -> Summary:
    """The figures of some rows, in constant memory.

    Args:
        rows: those of one item one after the other.
        show_addresses: whether addresses stand in full.
    """
    gathering = Gathering()
    for row in rows:
        gathering.add(row)
    return gathering.summary(show_addresses=show_addresses)


def summary_json(summary: Summary) -> bytes:
    """The figures for programs, in a fixed order."""
    content = asdict(summary)
    content["unknown"]["others"] = summary.unknown.others
    content["unreadable"]["others"] = summary.unreadable.others
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


class Gathering:
    """Takes rows one by one and tells the figures at any time."""

    def __init__(self) -> None:
        self._rows = self._items = 0
        self._item: tuple[str, str] | None = None
        self._first: str | None = None
        self._last: str | None = None
        self._archives, self._kinds = Tally(), Tally()
        self._categories: Counter[tuple[str, str]] = Counter()
        self._moments = Moments(groups())
        self._stages, self._permanences, self._actions, self._fix_owners = Tally(), Tally(), Tally(), Tally()
        self._causes: Counter[str] = Counter()
        self._domains, self._remote, self._sending, self._providers = Tally(), Tally(), Tally(), Tally()
        self._addresses, self._unwanted, self._unwanted_domains = Tally(), Distinct(), Tally()
        self._delays, self._delayed_domains = Tally(), Tally()
        self._unknown, self._errors = Tally(), Tally(MAX_REASONS * 4)

    def add(self, row: Row) -> None:
        """Counts a row."""
        self._rows += 1
        if (row.archive, row.item) != self._item:
            self._items, self._item = self._items + 1, (row.archive, row.item)
        self._archives.add(row.archive)
        if row.error is not None:
            self._add_error(row, row.error)
            return
        self._kinds.add(row.kind)
        if row.kind in _FAILED:
            self._add_failure(row)
        if _is_unknown(row):
            self._add_unknown(row)

    def summary(self, *, show_addresses: bool = False) -> Summary:
        """The figures so far."""
        shown = _plain if show_addresses else masked
        return Summary(
            items=self._items,
            rows=self._rows,
            failures=self._stages.rows,
            first=self._first,
            last=self._last,
            archives=self._archives.ranking(TOP, shown),
            kinds=self._kinds.ranking(TOP, shown),
            categories=self._category_lines(shown),
            timeline=self._moments.timeline(),
            stages=self._stages.ranking(TOP, shown),
            permanences=self._permanences.ranking(TOP, shown),
            actions=self._actions.ranking(TOP, shown),
            fix_owners=self._fix_owners.ranking(TOP, shown),
            causes=self._cause_lines(),
            domains=self._domains.ranking(TOP, shown),
            remote_hosts=self._remote.ranking(TOP, shown),
            sending_hosts=self._sending.ranking(TOP, shown),
            providers=self._providers.ranking(TOP, shown),
            suppression=self._suppression(shown, show_addresses=show_addresses),
            delays=self._delays.ranking(TOP, shown),
            delayed_domains=self._delayed_domains.ranking(TOP, shown),
            unknown=_samples(self._unknown, MAX_CLUSTERS, shown, place=int(not show_addresses)),
            unreadable=_reasons(self._errors, shown),
            show_addresses=show_addresses,
        )

    def _add_error(self, row: Row, error: str) -> None:
        self._kinds.add(_UNREADABLE)
        entry = self._errors.add(" ".join(error[:_MAX_REPLY_CHARS].split()) or _UNREADABLE)
        if entry and len(entry.notes) < MAX_EXAMPLES:
            entry.notes.append(row.item[:MAX_ITEM_CHARS])

    def _add_failure(self, row: Row) -> None:
        category = _known(row.category)
        self._categories[category, row.permanence or ""] += 1
        self._add_moment(row, group_of(category))
        self._add_axes(row)
        self._add_names(row)
        self._add_cause(row, category)
        if row.kind == MailKind.DELAY:
            self._delays.add(category)
            self._delayed_domains.add(_lower(row.recipient_domain))
        if row.action == Action.SUPPRESS:
            self._add_unwanted(row)

    def _add_moment(self, row: Row, group: str) -> None:
        moment = row.reported_at and row.reported_at[:19]
        if self._moments.add(moment, group) and moment:
            self._first = min(self._first or moment, moment)
            self._last = max(self._last or moment, moment)

    def _add_axes(self, row: Row) -> None:
        self._stages.add(row.stage)
        self._permanences.add(row.permanence)
        self._actions.add(row.action)
        self._fix_owners.add(row.fix_owner)

    def _add_names(self, row: Row) -> None:
        self._domains.add(_lower(row.recipient_domain))
        self._remote.add(_lower(row.remote_mta))
        self._sending.add(_lower(row.reporting_mta))
        self._providers.add(row.provider)

    def _add_cause(self, row: Row, category: str) -> None:
        cause = _known_cause(row.cause) or likeliest(category, _known_provider(row.provider))
        if cause and category != UNKNOWN:
            self._causes[cause] += 1

    def _add_unwanted(self, row: Row) -> None:
        self._unwanted_domains.add(_lower(row.recipient_domain))
        name = row.recipient or row.original_recipient
        self._addresses.add(name)
        if name:
            self._unwanted.add(name)

    def _add_unknown(self, row: Row) -> None:
        text = " ".join((row.reply or "")[:_MAX_REPLY_CHARS].split())
        people = (row.recipient, row.original_recipient, row.sender)
        entry = self._unknown.add(canonical(masked(text, people, SOMEBODY)))
        if entry and not entry.notes:
            entry.notes += [_shortened(text), _shortened(masked(text, people))]

    def _category_lines(self, shown: Callable[[str], str]) -> tuple[CategoryLine, ...]:
        totals: Counter[str] = Counter()
        for (category, _), count in self._categories.items():
            totals[category] += count
        return tuple(
            CategoryLine(
                shown(category),
                count,
                self._categories[category, Permanence.PERMANENT],
                self._categories[category, Permanence.TEMPORARY],
            )
            for category, count in sorted(totals.items(), key=_most)
        )

    def _cause_lines(self) -> tuple[CauseLine, ...]:
        found = sorted(self._causes.items(), key=_most)[:MAX_CAUSES]
        return tuple(CauseLine(cause, knowledge().cause(cause)[0], count) for cause, count in found)

    def _suppression(self, shown: Callable[[str], str], *, show_addresses: bool) -> Suppression:
        return Suppression(
            rows=self._unwanted_domains.rows,
            addresses=self._unwanted.number,
            is_exact=self._unwanted.is_exact,
            top=self._addresses.ranking(MAX_ADDRESSES, _plain if show_addresses else address),
            domains=self._unwanted_domains.ranking(TOP, shown),
        )


@cache
def groups() -> tuple[str, ...]:
    """The groups of categories that the timeline stacks."""
    return tuple(_groups())


def group_of(category: str) -> str:
    """The group of a category."""
    return _group_by_category().get(category, _OTHER)


@cache
def likeliest(category: str, provider: str | None) -> str | None:
    """The likeliest cause of a category where a provider took part.

    Args:
        category: one of the taxonomy.
        provider: a known one.
    """
    found = taxonomy()[category]
    verdict = Verdict(
        category, 1.0, Permanence.UNKNOWN, found.action, FixOwner.UNKNOWN, Stage.UNKNOWN, decided_by="rules"
    )
    causes = knowledge().advice(verdict, parties=frozenset({provider} if provider else ())).causes
    return causes[0].id if causes else None


def _known_cause(name: str | None) -> str | None:
    """The cause that a row names, if anybody knows it."""
    try:
        return knowledge().cause(name)[1].id if name else None
    except UnknownName:
        return None


@cache
def _groups() -> dict[str, list[str]]:
    return read_toml(files("service.triage").joinpath("page", "groups.toml"))


@cache
def _group_by_category() -> dict[str, str]:
    return {category: group for group, categories in _groups().items() for category in categories}


def _is_unknown(row: Row) -> bool:
    """Whether a rule or a label could help: a failure, or a reply with a code, without a category."""
    told = row.kind in _FAILED or row.smtp is not None or row.enhanced is not None
    return told and _known(row.category) == UNKNOWN


def _known(category: str | None) -> str:
    return category if category and category in taxonomy().by_id else UNKNOWN


def _known_provider(name: str | None) -> str | None:
    return name if name in providers().by_id else None


def _lower(name: str | None) -> str | None:
    return name.strip().rstrip(".").lower() if name else None


def _plain(text: str) -> str:
    return text


def _samples(tally: Tally, number: int, shown: Callable[[str], str], place: int) -> Samples:
    """What a tally has, with the note of a place as the sample."""
    listed = (Sampled(shown(name), each.count, (each.notes[place],)) for name, each in tally.leaders(number))
    return Samples(tally.rows, tuple(listed))


def _reasons(tally: Tally, shown: Callable[[str], str]) -> Samples:
    listed = (
        Sampled(shown(name), each.count, tuple(shown(note) for note in each.notes))
        for name, each in tally.leaders(MAX_REASONS)
    )
    return Samples(tally.rows, tuple(listed))


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_SAMPLE_CHARS else f"{text[:MAX_SAMPLE_CHARS]}…"


def _most(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]
