"""Draws the way of a message as one self-contained picture.

It holds two layouts, one across and one down, of which the shape of the window chooses. Nothing is loaded
from elsewhere, and the same case makes the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files

from markupsafe import escape

from model.inquiry import Case
from model.knowledge import knowledge
from model.path import PLACES, Outcome, PathHop, Seen
from model.stamps import NO_YEAR
from model.step_words import label, outcome_title, place_title, state_title
from model.types import Diagnosis
from service.svg_parts import (
    CODE,
    STRONG,
    Row,
    balanced,
    block,
    clean,
    depth_of,
    fitted,
    fitting,
    outline,
    paragraph,
    width_of,
)
from service.text_answer import labels

WIDE, NARROW = 1180, 420
"""The widths of both layouts, in units."""

MAX_WORDS_CHARS = 160
MAX_WITNESSES = 5
MAX_WITNESS_CHARS = 80
_COLUMN, _BOX = 126, 480
_STYLE_OF_NARROW = """@media (max-width: 760px) and (max-aspect-ratio: 1/1) {
.way { aspect-ratio: %d/%d; height: auto }
.way .wide { display: none }
.way .narrow { display: inline }
}
"""
_TAGS = {"zh": "zh-CN"}
_CIRCLE, _RING = "M-16 0A16 16 0 1 1 16 0A16 16 0 1 1-16 0Z", "M-11 0A11 11 0 1 1 11 0A11 11 0 1 1-11 0Z"
_SYMBOLS = {
    Outcome.PASSED: (_CIRCLE, "M-7 .5L-2 5.5L7.5-5"),
    Outcome.FAILED: ("M-7-17H7L17-7V7L7 17H-7L-17 7V-7Z", "M-6-6L6 6M6-6L-6 6"),
    Outcome.WAITING: (_CIRCLE, "M0-9.5V0L6.5 4"),
    Outcome.NOT_REACHED: (_RING, ""),
    Outcome.UNKNOWN: (_RING, "M-3-2.5A3 3 0 1 1 0 1V2M0 5.5V5.6"),
}
"""For each outcome the outline of its symbol, and the mark in it."""


@dataclass(frozen=True, slots=True)
class _Station:
    """A place of the way, in words."""

    place: str
    outcome: Outcome
    seen: Seen
    name: str
    server: tuple[str, ...]
    time: str
    tip: str

    @property
    def look(self) -> str:
        """The classes that a style goes by."""
        return f"{self.outcome} {self.seen}"


@dataclass(frozen=True, slots=True)
class _Note:
    """What is said about the place where it stopped."""

    at: int
    look: str
    kicker: str
    title: str
    words: str
    owner: str


@dataclass(frozen=True, slots=True)
class _Scene:
    """All words of a picture."""

    heading: str
    title: str
    summary: str
    facts: tuple[str, ...]
    stations: tuple[_Station, ...]
    note: _Note | None
    legend: tuple[tuple[Outcome, Seen, str], ...]


def svg_of(case: Case, language: str) -> str:
    """The way of a message as an SVG document.

    Args:
        case: what was found of a delivery.
        language: of the words in the picture.

    Raises:
        UnknownName: there is no such language.
    """
    scene = _scene(case, language)
    wide, height = _across(scene)
    narrow, length = _down(scene)
    told = "\n".join(station.tip.replace("\n", " · ") for station in scene.stations)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="way" viewBox="0 0 {WIDE} {height}" width="100%" '
        f'preserveAspectRatio="xMidYMin meet" role="img" aria-labelledby="way-title way-desc" '
        f'xml:lang="{_TAGS.get(language, language)}">\n'
        f'<title id="way-title">{escape(scene.summary)}</title>\n'
        f'<desc id="way-desc">{escape(told)}</desc>\n'
        f"<style>\n{_style()}{_STYLE_OF_NARROW % (NARROW, length)}</style>\n"
        f'<g class="wide">\n{wide}\n</g>\n'
        f'<svg class="narrow" display="none" width="{WIDE}" height="{WIDE * length // NARROW}" '
        f'viewBox="0 0 {NARROW} {length}">\n{narrow}\n</svg>\n</svg>\n'
    )


@cache
def _style() -> str:
    return files("service").joinpath("web", "page", "path.css").read_text("utf-8")


def _scene(case: Case, language: str) -> _Scene:
    days = sorted(hop.first.date() for hop in case.path if hop.first)
    heading, title = label("heading", language), _title(case.diagnosis, language)
    return _Scene(
        heading=heading,
        title=title,
        summary=label("pair", language).format(name=heading, value=title),
        facts=tuple(_facts(case, days[0] if days else None, language)),
        stations=tuple(_station(hop, days[0] if days else None, language) for hop in case.path),
        note=_note(case, language),
        legend=tuple(_legend_of(case.path, language)),
    )


def _title(diagnosis: Diagnosis, language: str) -> str:
    """What it is all about, in the words of the diagnosis if that speaks the language."""
    lead = diagnosis.lead
    is_spoken = diagnosis.language == language
    return clean(lead.advice.title if is_spoken else knowledge(language).title(lead.verdict.category))


def _legend_of(path: Sequence[PathHop], language: str) -> Iterator[tuple[Outcome, Seen, str]]:
    """The symbols and what they mean; that for what is not known only where it is used."""
    for outcome in Outcome:
        if outcome is not Outcome.UNKNOWN or any(hop.outcome is outcome for hop in path):
            yield outcome, Seen.SEEN, outcome_title(outcome, language)
    yield Outcome.PASSED, Seen.INFERRED, label("inferred", language)


def _facts(case: Case, day: date | None, language: str) -> Iterator[str]:
    """Which message it is, and how its times are meant."""
    known = (
        ("recipient", case.diagnosis.lead.address),
        ("message_id", case.diagnosis.report.original_message_id),
        ("times", _date(day)),
    )
    for name, value in known:
        if value:
            yield _pair(name, clean(value), language)


def _station(hop: PathHop, day: date | None, language: str) -> _Station:
    server = tuple(clean(each) for each in (hop.host, hop.ip) if each)
    name = place_title(hop.place, language)
    return _Station(
        place=hop.place,
        outcome=hop.outcome,
        seen=hop.seen,
        name=name,
        server=server,
        time=_time(hop.first, day),
        tip="\n".join((name, *_told(hop, language), *server, *_witnessed(hop, language))),
    )


def _told(hop: PathHop, language: str) -> Iterator[str]:
    outcome, state = outcome_title(hop.outcome, language), state_title(hop.seen, language)
    yield label("told", language).format(outcome=outcome, state=state)


def _witnessed(hop: PathHop, language: str) -> Iterator[str]:
    """When it was, who says so, and what was said."""
    span = dict.fromkeys(_moment(each) for each in (hop.first, hop.last) if each)
    if span:
        yield _pair("time", " – ".join(span), language)
    if hop.seen_by:
        rest = len(hop.seen_by) - MAX_WITNESSES
        names = [clean(each, MAX_WITNESS_CHARS) for each in hop.seen_by[:MAX_WITNESSES]]
        yield _pair("seen_by", ", ".join(names) + (f" … +{rest}" if rest > 0 else ""), language)
    if hop.words:
        yield _pair("said", clean(hop.words), language)


def _note(case: Case, language: str) -> _Note | None:
    """What stopped it; for a message that passed in the end, what had held it up."""
    stopped = [n for n, hop in enumerate(case.path) if hop.outcome in (Outcome.FAILED, Outcome.WAITING)]
    held_up = [n for n, hop in enumerate(case.path) if hop.words] if case.is_resolved else []
    at = next(iter((*stopped, *held_up)), None)
    if at is None:
        return None
    verdict, hop = case.diagnosis.lead.verdict, case.path[at]
    is_final = hop.outcome is Outcome.FAILED
    kicker = "stopped_here" if is_final else "waiting_here" if stopped else "resolved_here"
    owner = labels(language).of("fix_owner", verdict.fix_owner)
    return _Note(
        at=at,
        look=Outcome.FAILED if is_final else Outcome.WAITING,
        kicker=label(kicker, language),
        title=knowledge(language).title(verdict.category),
        words=f"“{clean(hop.words, MAX_WORDS_CHARS)}”" if hop.words else "",
        owner=_pair("fix_owner", owner, language),
    )


def _across(scene: _Scene) -> tuple[str, int]:
    """The places from left to right, and the height of it all."""
    head = tuple(_head(scene, ["   ·   ".join(scene.facts)], WIDE - 60))
    y = depth_of(head) + 68
    under = [tuple(_under(station)) for station in scene.stations]
    foot = y + 24 + max(map(depth_of, under)) + 18
    note, bottom = _note_across(scene.note, y - 26, foot) if scene.note else ("", foot)
    rails, places = [], []
    for n, station in enumerate(scene.stations):
        x = _column(n)
        rails.append(_rail(station, f"M{_column(n - 1)} {y}H{x}") if n else "")
        texts = block(0, 24, under[n], is_centred=True)
        places.append(_place("wide", station, x, y, texts))
    legend = _legend(scene.legend, WIDE, bottom + 42)
    height = bottom + 70
    return _joined(_back(WIDE, height), block(30, 14, head), note, *rails, *places, legend), height


def _down(scene: _Scene) -> tuple[str, int]:
    """The places from top to bottom, and the length of it all."""
    head = tuple(_head(scene, scene.facts, NARROW - 40))
    y = last = depth_of(head) + 36
    tints, rails, places = [], [], []
    for n, station in enumerate(scene.stations):
        told = tuple(_note_rows(scene.note, 320)) if scene.note and scene.note.at == n else ()
        rows = (*_beside(station), *told)
        depth = max(36, depth_of(rows) + 4)
        if scene.note and told:
            depth += 12
            tints.append(
                _tint(scene.note.look, outline((10, y - 8), (410, y - 8), (410, y + depth), (10, y + depth)))
            )
        rails.append(_rail(station, f"M38 {last + 16}V{y + 16}") if n else "")
        places.append(_place("narrow", station, 38, y + 16, block(32, -16, rows)))
        last, y = y, y + depth + 20
    length = y + 8 + 34 * ((len(scene.legend) + 1) // 2)
    parts = (*tints, *rails, *places, _legend(scene.legend, NARROW, y + 16))
    return _joined(_back(NARROW, length), block(20, 12, head), *parts), length


def _column(number: int) -> int:
    return WIDE // 2 + (number - len(PLACES) // 2) * _COLUMN


def _head(scene: _Scene, facts: Sequence[str], width: float) -> Iterator[Row]:
    """The title of the picture and what it is about."""
    yield Row(scene.heading, 13, 20, "muted")
    for line in balanced(scene.title, 21, width, STRONG, most=3):
        yield Row(line, 21, 29, STRONG)
    yield Row("", 13, 6)
    for fact in facts:
        yield fitted(fact, 13, 20, width, "muted")


def _under(station: _Station) -> Iterator[Row]:
    yield from paragraph(station.name, 13.5, 18, _COLUMN - 12, "name strong", most=3)
    for line in station.server:
        shown = fitting(line, 11.5, 2 * _COLUMN - 40, CODE)
        yield from paragraph(shown, 11.5, 17, _COLUMN - 12, CODE, most=2)
    yield Row(station.time, 11.5, 17, "muted")


def _beside(station: _Station) -> Iterator[Row]:
    yield fitted(station.name, 15, 21, 320, "name strong")
    for line in (*station.server, station.time):
        if line:
            yield fitted(line, 13, 18, 320, "muted" if line is station.time else CODE)


def _note_rows(note: _Note, width: float) -> Iterator[Row]:
    yield Row(note.kicker, 12.5, 27, "kicker strong")
    yield from paragraph(note.title, 15, 21, width, STRONG, most=3)
    yield Row("", 13, 4)
    yield from paragraph(note.words, 12, 18, width, CODE, most=8)
    yield Row("", 13, 4)
    yield from paragraph(note.owner, 13, 19, width, most=2)


def _note_across(note: _Note, top: int, foot: int) -> tuple[str, int]:
    """A box that hangs on the place it speaks of, and where it ends."""
    rows = tuple(_note_rows(note, _BOX - 40))
    x, half = _column(note.at), _COLUMN // 2 - 3
    start = min(max(x - _BOX // 2, 10), WIDE - _BOX - 10)
    bottom = foot + depth_of(rows) + 18
    end, column = start + _BOX, ((x - half, foot), (x - half, top), (x + half, top), (x + half, foot))
    shape = outline(*column, (end, foot), (end, bottom), (start, bottom), (start, foot))
    texts = f'<g class="{note.look}">{block(start + 20, foot, rows)}</g>'
    return f"{_tint(note.look, shape)}\n{texts}", bottom


def _tint(look: str, shape: str) -> str:
    return f'<g class="{look}"><path class="box" d="{shape}"/></g>'


def _place(layout: str, station: _Station, x: int, y: int, texts: str) -> str:
    """A place with its symbol and its texts, and all that is known of it to be read on pointing."""
    return (
        f'<g id="way-{layout}-{station.place}" class="place {station.look}" transform="translate({x} {y})">'
        f"<title>{escape(station.tip)}</title>{_symbol(station.outcome)}{texts}</g>"
    )


def _symbol(outcome: Outcome) -> str:
    shape, mark = _SYMBOLS[outcome]
    return f'<path class="shape" d="{shape}"/>' + (f'<path class="mark" d="{mark}"/>' if mark else "")


def _rail(station: _Station, line: str) -> str:
    """The line to a place, as sure as what is known of it."""
    return f'<path class="rail {station.look}" d="{line}"/>'


def _legend(entries: Sequence[tuple[Outcome, Seen, str]], width: int, y: int) -> str:
    """What the symbols mean: in a row, or in two columns where it is narrow."""
    parts, at = [], 46.0 if width == WIDE else 38.0
    for n, (outcome, seen, text) in enumerate(entries):
        x, below = (at, y) if width == WIDE else (at + 190 * (n % 2), y + 34 * (n // 2))
        at += 62 + round(width_of(text, 13)) if width == WIDE else 0
        symbol = f'<g class="{outcome} {seen}" transform="scale(.75)">{_symbol(outcome)}</g>'
        words = block(22, -14, (Row(text, 13, 18, "muted"),))
        parts.append(f'<g transform="translate({x:g} {below})">{symbol}{words}</g>')
    return _joined(*parts)


def _joined(*parts: str) -> str:
    return "\n".join(filter(None, parts))


def _back(width: int, height: int) -> str:
    return f'<path class="back" d="M0 0H{width}V{height}H0Z"/>'


def _pair(name: str, value: str, language: str) -> str:
    return label("pair", language).format(name=label(name, language), value=value)


def _date(day: date | None) -> str:
    return f"{day:%m-%d}" if day and day.year == NO_YEAR else str(day or "")


def _moment(moment: datetime) -> str:
    return f"{_date(moment.date())} {moment:%H:%M:%S}"


def _time(moment: datetime | None, day: date | None) -> str:
    """A time of day, with its date where that is another than the first."""
    if moment is None:
        return ""
    return f"{moment:%H:%M:%S}" if moment.date() == day else f"{moment:%m-%d %H:%M:%S}"
