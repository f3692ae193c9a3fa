"""Turns a diagnosis into the answer that callers get: plain values, ready for JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from model.errors import UnknownName
from model.taxonomy import taxonomy
from model.types import (
    Candidate,
    Cause,
    Diagnosis,
    Evidence,
    Hop,
    RecipientDiagnosis,
    Reply,
    Route,
    Unwrapped,
)

Answer = dict[str, Any]
"""An object of the answer, in the order in which it is shown."""


def answer_of(diagnosis: Diagnosis, fields: Iterable[str] = ()) -> Answer:
    """The answer for one diagnosis.

    Args:
        diagnosis: what the core found.
        fields: the names to keep; none means all.

    Raises:
        UnknownName: no field has that name.
    """
    return trimmed(_answer_of(diagnosis), fields)


def trimmed(answer: Answer, fields: Iterable[str]) -> Answer:
    """An answer with the fields of some names, in its own order; with all of them where none is named.

    Raises:
        UnknownName: no field has that name.
    """
    kept = frozenset(fields) or answer.keys()
    for name in sorted(kept - answer.keys()):
        raise UnknownName("field", name)
    return {name: value for name, value in answer.items() if name in kept}


def _answer_of(diagnosis: Diagnosis) -> Answer:
    return {
        "id": diagnosis.id,
        "kind": diagnosis.kind,
        **_findings(diagnosis.lead),
        "recipients": [_recipient(each) for each in diagnosis.recipients],
        "reporting_mta": diagnosis.report.reporting_mta,
        "original_message_id": diagnosis.report.original_message_id,
        "route": _route(diagnosis.route),
        "language": diagnosis.language,
        "taxonomy_version": diagnosis.taxonomy_version,
        "rules_version": diagnosis.rules_version,
        "model_version": diagnosis.model_version,
        "warnings": list(diagnosis.warnings),
    }


def _recipient(recipient: RecipientDiagnosis) -> Answer:
    return {
        "address": recipient.address,
        "original_address": recipient.original_address,
        **_findings(recipient),
    }


def _findings(recipient: RecipientDiagnosis) -> Answer:
    verdict, unwrapped = recipient.verdict, recipient.unwrapped
    return {
        "category": verdict.category,
        "confidence": _rounded(verdict.confidence),
        "permanence": verdict.permanence,
        "action": verdict.action,
        "retry_after_s": unwrapped.retry_after_s,
        "fix_owner": verdict.fix_owner,
        "stage": verdict.stage,
        "title": recipient.advice.title,
        "summary": recipient.advice.summary,
        "causes": [cause_answer(cause) for cause in recipient.advice.causes],
        "evidence": [_evidence(each) for each in verdict.evidence],
        "text": unwrapped.text,
        "codes": _codes(unwrapped),
        "provider": recipient.provider,
        "remote_mta": recipient.remote_mta,
        "block_lists": list(unwrapped.block_lists),
        "links": list(unwrapped.links),
        "alternatives": [_candidate(each) for each in verdict.alternatives],
        "mappings": dict(taxonomy()[verdict.category].mappings),
        "decided_by": verdict.decided_by,
    }


def cause_answer(cause: Cause) -> Answer:
    """One cause, as it stands in an answer and in the dictionary."""
    return {
        "id": cause.id,
        "title": cause.title,
        "explanation": cause.explanation,
        "likelihood": _rounded(cause.likelihood),
        "fix_owner": cause.fix_owner,
        "evidence": list(cause.evidence),
        "checks": list(cause.checks),
        "fixes": list(cause.fixes),
        "links": list(cause.links),
    }


def _evidence(evidence: Evidence) -> Answer:
    return {
        "source": evidence.source,
        "rule_id": evidence.rule_id,
        "quote": evidence.quote,
        "start": evidence.start,
        "end": evidence.end,
        "weight": _rounded(evidence.weight),
    }


def _codes(unwrapped: Unwrapped) -> Answer:
    innermost = unwrapped.innermost if unwrapped.chain else Reply("")
    return {
        "smtp": innermost.smtp,
        "enhanced": innermost.enhanced,
        "chain": [_reply(reply) for reply in unwrapped.chain],
    }


def _reply(reply: Reply) -> Answer:
    return {"smtp": reply.smtp, "enhanced": reply.enhanced, "text": reply.text}


def _candidate(candidate: Candidate) -> Answer:
    return {"category": candidate.category, "confidence": _rounded(candidate.confidence)}


def _route(route: Route) -> Answer:
    return {
        "hops": [_hop(hop) for hop in route.hops],
        "max_delay_s": route.max_delay_s,
        "clock_skew_s": route.clock_skew_s,
    }


def _hop(hop: Hop) -> Answer:
    return {"by": hop.by, "from": hop.sender, "protocol": hop.protocol, "at": hop.at, "delay_s": hop.delay_s}


def _rounded(share: float) -> float:
    """A share from 0 to 1 with the four decimals that anybody reads."""
    return round(share, 4)
