"""Fills the templates in ``training/page``."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


def render(name: str, **context: object) -> str:
    """The page of a name, filled; HTML is escaped."""
    return _environment().get_template(f"{name}.j2").render(context)


def percent(share: float, digits: int = 1) -> str:
    """A share for people.

    >>> percent(0.9833)
    '98.3 %'
    """
    return f"{share:.{digits}%}".replace("%", " %")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("training", "page"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters: dict[str, Any] = {"percent": percent}
    environment.filters.update(filters)
    return environment
