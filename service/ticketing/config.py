"""Reads the file that names the ticketing systems, and refuses what it does not understand."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from model.languages import LANGUAGES
from model.taxonomy import taxonomy
from model.types import Kind
from service.errors import SettingError
from service.setting_values import Refused, web_address
from service.ticketing.adapters import ADAPTERS
from service.ticketing.nouns import AXES, Routing, System

MAX_FILE_BYTES = 1 << 20
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SECRETS = ("token", "secret")
_KEYS = frozenset(
    {
        *("adapter", "url", "user", "language", "tags", "notes", "merge", "link"),
        *("fields", "categories", "options"),
        *(f"{name}{ending}" for name in _SECRETS for ending in ("", "_file", "_env")),
    }
)
_ROUTING_KEYS = frozenset({"tags", "queue", "priority"})
_KINDS = tuple(kind.value for kind in Kind if kind is not Kind.NOT_NDR)
_QUIET_KINDS = frozenset({Kind.DELAY.value, Kind.SUCCESS.value, Kind.AUTO_REPLY.value})
"""Kinds that never get a note: there would be no end of notes about delays and holidays."""

Table = Mapping[str, Any]


class _Reader:
    """The keys below one place of the file; complains by file and place."""

    def __init__(self, file: Path, place: str, table: object) -> None:
        self.file, self.place = file, place
        if not isinstance(table, dict):
            raise self.refusal("", "what stands there", "a table")
        self.table: Table = table

    def refusal(self, key: str, value: object, allowed: str) -> SettingError:
        """What is wrong, and where."""
        place = ".".join(part for part in (self.place, key) if part)
        return SettingError(f"{self.file}: {place}", str(value)[:80], allowed)

    def only(self, allowed: Iterable[str]) -> None:
        """Refuses keys that nobody knows."""
        names = sorted(allowed)
        for key in self.table.keys() - set(names):
            raise self.refusal(key, key, f"one of the keys {', '.join(names)}" if names else "no key here")

    def text(self, key: str, default: str = "") -> str:
        """A text; a number is taken as its digits."""
        value = self.table.get(key, default)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise self.refusal(key, "…", "a text")
        return str(value)

    def needed(self, key: str) -> str:
        """A text that must be there."""
        value = self.text(key)
        if not value.strip():
            raise self.refusal(key, value, "a text; it is missing")
        return value

    def flag(self, key: str) -> bool:
        """True or false."""
        value = self.table.get(key, False)
        if not isinstance(value, bool):
            raise self.refusal(key, value, "true or false")
        return value

    def texts(self, key: str, default: Iterable[str] = ()) -> tuple[str, ...]:
        """A list of texts."""
        value = self.table.get(key, list(default))
        if not isinstance(value, list) or not all(isinstance(each, str) and each.strip() for each in value):
            raise self.refusal(key, value, "a list of texts")
        return tuple(value)

    def below(self, key: str) -> _Reader:
        """The table under a key; an empty one where there is none."""
        return _Reader(self.file, f"{self.place}.{key}".lstrip("."), self.table.get(key, {}))


def read_systems(file: Path, environment: Mapping[str, str] = os.environ) -> Mapping[str, System]:
    """The systems that a file names, by their names.

    Args:
        file: TOML; see ``docs/ticketing``.
        environment: where ``token_env`` and ``secret_env`` point to.

    Raises:
        SettingError: it cannot be read, or says something that is not allowed: names file and key.
    """
    top = _Reader(file, "", _table(file))
    top.only({"systems"})
    systems = top.below("systems")
    return MappingProxyType({name: _system(systems, name, environment) for name in systems.table})


def _table(file: Path) -> object:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise SettingError("NDR_TICKETS_FILE", str(file), f"at most {MAX_FILE_BYTES} bytes")
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeError):
        raise SettingError("NDR_TICKETS_FILE", str(file), "a file that can be read") from None
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"at line \d+, column \d+|at end of document", str(error))
        raise SettingError(
            "NDR_TICKETS_FILE", str(file), f"TOML; wrong {place[0] if place else ''}"
        ) from None


def _system(systems: _Reader, name: str, environment: Mapping[str, str]) -> System:
    if not _NAME.fullmatch(name):
        raise systems.refusal(name, name, "a name of a-z, 0-9, - and _, at most 64 characters")
    entry = systems.below(name)
    entry.only(_KEYS)
    adapter = _one_of(entry, "adapter", entry.needed("adapter"), [each.name for each in ADAPTERS])
    options = next(each.options for each in ADAPTERS if each.name == adapter)
    return System(
        name=name,
        adapter=adapter,
        url=_address(entry, "url", entry.needed("url")),
        user=entry.text("user"),
        token=_secret(entry, "token", environment),
        secret=_secret(entry, "secret", environment),
        language=_one_of(entry, "language", entry.text("language", LANGUAGES[0]), LANGUAGES),
        tag_kinds=_kinds(entry, "tags", _KINDS),
        note_kinds=_kinds(entry, "notes", (Kind.BOUNCE.value, Kind.COMPLAINT.value)) - _QUIET_KINDS,
        merge=entry.flag("merge"),
        link=_address(entry, "link", entry.text("link")) if entry.text("link") else "",
        fields=_texts_below(entry.below("fields"), AXES),
        categories=_routings(entry.below("categories")),
        options=_texts_below(entry.below("options"), options),
    )


def _secret(entry: _Reader, name: str, environment: Mapping[str, str]) -> str:
    """A secret that stands in the file, in another file, or in the environment.

    Raises:
        SettingError: it is given twice, or is not where it should be; never shows it.
    """
    given = [key for key in (name, f"{name}_file", f"{name}_env") if key in entry.table]
    if len(given) > 1:
        raise entry.refusal(given[1], "…", f"not together with {given[0]}")
    if not given:
        return ""
    if given[0] == name:
        return entry.needed(name)
    place = entry.needed(given[0])
    value = _file_content(place) if given[0].endswith("_file") else environment.get(place, "")
    if not value.strip():
        kind = "file" if given[0].endswith("_file") else "environment variable"
        raise entry.refusal(given[0], place, f"the name of a {kind} that can be read and is not empty")
    return value.strip()


def _file_content(file: str) -> str:
    try:
        return Path(file).read_text("utf-8")
    except (OSError, UnicodeError):
        return ""


def _address(entry: _Reader, key: str, value: str) -> str:
    try:
        return web_address(value)
    except Refused as refusal:
        raise entry.refusal(key, re.sub(r"//\S*@", "//…@", value), str(refusal)) from None


def _one_of(entry: _Reader, key: str, value: str, allowed: Iterable[str]) -> str:
    if value not in allowed:
        raise entry.refusal(key, value, f"one of {', '.join(allowed)}")
    return value


def _kinds(entry: _Reader, key: str, default: tuple[str, ...]) -> frozenset[str]:
    return frozenset(_one_of(entry, key, kind, _KINDS) for kind in entry.texts(key, default))


def _texts_below(entry: _Reader, allowed: Iterable[str]) -> Mapping[str, str]:
    entry.only(allowed)
    return MappingProxyType({key: entry.needed(key) for key in entry.table})


def _routings(entry: _Reader) -> Mapping[str, Routing]:
    entry.only(taxonomy().names)
    return MappingProxyType({category: _routing(entry.below(category)) for category in entry.table})


def _routing(entry: _Reader) -> Routing:
    entry.only(_ROUTING_KEYS)
    return Routing(entry.texts("tags"), entry.text("queue"), entry.text("priority"))
