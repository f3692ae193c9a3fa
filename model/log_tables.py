"""Reads the tables that say what the words of a log format mean."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from model.events import What
from model.resources import data_file, read_toml

_SOURCE = "source"


@cache
def log_table(name: str, table: str) -> Mapping[str, str]:
    """A table of ``model/data/logs/<name>.toml`` without its source; read once.

    >>> log_table("sparkpost", "category")["22"]
    'mailbox_full'
    """
    entries = read_toml(data_file("logs", f"{name}.toml"))[table]
    return MappingProxyType({key: str(value) for key, value in entries.items() if key != _SOURCE})


@cache
def what_table(name: str, table: str = "what") -> Mapping[str, What]:
    """A table whose values are names of ``What``."""
    return MappingProxyType({key: What(value) for key, value in log_table(name, table).items()})
