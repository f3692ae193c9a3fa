"""Has a mail diagnosed: by the running service, or in this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from service.client import MAIL, Client, Refused, Unreachable
from service.errors import CallFailed

Answer = Mapping[str, Any]
"""A diagnosis as the service answers it; or, under ``problem``, why this mail can have none."""

Diagnose = Callable[[bytes], Answer]
"""Diagnoses a mail.

Raises:
    CallFailed: not now; later it may go.
"""

MOST_EVIDENCE_BYTES = 2 << 20
"""How much of a mail is looked at: reports begin with what went wrong, and the returned mail comes last."""

URL = "http://127.0.0.1:8080"
PROBLEM_PREFIX = "urn:ndr-triage:problem:"
NEVER = ("empty-evidence", "too-large", "unreadable-evidence")
"""Problems of the mail itself, which no later try cures."""


def by_service(client: Client, *, language: str | None = None, fields: Iterable[str] = ()) -> Diagnose:
    """Lets the service diagnose."""
    wanted = tuple(fields)

    def diagnose(raw: bytes) -> Answer:
        try:
            return client.classify(
                raw[:MOST_EVIDENCE_BYTES], language=language, fields=wanted, media_type=MAIL
            )
        except Unreachable as failure:
            raise CallFailed(str(failure), failure.retry_after_s) from failure
        except Refused as refusal:
            if str(refusal.problem.get("type")).removeprefix(PROBLEM_PREFIX) not in NEVER:
                raise CallFailed(str(refusal)) from refusal
            return {"problem": refusal.problem}

    return diagnose


def by_itself(*, language: str | None = None, fields: Iterable[str] = ()) -> Diagnose:
    """Diagnoses here, without a service; loads the rules and the classifier at once.

    Raises:
        SettingError: a setting has a value that is not allowed.
    """
    from model.errors import EvidenceError
    from model.types import Form
    from service.answer import answer_of
    from service.settings import Settings
    from service.wiring import build  # all these are slow to load, and a service has them loaded

    settings = Settings.read(os.environ)
    diagnoser = build(settings).diagnoser
    wanted = tuple(fields)

    def diagnose(raw: bytes) -> Answer:
        evidence = raw[:MOST_EVIDENCE_BYTES]
        try:
            found = diagnoser.diagnose(evidence, form=Form.MESSAGE, language=language or settings.language)
        except EvidenceError as error:
            return {"problem": {"type": PROBLEM_PREFIX + _name_of(error), "detail": str(error)}}
        return answer_of(found, wanted)

    return diagnose


def asker(
    *,
    local: bool,
    url: str | None = None,
    key_file: str | None = None,
    timeout_s: float = 30.0,
    retries: int = 2,
    language: str | None = None,
    fields: Iterable[str] = (),
) -> Diagnose:
    """Who diagnoses, as a command line and the environment say: ``NDR_URL``, ``NDR_KEY``, ``NDR_KEY_FILE``.

    Raises:
        ValueError: the address is none.
        OSError: the file with the key cannot be read.
        SettingError: a setting has a value that is not allowed.
    """
    if local:
        return by_itself(language=language, fields=fields)
    client = Client(url or os.environ.get("NDR_URL") or URL, key_in(key_file), timeout_s, retries)
    return by_service(client, language=language, fields=fields)


def key_in(file: str | None) -> str | None:
    """The key in a file, or else in the environment, if there is one.

    Raises:
        OSError: the file cannot be read.
    """
    name = file or os.environ.get("NDR_KEY_FILE")
    if not name:
        return os.environ.get("NDR_KEY") or None
    with open(name, encoding="ascii") as lines:  # noqa: PTH123  # this starts once for each mail
        return lines.readline().strip() or None


def _name_of(error: Exception) -> str:
    names = {"EmptyEvidence": "empty-evidence", "TooLarge": "too-large"}
    return names.get(type(error).__name__, "unreadable-evidence")
