"""Readers of evidence, one module a format; the first that claims the bytes reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from model.parse import ndr_email, outlook_msg, pasted_text
from model.types import Form, Report


class Parser(NamedTuple):
    """One format: its name, whether it claims some bytes, and how it reads them."""

    name: str
    claims: Callable[[bytes, Form], bool]
    parse: Callable[[bytes], Report]


PARSERS = (
    Parser("outlook_msg", outlook_msg.claims, outlook_msg.parse),
    Parser("ndr_email", ndr_email.claims, ndr_email.parse),
    Parser("pasted_text", pasted_text.claims, pasted_text.parse),
)
"""All formats, the pickiest first; the last one takes everything."""


def parse(raw: bytes, form: Form = Form.AUTO) -> Report:
    """The report in some bytes.

    Raises:
        EvidenceError: the bytes are not what ``form`` says.
    """
    parser = next(parser for parser in PARSERS if parser.claims(raw, form))
    return parser.parse(raw)
