"""Decides what to do to a ticket on a diagnosis: which tags, whether a note, where to."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from model.normalise import canonical
from model.types import Action, Diagnosis, Kind, RecipientDiagnosis
from service.text_answer import labels, text_of
from service.ticketing.nouns import Change, Note, Origin, Routing, System, Tags

MOST_TITLE_CHARS = 200
MOST_BODY_CHARS = 20_000
SENT_BACK = (Kind.BOUNCE, Kind.COMPLAINT)
"""Kinds that may move a ticket; a delay or a holiday changes nothing but tags."""


def cautious(diagnosis: Diagnosis) -> Diagnosis:
    """The same, without the advice to drop an address: for a report on a mail that nobody knows.

    Anybody can write such a report, and would have his way with the addresses of others.
    """
    return replace(
        diagnosis,
        lead=_cautious(diagnosis.lead),
        recipients=tuple(_cautious(each) for each in diagnosis.recipients),
    )


def tags_of(diagnosis: Diagnosis, routing: Routing) -> Tags:
    """The tags for a diagnosis."""
    verdict = diagnosis.lead.verdict
    return Tags(
        kind=diagnosis.kind,
        category=verdict.category,
        permanence=verdict.permanence,
        action=verdict.action,
        fix_owner=verdict.fix_owner,
        stage=verdict.stage,
        confidence=verdict.confidence,
        extra=routing.tags,
    )


def note_of(diagnosis: Diagnosis, *, result_id: str, link: str, is_known: bool) -> Note:
    """The note on a diagnosis.

    Args:
        diagnosis: in the language of the system.
        result_id: what the note is marked with.
        link: where all of the diagnosis can be read; empty: nowhere.
        is_known: whether the report refers to a mail of this system.
    """
    lead, words = diagnosis.lead, labels(diagnosis.language)
    is_told = not is_known and words.has("label", "not_ours")
    body = (f"{words.of('label', 'not_ours')}\n\n" if is_told else "") + text_of(diagnosis)
    return Note(lead.advice.title[:MOST_TITLE_CHARS], body[:MOST_BODY_CHARS], result_id, link)


def change_of(diagnosis: Diagnosis, system: System, note: Note | None, origin: Origin | None) -> Change:
    """What to do to a ticket.

    Args:
        diagnosis: made cautious before, where it has to be.
        system: whose wishes count.
        note: the note, if there is to be one.
        origin: the ticket whose mail came back. Where no id shows that, the user's own tags, which may set
            something off, stay away, and nothing is merged.
    """
    is_known = origin is not None and origin.by_id
    routing = system.categories.get(diagnosis.lead.verdict.category, Routing())
    tags = tags_of(diagnosis, routing if is_known else Routing())
    if diagnosis.kind not in SENT_BACK:
        return Change(tags)
    merge_into = origin.ticket if origin and is_known and system.merge else ""
    return Change(tags, note, routing.queue, routing.priority, merge_into)


def likeness_of(diagnosis: Diagnosis) -> str:
    """What two bounces have in common that tell the same: kind, category, and who did not get it."""
    named = sorted({(each.address or "").lower() for each in diagnosis.recipients} - {""})
    about = named or [canonical(diagnosis.lead.unwrapped.text)]
    words = (diagnosis.kind, diagnosis.lead.verdict.category, *about)
    return sha256("\n".join(words).encode("utf-8", "replace")).hexdigest()[:32]


def _cautious(recipient: RecipientDiagnosis) -> RecipientDiagnosis:
    if recipient.verdict.action is not Action.SUPPRESS:
        return recipient
    return replace(recipient, verdict=replace(recipient.verdict, action=Action.REVIEW))
