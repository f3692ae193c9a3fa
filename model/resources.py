"""Reads TOML data files and names the file when one is broken."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

from model.errors import DataError


class Readable(Protocol):
    """A file, in a package or on disk."""

    @property
    def name(self) -> str:
        """The last part of the path."""

    def read_bytes(self) -> bytes:
        """The whole content."""


def data_file(*parts: str) -> Readable:
    """One file below ``model/data``."""
    return files("model").joinpath("data", *parts)


def data_files(*parts: str) -> Iterator[Readable]:
    """The TOML files in a folder below ``model/data``, in name order."""
    folder = files("model").joinpath("data", *parts)
    return (entry for entry in sorted(folder.iterdir(), key=_by_name) if entry.name.endswith(".toml"))


def disk_files(folder: Path) -> Iterator[Readable]:
    """The TOML files in a folder of the user's, in name order.

    Raises:
        DataError: there is no such folder.
    """
    if not folder.is_dir():
        raise DataError(str(folder), "folder", "no such folder")
    return iter(sorted(folder.glob("*.toml"), key=_by_name))


def read_toml(file: Readable) -> dict[str, Any]:
    """The content of one TOML file.

    Raises:
        DataError: it is not UTF-8 or not TOML.
    """
    try:
        return tomllib.loads(file.read_bytes().decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(file.name, "syntax", str(error)) from error


def _by_name(file: Readable) -> str:
    return file.name
