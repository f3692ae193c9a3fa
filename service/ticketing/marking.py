"""Marks a mail with its diagnosis in header fields, for systems that sort mail by its headers."""

from __future__ import annotations

from model.types import Action, Form
from service.answer import answer_of
from service.gateways.headers import FIELDS, headers_of, with_headers
from service.ticketing.handling import Diagnoser


def marked(raw: bytes, diagnoser: Diagnoser) -> bytes:
    """A mail with ``X-NDR-*`` fields on top; forged ones are gone, all else is as it came.

    The advice to drop an address becomes ``review``: here nobody can say whether the mail that is said to
    have come back was ever sent.

    Raises:
        EvidenceError: the mail is empty or too large.
    """
    answer = answer_of(diagnoser.diagnose(raw, form=Form.MESSAGE), FIELDS.values())
    if answer["action"] == Action.SUPPRESS:
        answer["action"] = Action.REVIEW
    return with_headers(raw, headers_of(answer))
