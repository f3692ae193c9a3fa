"""Draws the timeline of a report: columns as inline SVG that stretches, and the words around them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from markupsafe import Markup, escape

from service.triage.counting import Column, Timeline, Unit

WIDTH, HEIGHT = 1000, 200
"""Of the picture, in units that the page stretches as it likes."""

_GAP = 0.18
_MAX_COLUMN = 56
_SCALES = (1, 2, 2.5, 4, 5, 8, 10)
_TICKS = 4
_MOST_TIMES, _MOST_TIMES_NARROW = 8, 3
_STEPS = {Unit.HOUR: (1, 2, 3, 6, 12), Unit.DAY: (1, 2, 7, 14), Unit.MONTH: (1, 2, 3, 6, 12), Unit.YEAR: (1,)}
_EDGE = 12


@dataclass(frozen=True, slots=True)
class Mark:
    """Words beside a picture.

    Args:
        place: how far from its left or its top, in percent.
        text: the words.
        look: names of classes: ``start`` and ``end`` at the edges, ``minor`` where there is room.
    """

    place: float
    text: str
    look: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture that stretches, with the words at its left and below it, which do not."""

    picture: Markup
    counts: tuple[Mark, ...]
    times: tuple[Mark, ...]


def chart_of(timeline: Timeline, names: Sequence[str], title: str) -> Chart:
    """A column for each time, with the groups stacked in it.

    Args:
        timeline: what to draw; it has columns.
        names: of its groups, in words.
        title: what the picture shows, for those who cannot see it.
    """
    top = scale(max(each.total for each in timeline.columns))
    parts = (*_grid(), *_columns(timeline, names, top))
    head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img"'
    content = f'{head} aria-label="{escape(title)}">{"".join(parts)}</svg>'
    picture = Markup(content)  # noqa: S704  # every text of it is escaped
    counts = (Mark(100 - 100 * tick / _TICKS, short(top * tick // _TICKS)) for tick in range(_TICKS + 1))
    return Chart(picture, tuple(counts), tuple(_times(timeline)))


def scale(highest: int) -> int:
    """A round number not below another one, that can be parted in four.

    >>> scale(0), scale(7), scale(130), scale(99_000)
    (4, 8, 200, 100000)
    """
    power = 10 ** (len(str(highest)) - 1)
    steps = (int(power * step) for step in _SCALES)
    return max(_TICKS, next(-(-step // _TICKS) * _TICKS for step in steps if step >= highest))


def short(count: int) -> str:
    """A count with few characters.

    >>> short(950), short(12_500), short(2_000_000)
    ('950', '12.5k', '2M')
    """
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:.1f}".removesuffix(".0") + unit
    return str(count)


def shown_time(start: str) -> str:
    """The beginning of a column for people.

    >>> shown_time("2026-11-02T10"), shown_time("2026-11")
    ('2026-11-02 10:00', '2026-11')
    """
    return f"{start.replace('T', ' ')}:00" if "T" in start else start


def _grid() -> Iterator[str]:
    for tick in range(_TICKS + 1):
        yield f'<path class="grid" d="M0 {HEIGHT * tick // _TICKS}H{WIDTH}"/>'


def _columns(timeline: Timeline, names: Sequence[str], top: int) -> Iterator[str]:
    step = WIDTH / len(timeline.columns)
    width = min(step * (1 - _GAP), _MAX_COLUMN)
    for place, column in enumerate(timeline.columns):
        if not column.total:
            continue
        x = round(step * (place + 0.5) - width / 2, 1)
        told = ", ".join(f"{name} {count}" for name, count in zip(names, column.counts, strict=True) if count)
        rects = "".join(_stack(column, timeline.groups, x, round(width, 1), HEIGHT / top))
        tip = escape(f"{shown_time(column.start)}: {column.total} ({told})")
        yield f"<g><title>{tip}</title>{rects}</g>"


def _stack(column: Column, groups: Sequence[str], x: float, width: float, unit: float) -> Iterator[str]:
    ends = accumulate(column.counts)
    for group, count, end in zip(groups, column.counts, ends, strict=True):
        if count:
            y, height = round(HEIGHT - end * unit, 2), round(count * unit, 2)
            yield f'<rect class="g-{group}" x="{x}" y="{y}" width="{width}" height="{height}"/>'


def _times(timeline: Timeline) -> Iterator[Mark]:
    """As many of the times as fit below a wide picture; those that a narrow one has no room for are minor."""
    count = len(timeline.columns)
    places = _told_places(timeline, _step(timeline.unit, count))
    pace = -(-len(places) // _MOST_TIMES_NARROW)
    for number, place in enumerate(places):
        at = round(100 * (place + 0.5) / count, 2)
        edge = "start" if at < _EDGE else "end" if at > 100 - _EDGE else ""
        look = f"{edge} minor".lstrip() if number % pace else edge
        yield Mark(at, _short_time(timeline.columns[place].start), look)


def _told_places(timeline: Timeline, step: int) -> range:
    """Every so many columns; of hours those that a clock would tell."""
    starts = [each.start for each in timeline.columns]
    is_hours = timeline.unit is Unit.HOUR
    first = next((at for at, start in enumerate(starts) if is_hours and int(start[11:13]) % step == 0), 0)
    return range(first, len(starts), step)


def _step(unit: Unit, count: int) -> int:
    enough = -(-count // _MOST_TIMES)
    return next((step for step in _STEPS[unit] if step >= enough), enough)


def _short_time(start: str) -> str:
    return shown_time(start)[5:] if "T" in start else start
