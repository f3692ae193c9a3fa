"""The fields that the shapes of answers are made of, each with its description."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate


def text_field(about: str, *, none: bool = False, **more: Any) -> fields.String:  # marshmallow's own
    """A text; ``None`` only where it may be missing."""
    return fields.String(required=True, allow_none=none, metadata={"description": about, **more})


def choice_field(about: str, values: Any) -> fields.String:  # noqa: ANN401  # an enumeration or a list of names
    """One of some values."""
    one_of = validate.OneOf([str(value) for value in values])
    return fields.String(required=True, validate=one_of, metadata={"description": about})


def share_field(about: str) -> fields.Float:
    """A number from 0 to 1."""
    limits = validate.Range(min=0, max=1)
    return fields.Float(required=True, validate=limits, metadata={"description": about})


def number_field(about: str) -> fields.Integer:
    """A whole number, or ``None``."""
    return fields.Integer(required=True, allow_none=True, metadata={"description": about})


def count_field(about: str) -> fields.Integer:
    """How many there are."""
    return fields.Integer(required=True, metadata={"description": about})


def flag_field(about: str) -> fields.Boolean:
    """Yes or no."""
    return fields.Boolean(required=True, metadata={"description": about})


def seconds_field(about: str) -> fields.Float:
    """Seconds, or ``None``."""
    return fields.Float(required=True, allow_none=True, metadata={"description": about})


def moment_field(about: str) -> fields.String:
    """A moment in UTC as ISO 8601, or ``None``."""
    return text_field(about, none=True, format="date-time")


def texts_field(about: str) -> fields.List[Any]:
    """Some texts."""
    return fields.List(fields.String(), required=True, metadata={"description": about})


def list_field(schema: type[Schema], about: str) -> fields.List[Any]:
    """Some objects of one shape."""
    return fields.List(fields.Nested(schema), required=True, metadata={"description": about})


def object_field(schema: type[Schema], about: str) -> fields.Nested:
    """One object."""
    return fields.Nested(schema, required=True, metadata={"description": about})
