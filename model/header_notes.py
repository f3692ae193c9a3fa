"""Explains header fields: takes their values apart and finds what each means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from model.patterns import compiled
from model.resources import data_file, read_toml

MAX_VALUE_CHARS = 300

_RESULT = re.compile(r"([A-Za-z][\w-]{1,20})=([\w.+-]{1,40})")
_OWNED = {"reason": "compauth", "action": "dmarc"}
"""Properties that are explained, and the method that they belong to."""

Pairs = Iterator[tuple[str, str]]


class HeaderNote(NamedTuple):
    """What one value of a header field means.

    Args:
        field: the part of the field, such as ``spf`` or ``SCL``; empty where the value is the whole.
        value: what it says.
        id: the entry that explains it.
        cause: the cause that it speaks for.
    """

    field: str
    value: str
    id: str
    cause: str | None


class Explanation(NamedTuple):
    """An entry, for people."""

    id: str
    en: str
    zh: str
    source: str


@dataclass(frozen=True, slots=True)
class _Meaning:
    value: Any
    id: str
    cause: str | None


@dataclass(frozen=True, slots=True)
class _Header:
    """How a field is taken apart, and by which notes it is explained."""

    split: Callable[[str], Pairs]
    notes_of: str
    as_field: str | None


def header_notes(name: str, value: str) -> tuple[HeaderNote, ...]:
    """The explained parts of a header field, in the order they stand.

    >>> [note[:3] for note in header_notes("X-Forefront-Antispam-Report", "SFV:SPM;DIR:INB")]
    [('SFV', 'SPM', 'forefront.sfv_spm'), ('DIR', 'INB', 'forefront.dir_inbound')]
    """
    header = _headers().get(name.lower())
    if header is None:
        return ()
    found = (_note(header, field, text.strip()[:MAX_VALUE_CHARS]) for field, text in header.split(value))
    return tuple(note for note in found if note)


def is_explained(name: str) -> bool:
    """Whether there are notes on a header field."""
    return name.lower() in _headers()


def explanation(note_id: str) -> Explanation | None:
    """An entry by its id."""
    return _explanations().get(note_id)


def _note(header: _Header, field: str, value: str) -> HeaderNote | None:
    key = field if header.as_field is None else header.as_field
    meanings = _meanings().get((header.notes_of, key.lower()), ())
    hit = next((meaning for meaning in meanings if meaning.value.fullmatch(value)), None)
    return HeaderNote(field, value, hit.id, hit.cause) if hit else None


def _whole(value: str) -> Pairs:
    yield "", value


def _results(value: str) -> Pairs:
    """``spf=fail (…) smtp.mailfrom=…; dmarc=none action=none; compauth=fail reason=001``."""
    for part in _without_comments(value).split(";"):
        method = ""
        for hit in _RESULT.finditer(part):
            name = hit[1].lower()
            if not method:
                method = name
                yield name, hit[2]
            elif _OWNED.get(name) == method:
                yield name, hit[2]


def _spf(value: str) -> Pairs:
    yield "spf", value.partition(" ")[0].strip(" ;()").lower()


def _colons(value: str) -> Pairs:
    for part in value.split(";"):
        key, _, text = part.partition(":")
        yield key.strip(), text


def _equals(value: str) -> Pairs:
    for part in value.split():
        key, _, text = part.partition("=")
        yield key, text


def _tags(value: str) -> Pairs:
    for part in value.split(";"):
        key, _, text = part.partition("=")
        yield key.strip(), text


def _without_comments(text: str) -> str:
    """A text without what stands in parentheses and in quotes."""
    pieces: list[str] = []
    start = depth = 0
    for position, letter in enumerate(text):
        if letter == "(":
            if not depth:
                pieces.append(text[start:position])
            depth += 1
        elif letter == ")" and depth:
            depth -= 1
            start = position + 1
    return " ".join([*pieces, "" if depth else text[start:]])


_SHAPES: Mapping[str, Callable[[str], Pairs]] = {
    "whole": _whole,
    "results": _results,
    "spf": _spf,
    "colons": _colons,
    "equals": _equals,
    "tags": _tags,
}


@cache
def _data() -> dict[str, Any]:
    return read_toml(data_file("logs", "headers.toml"))


@cache
def _headers() -> Mapping[str, _Header]:
    found: dict[str, _Header] = {}
    for entry in _data()["header"]:
        notes_of, _, field = entry.get("notes_of", entry["name"]).partition("/")
        header = _Header(_SHAPES[entry["shape"]], notes_of, field or None)
        found.update({name.lower(): header for name in (entry["name"], *entry.get("aliases", ()))})
    return found


@cache
def _meanings() -> Mapping[tuple[str, str], tuple[_Meaning, ...]]:
    found: dict[tuple[str, str], list[_Meaning]] = {}
    for entry in _data()["note"]:
        meaning = _Meaning(compiled(f"(?s:{entry['value']})"), entry["id"], entry.get("cause"))
        found.setdefault((entry["header"], entry["field"].lower()), []).append(meaning)
    return {key: tuple(meanings) for key, meanings in found.items()}


@cache
def _explanations() -> Mapping[str, Explanation]:
    return {
        entry["id"]: Explanation(entry["id"], entry["en"], entry["zh"], entry["source"])
        for entry in _data()["note"]
    }
