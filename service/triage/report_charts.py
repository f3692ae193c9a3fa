"""Draws the pictures of a report as inline SVG: columns over time, and bars of one total."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from markupsafe import Markup, escape

from service.svg_parts import clean, fitting, width_of
from service.triage.counting import Column, Timeline, Unit

WIDTH = 1040
"""Of every picture, in units."""

_LEFT, _RIGHT, _TOP, _PLOT = 60, 8, 12, 210
_GAP = 0.18
_MAX_COLUMN = 64
_LABEL = 12
_LABEL_WIDTH = 330
_BAR, _BAR_STEP = 16, 28
_STEPS = (1, 2, 2.5, 4, 5, 8, 10)
_TICKS = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: its words, its length, and the style that it goes by."""

    label: str
    count: int
    look: str = ""


def columns_svg(timeline: Timeline, names: Sequence[str], title: str) -> Markup:
    """A column for each time, with the groups stacked in it; nothing where there are no times.

    Args:
        timeline: what to draw.
        names: of its groups, in words.
        title: what the picture shows, for those who cannot see it.
    """
    if not timeline.columns:
        return Markup()
    top = scale(max(each.total for each in timeline.columns))
    height = _TOP + _PLOT + 28
    parts = [*_grid(top), *_columns(timeline, names, top), *_dates(timeline)]
    return _svg(height, title, parts)


def bars_svg(bars: Sequence[Bar], title: str) -> Markup:
    """A bar for each name, with the count and the share of all; nothing where there are none.

    Args:
        bars: from the top down.
        title: what the picture shows, for those who cannot see it.
    """
    if not bars:
        return Markup()
    longest, total = max(each.count for each in bars) or 1, sum(each.count for each in bars) or 1
    parts = [_bar(place, each, longest, total) for place, each in enumerate(bars)]
    return _svg(len(bars) * _BAR_STEP + 4, title, parts)


def scale(highest: int) -> int:
    """A round number not below another one, that can be parted in four.

    >>> scale(0), scale(7), scale(130), scale(99_000)
    (4, 8, 200, 100000)
    """
    power = 10 ** (len(str(highest)) - 1)
    steps = (int(power * step) for step in _STEPS)
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


def _grid(top: int) -> Iterator[str]:
    for tick in range(_TICKS + 1):
        y = round(_TOP + _PLOT * (1 - tick / _TICKS), 1)
        yield f'<path class="grid" d="M{_LEFT} {y}H{WIDTH - _RIGHT}"/>'
        yield _text(_LEFT - 8, y + 4, short(top * tick // _TICKS), "soft", "end")


def _columns(timeline: Timeline, names: Sequence[str], top: int) -> Iterator[str]:
    step = _step(timeline)
    width = min(step * (1 - _GAP), _MAX_COLUMN)
    for place, column in enumerate(timeline.columns):
        if not column.total:
            continue
        x = round(_LEFT + step * place + (step - width) / 2, 1)
        told = ", ".join(f"{name} {count}" for name, count in zip(names, column.counts, strict=True) if count)
        rects = "".join(_stack(column, timeline.groups, x, round(width, 1), _PLOT / top))
        tip = escape(f"{shown_time(column.start)}: {column.total} ({told})")
        yield f"<g><title>{tip}</title>{rects}</g>"


def _stack(column: Column, groups: Sequence[str], x: float, width: float, unit: float) -> Iterator[str]:
    ends = accumulate(column.counts)
    for group, count, end in zip(groups, column.counts, ends, strict=True):
        if count:
            y, height = round(_TOP + _PLOT - end * unit, 2), round(count * unit, 2)
            yield f'<rect class="g-{group}" x="{x}" y="{y}" width="{width}" height="{height}"/>'


def _dates(timeline: Timeline) -> Iterator[str]:
    """As many of the times as fit, below their columns."""
    step, count = _step(timeline), len(timeline.columns)
    texts = [shown_time(each.start) for each in timeline.columns]
    width = max(width_of(text, _LABEL) for text in texts) + 14
    every = max(_pace(timeline.unit), int(width / step) + 1)
    every = -(-every // _pace(timeline.unit)) * _pace(timeline.unit) if count > _pace(timeline.unit) else 1
    for place in range(0, count, every):
        x = round(_LEFT + step * (place + 0.5), 1)
        anchor = "start" if x - width / 2 < 0 else "end" if x + width / 2 > WIDTH else "middle"
        yield _text(x, _TOP + _PLOT + 20, texts[place], "soft", anchor)


def _pace(unit: Unit) -> int:
    return 6 if unit is Unit.HOUR else 1


def shown_time(start: str) -> str:
    """The beginning of a column for people.

    >>> shown_time("2026-11-02T10"), shown_time("2026-11")
    ('2026-11-02 10:00', '2026-11')
    """
    return f"{start.replace('T', ' ')}:00" if "T" in start else start


def _step(timeline: Timeline) -> float:
    return (WIDTH - _LEFT - _RIGHT) / len(timeline.columns)


def _bar(place: int, bar: Bar, longest: int, total: int) -> str:
    left, y = _LABEL_WIDTH + 12, place * _BAR_STEP + 6
    length = max(round((WIDTH - left - 130) * bar.count / longest, 1), 2 if bar.count else 0)
    name = fitting(clean(bar.label), 13, _LABEL_WIDTH)
    figures = f"{bar.count:,} · {bar.count / total:.1%}"
    return "".join(
        (
            f"<g><title>{escape(clean(bar.label))}: {figures}</title>",
            _text(_LABEL_WIDTH, y + 12.5, name, "", "end", 13),
            f'<rect class="bar {bar.look}" x="{left}" y="{y}" width="{length}" height="{_BAR}" rx="3"/>',
            _text(left + length + 8, y + 12.5, figures, "soft", "start"),
            "</g>",
        )
    )


def _text(x: float, y: float, text: str, look: str, anchor: str, size: int = _LABEL) -> str:
    place = f'x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}"'
    return f'<text class="{look}" {place}>{escape(text)}</text>'


def _svg(height: float, title: str, parts: Iterable[str]) -> Markup:
    words = escape(title)
    head = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{words}">'
    return Markup(f"{head}{''.join(parts)}</svg>")  # noqa: S704  # every text of it is escaped above
