"""What an event tells of a diagnosis: the verdict and whom it is about, none of the mail's words."""

from __future__ import annotations

from model.types import Diagnosis, RecipientDiagnosis, Reply, Unwrapped
from service.answer import Answer

MOST_RECIPIENTS = 50
MOST_ADDRESS_CHARS = 320
"""No address that a mail can go to is longer; a longer one is not told."""

MOST_ID_CHARS = 998
"""No line of a mail, and so no Message-ID, is longer."""


def event_data_of(diagnosis: Diagnosis) -> Answer:
    """What is told of a diagnosis; each field is named and filled as in the answer."""
    lead = diagnosis.lead
    return {
        "id": diagnosis.id,
        "kind": diagnosis.kind,
        **_verdict(lead),
        "title": lead.advice.title,
        "recipients": [_recipient(each) for each in diagnosis.recipients[:MOST_RECIPIENTS]],
        "recipients_total": len(diagnosis.recipients),
        "original_message_id": _told(diagnosis.report.original_message_id, MOST_ID_CHARS),
        "language": diagnosis.language,
        "taxonomy_version": diagnosis.taxonomy_version,
        "rules_version": diagnosis.rules_version,
        "model_version": diagnosis.model_version,
    }


def _recipient(recipient: RecipientDiagnosis) -> Answer:
    return {
        "address": _told(recipient.address),
        "original_address": _told(recipient.original_address),
        **_verdict(recipient),
    }


def _verdict(recipient: RecipientDiagnosis) -> Answer:
    verdict, unwrapped = recipient.verdict, recipient.unwrapped
    return {
        "category": verdict.category,
        "confidence": round(verdict.confidence, 4),
        "permanence": verdict.permanence,
        "action": verdict.action,
        "retry_after_s": unwrapped.retry_after_s,
        "fix_owner": verdict.fix_owner,
        "stage": verdict.stage,
        "codes": _codes(unwrapped),
        "provider": recipient.provider,
        "decided_by": verdict.decided_by,
    }


def _codes(unwrapped: Unwrapped) -> Answer:
    reply = unwrapped.innermost if unwrapped.chain else Reply("")
    return {"smtp": reply.smtp, "enhanced": reply.enhanced}


def _told(name: str | None, most_chars: int = MOST_ADDRESS_CHARS) -> str | None:
    return name if name and len(name) <= most_chars else None
