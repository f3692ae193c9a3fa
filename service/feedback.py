"""Corrections of answers: what is kept of one, where it is kept, and how it travels as a line of JSON.

Kept are the canonical words, the features that the classifier reads, and what the answer was; no address,
no host, no IP address, and nothing of the rest of a mail.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Protocol

import orjson

from model.features import MAX_WORDS, features_of
from model.normalise import canonical
from model.providers import providers
from model.taxonomy import taxonomy
from model.types import Diagnosis, Permanence
from service.anonymise import MAX_NOTE_CHARS, masked_reply, names_in, points_to_somebody, safe_note
from service.errors import BadCorrection
from service.once import Once

ID_CHARS = 16


class Status(StrEnum):
    """What a reviewer said of a correction; training reads the accepted ones only."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Draft:
    """A correction as it was handed in, before it is kept."""

    canonical: str
    features: tuple[str, ...]
    correct_category: str
    answered_category: str
    rules_version: str
    correct_permanence: Permanence | None = None
    note: str = ""
    result_id: str | None = None
    model_version: str | None = None

    @property
    def id(self) -> str:
        """A digest of what is said of what: the same correction has the same id everywhere."""
        said = [self.canonical, self.features, self.correct_category, self.correct_permanence]
        return hashlib.sha256(orjson.dumps(said)).hexdigest()[:ID_CHARS]


@dataclass(frozen=True, slots=True)
class Correction:
    """A correction that is kept; ``count`` says how often it was handed in, times are ISO 8601 in UTC."""

    id: str
    status: Status
    canonical: str
    features: tuple[str, ...]
    correct_category: str
    answered_category: str
    rules_version: str
    correct_permanence: Permanence | None
    note: str
    result_id: str | None
    model_version: str | None
    count: int
    created_at: str


class FeedbackStore(Protocol):
    """What the shell needs of a place for corrections.

    Each method raises ``StoreUnavailable`` when the place cannot be read or written.
    """

    def add(self, draft: Draft, once: Once | None = None) -> Correction:
        """Keeps a correction, or counts it up; with the key of an earlier request gives its answer again.

        Raises:
            KeyReused: the key came with another body before.
        """

    def listed(self, status: Status | None = None) -> tuple[Correction, ...]:
        """All corrections, or those of one status, oldest first."""

    def review(self, correction_id: str, status: Status, category: str | None = None) -> Correction:
        """Settles a correction, perhaps for another category.

        Raises:
            UnknownName: there is no such correction.
        """

    def take(self, correction: Correction) -> bool:
        """Takes a correction from elsewhere; a settled one settles a pending one.

        Returns:
            Whether that changed anything here.
        """


def draft_of(
    diagnosis: Diagnosis,
    category: str,
    *,
    permanence: Permanence | None = None,
    note: str = "",
    result_id: str | None = None,
) -> Draft:
    """What to keep of a correction.

    Args:
        diagnosis: the answer that was wrong.
        category: the right category.
        permanence: whether the same mail would pass later, when the caller says so.
        note: the caller's words; they are masked when they point to somebody.
        result_id: the id of the answer, as the caller has it.

    Raises:
        BadCorrection: the evidence holds no words to learn from.
    """
    reply = masked_reply(diagnosis)
    words = canonical(reply.text).split()[:MAX_WORDS]
    if not words:
        raise BadCorrection("There are no words in it to learn from.")
    return Draft(
        canonical=" ".join(words),
        features=features_of(reply, _parties(diagnosis)),
        correct_category=category,
        answered_category=diagnosis.lead.verdict.category,
        rules_version=diagnosis.rules_version,
        correct_permanence=permanence,
        note=safe_note(note, names_in(diagnosis)),
        result_id=result_id,
        model_version=diagnosis.model_version,
    )


def kept(draft: Draft, *, at: str) -> Correction:
    """A draft as a pending correction of that time."""
    said = {each.name: getattr(draft, each.name) for each in fields(draft)}
    return Correction(id=draft.id, status=Status.PENDING, count=1, created_at=at, **said)


def line_of(correction: Correction) -> bytes:
    """A correction as one line of JSON."""
    return orjson.dumps(asdict(correction)) + b"\n"


def corrections_in(lines: bytes, name: str) -> Iterator[Correction]:
    """The corrections in lines of JSON from elsewhere.

    Raises:
        BadCorrection: a line is wrong, or a text points to somebody; tells the file, the line and the reason.
    """
    for number, line in enumerate(lines.splitlines(), start=1):
        if line.strip():
            try:
                yield _checked(correction_of(orjson.loads(line)))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                reason = f"{error} is missing" if isinstance(error, KeyError) else error
                raise BadCorrection(f"{name}: line {number}: {reason}") from error


def correction_of(entry: Mapping[str, Any]) -> Correction:
    """A correction from its plain values.

    Raises:
        ValueError: a status or a permanence is none.
        TypeError, KeyError: a value is missing or unknown.
    """
    permanence = entry["correct_permanence"]
    typed = {
        "status": Status(entry["status"]),
        "features": tuple(entry["features"]),
        "correct_permanence": None if permanence is None else Permanence(permanence),
    }
    return Correction(**{**entry, **typed})


def _checked(correction: Correction) -> Correction:
    _check_types(correction)
    for category in (correction.correct_category, correction.answered_category):
        if category not in taxonomy().names:
            raise ValueError(f"category {category!r} is not one of {', '.join(taxonomy().names)}")
    if any(map(points_to_somebody, (correction.canonical, correction.note, *correction.features))):
        raise ValueError("a text holds an address, a host, an IP address or a link")
    return correction


def _check_types(correction: Correction) -> None:
    texts = [*correction.features, correction.id, correction.canonical, correction.note]
    texts += [correction.rules_version, correction.created_at]
    texts += [text for text in (correction.result_id, correction.model_version) if text is not None]
    if not all(isinstance(text, str) and text.isprintable() for text in texts):
        raise TypeError("a text is not a string of printable characters")
    if isinstance(correction.count, bool) or not isinstance(correction.count, int) or correction.count < 1:
        raise TypeError("count is not a whole number from 1 on")
    if len(correction.note) > MAX_NOTE_CHARS:
        raise ValueError(f"note has {len(correction.note)} characters; {MAX_NOTE_CHARS} are allowed")


def _parties(diagnosis: Diagnosis) -> frozenset[str]:
    """The providers and programs that took part, as far as the answer tells."""
    lead, report = diagnosis.lead, diagnosis.report
    hosts = (lead.remote_mta, lead.unwrapped.remote_host, report.reporting_mta, _domain(lead.address))
    named = {report.software, lead.provider, *(providers().of_host(host) for host in hosts)}
    return frozenset(filter(None, named)) | providers().of_text(lead.unwrapped.text)


def _domain(address: str | None) -> str | None:
    return address.rpartition("@")[2] if address and "@" in address else None
