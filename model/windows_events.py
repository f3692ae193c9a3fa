"""Knows Windows events that bear on mail: their wording, what they mean and what they speak for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from model.patterns import compiled
from model.resources import data_file, read_toml

MAX_PART_CHARS = 300

_PLACE = re.compile(r"%(\d)")


class Labels(NamedTuple):
    """What the parts of an entry are called, by lower-case label, and the levels by name or number."""

    parts: Mapping[str, str]
    levels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """An event whose meaning is known.

    Args:
        id: of the entry, for people who look it up.
        is_fault: whether it tells of trouble.
        category: the category of mails that fail by it, where it is proven.
        causes: the causes that it speaks for, likeliest first.
        parts: what its description names, such as ``connector`` and ``peer_ip``.
    """

    id: str
    is_fault: bool
    category: str | None
    causes: tuple[str, ...]
    parts: Mapping[str, str]


class Meaning(NamedTuple):
    """An entry, for people."""

    id: str
    en: str
    zh: str
    source: str


def labels() -> Labels:
    """The labels of entries in all languages that are known."""
    return _labels()


def family(provider: str) -> str | None:
    """The family of an event source; ``None`` for other programs."""
    return _families().get(provider.lower())


def known_event(provider: str, event_id: int, text: str, params: tuple[str, ...]) -> KnownEvent | None:
    """What is known of an event, by its source and id, its description and, without one, its strings."""
    entries = _entries().get((family(provider) or "", event_id), ())
    worded = tuple(entry for entry in entries if entry.pattern is not None and entry.pattern.match(text))
    for entry in worded or entries:
        parts = entry.parts(text, params)
        if all(pattern.fullmatch(parts.get(key, "")) for key, pattern in entry.when):
            told = {key: value for key, value in parts.items() if key != "text" and value}
            return KnownEvent(entry.id, entry.is_fault, entry.category, entry.causes, told)
    return None


def extracted(text: str) -> Mapping[str, str]:
    """The parts that can be found in a description of any wording."""
    found: dict[str, str] = {}
    for field, pattern in _extractors():
        hit = pattern.search(text) if field not in found else None
        if hit:
            found[field] = hit[1].strip()
    return found


def wording(provider: str, event_id: int, params: tuple[str, ...]) -> str:
    """The description of an event that came without one, filled with its strings."""
    entries = _entries().get((family(provider) or "", event_id), ())
    text = next((entry.text for entry in entries if entry.text), "")
    return _PLACE.sub(lambda hit: _param(params, int(hit[1])), text) or "; ".join(filter(None, params))


def meaning(entry_id: str) -> Meaning | None:
    """An entry by its id."""
    return _meanings().get(entry_id)


class _Entry(NamedTuple):
    id: str
    is_fault: bool
    category: str | None
    causes: tuple[str, ...]
    text: str
    pattern: Any
    fields: tuple[str, ...]
    when: tuple[tuple[str, Any], ...]

    def parts(self, text: str, params: tuple[str, ...]) -> dict[str, str]:
        """What the description names: by its wording, else by its strings, else by what stands out."""
        hit = self.pattern.match(text) if self.pattern is not None else None
        told = self._worded(hit.groups()) if hit else dict(zip(self.fields, params, strict=False))
        found = dict(extracted(text)) if not told else {}
        named = {key: value.strip()[:MAX_PART_CHARS] for key, value in {**found, **told}.items()}
        return {**named, "text": text}

    def _worded(self, groups: tuple[str | None, ...]) -> dict[str, str]:
        """What stands in the places of the wording; at its end, up to the next sentence."""
        places = [int(number) for number in _PLACE.findall(self.text)]
        values = [value or "" for value in groups]
        if self.text.endswith(f"%{places[-1]}" if places else " "):
            values[-1] = values[-1].partition(". ")[0].rstrip(". ")
        pairs = zip(places, values, strict=False)
        return {self.fields[place - 1]: value for place, value in pairs if place <= len(self.fields)}


def _param(params: tuple[str, ...], number: int) -> str:
    return params[number - 1] if 0 < number <= len(params) else ""


def _pattern(text: str) -> Any:  # noqa: ANN401  # re2 has no type stubs
    """A wording as a pattern; a full stop ends a part only where a blank or the end follows."""
    pieces = _PLACE.split(text)
    literals = [_literal(piece) for piece in pieces[::2]]
    parts = [f"{literal}(.{{0,{MAX_PART_CHARS}}}?)" for literal in literals[:-1]]
    pattern = "".join(parts) + literals[-1]
    return compiled("(?s)" + (pattern if literals[-1] else pattern.removesuffix("?)") + ")"))


def _literal(text: str) -> str:
    escaped = "".join(rf"\{letter}" if not letter.isalnum() and letter != " " else letter for letter in text)
    spaced = escaped.replace(" ", r"\s+")
    return spaced.replace(r"\.\s+", r"\.(?:\s+|$)") + (r"(?:\s|$)" if spaced.endswith(r"\.") else "")


@cache
def _data() -> dict[str, Any]:
    return read_toml(data_file("logs", "windows_events.toml"))


@cache
def _labels() -> Labels:
    parts = {word: part for part, words in _data()["labels"].items() for word in words}
    levels = {word: level for level, words in _data()["levels"].items() for word in words}
    return Labels(parts, levels)


@cache
def _families() -> Mapping[str, str]:
    return {name.lower(): entry["id"] for entry in _data()["provider"] for name in entry["names"]}


@cache
def _extractors() -> tuple[tuple[str, Any], ...]:
    return tuple((entry["field"], compiled(entry["text"])) for entry in _data()["extract"])


@cache
def _entries() -> Mapping[tuple[str, int], tuple[_Entry, ...]]:
    found: dict[tuple[str, int], tuple[_Entry, ...]] = {}
    for entry in _read_entries():
        key, known = entry
        found[key] = (*found.get(key, ()), known)
    return found


def _read_entries() -> Iterator[tuple[tuple[str, int], _Entry]]:
    for entry in _data()["event"]:
        text = entry.get("text", "")
        yield (
            (entry["provider"], entry["event_id"]),
            _Entry(
                id=entry["id"],
                is_fault=entry.get("what") != "noted",
                category=entry.get("category"),
                causes=tuple(entry.get("causes", ())),
                text=text,
                pattern=_pattern(text) if text else None,
                fields=tuple(entry.get("fields", ())),
                when=tuple((key, compiled(f"(?s:{each})")) for key, each in entry.get("when", {}).items()),
            ),
        )


@cache
def _meanings() -> Mapping[str, Meaning]:
    return {
        entry["id"]: Meaning(entry["id"], entry["en"], entry["zh"], entry["source"])
        for entry in _data()["event"]
    }
