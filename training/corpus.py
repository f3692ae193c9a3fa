"""Reads a directory of labelled bounces.

``labels.jsonl`` holds one object a line: ``id``; ``path`` (a file below the directory), ``message`` (a whole
mail; with ``"encoding": "base64"`` its bytes) or ``text`` (a reply, a log line); ``kind``, ``category``,
``permanence``; ``accept`` (every category that also counts as right); ``recipients`` (failed addresses, lower
case); ``hard`` (the wording misleads). Optional, to group the scores by: ``language``; ``provider`` (or
``system``: what wrote it); ``origin`` (where it comes from); ``split`` (its part in training).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.errors import DataError
from model.taxonomy import taxonomy
from model.types import Form, Kind, Permanence

LABELS = "labels.jsonl"


@dataclass(frozen=True, slots=True)
class Item:
    """One labelled bounce."""

    id: str
    raw: bytes
    form: Form
    kind: Kind
    category: str
    accept: frozenset[str]
    permanence: Permanence
    recipients: frozenset[str]
    hard: bool
    language: str | None = None
    provider: str | None = None
    origin: str | None = None
    split: str | None = None


def read_corpus(folder: Path) -> Iterator[Item]:
    """The items of a labelled directory, in the order of its labels.

    Raises:
        DataError: there are no labels, or one is wrong; names the line and the reason.
    """
    try:
        lines = (folder / LABELS).read_text("utf-8").splitlines()
    except OSError as error:
        raise DataError(str(folder), LABELS, "cannot be read") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _item(folder, number, line)


def _item(folder: Path, number: int, line: str) -> Item:
    try:
        label = json.loads(line)
        return _checked(label, _raw(folder, label))
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(str(folder / LABELS), f"line {number}", f"{type(error).__name__}: {error}") from error


def _raw(folder: Path, label: dict[str, Any]) -> bytes:
    if "text" in label:
        return str(label["text"]).encode()
    if "message" in label:
        message = str(label["message"]).encode()
        return base64.b64decode(message, validate=True) if label.get("encoding") == "base64" else message
    path = Path(folder, str(label["path"])).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"path {label['path']!r} leaves the directory")
    return path.read_bytes()


def _checked(label: dict[str, Any], raw: bytes) -> Item:
    accept = frozenset(label.get("accept") or [label["category"]])
    for category in accept | {label["category"]}:
        _ = taxonomy().by_id[category]
    return Item(
        id=str(label["id"]),
        raw=raw,
        form=Form.TEXT if "text" in label else Form.AUTO,
        kind=Kind(label["kind"]),
        category=label["category"],
        accept=accept,
        permanence=Permanence(label["permanence"]),
        recipients=frozenset(address.lower() for address in label.get("recipients", ())),
        hard=bool(label.get("hard", False)),
        language=_optional(label, "language"),
        provider=_optional(label, "provider", "system"),
        origin=_optional(label, "origin"),
        split=_optional(label, "split"),
    )


def _optional(label: dict[str, Any], *keys: str) -> str | None:
    return next((str(label[key]) for key in keys if label.get(key)), None)
