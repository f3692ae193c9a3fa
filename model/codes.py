"""The dictionary of codes: what RFCs and vendors mean by each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote_plus

from model.resources import data_files, read_toml
from model.rules import covers_enhanced

MAX_CODE_CHARS = 80
_PASTED = re.compile(r"(?<![\w.])(?:[245]\.\d{1,3}\.\d{1,3}|[2-5]\d\d)(?![\w.])")
"""The codes in something pasted, such as ``550 5.1.1``."""

_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one party means by a code, in one language."""

    code: str
    by: str
    provider: str | None
    category: str
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class CodeEntry:
    """All meanings of a code; a web search for one that nobody knows."""

    code: str
    known: bool
    meanings: tuple[Meaning, ...]
    search_link: str


def lookup(code: str, language: str = "en") -> CodeEntry:
    """What a code means: a reply code, an enhanced code, a vendor's letters or token.

    >>> lookup("9.9.9").known, lookup("9.9.9").search_link
    (False, 'https://duckduckgo.com/?q=%22SMTP+9.9.9%22+bounce')
    """
    name = code.strip().strip("#()[]<>")[:MAX_CODE_CHARS]
    asked = [name, *_PASTED.findall(name)] if _PASTED.fullmatch(name) is None else [name]
    meanings = tuple(
        _meaning(entry, language)
        for each in dict.fromkeys(asked)
        for entry in _entries()
        if _covers(entry["code"], each)
    )
    query = quote_plus(f'"SMTP {name}" bounce')
    link = f"https://duckduckgo.com/?q={query}"
    return CodeEntry(name, bool(meanings), meanings, link)


def _covers(pattern: str, name: str) -> bool:
    if pattern.lower() == name.lower():
        return True
    return _ENHANCED.fullmatch(name) is not None and covers_enhanced(pattern, name)


def _meaning(entry: dict[str, Any], language: str) -> Meaning:
    return Meaning(
        code=entry["code"],
        by=entry["by"],
        provider=entry.get("provider"),
        category=entry["category"],
        text=entry[language],
        source=entry["source"],
    )


@cache
def _entries() -> tuple[dict[str, Any], ...]:
    return tuple(entry for file in data_files("codes") for entry in read_toml(file).get("meaning", ()))
