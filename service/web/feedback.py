"""``/v1/feedback``: takes corrections of answers."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus

import structlog
from flask import Response, jsonify

from service.once import Once
from service.web import errors
from service.web.bodies import read_feedback
from service.web.description import Blueprint
from service.web.idempotency import KEY_PARAMETER, key_digest
from service.web.negotiation import JSON, asked_media_type, services
from service.web.requests import FeedbackSchema
from service.web.schemas import CorrectionSchema

blueprint = Blueprint("feedback", __name__, url_prefix="/v1", description="Say what was wrong.")

_EXAMPLES = {
    "a reply": {
        "value": {
            "text": "550 5.7.1 <user@example.com>: the parcel desk is closed for strangers",
            "correct_category": "recipient_restricted",
            "correct_permanence": "permanent",
            "note": "The list takes mail from members only.",
        }
    }
}
_PROBLEMS = (
    *(errors.MALFORMED, errors.UNAUTHORIZED, errors.NOT_ACCEPTABLE, errors.TOO_LARGE, errors.UNSUPPORTED),
    *(errors.INVALID, errors.EMPTY, errors.UNREADABLE, errors.NOTHING_TO_LEARN, errors.KEY_REUSED),
    *(errors.INTERNAL, errors.STORE_UNAVAILABLE),
)
_SHOWN = tuple(CorrectionSchema().fields)


@blueprint.operation(
    "/feedback",
    method="POST",
    answer=CorrectionSchema,
    status=HTTPStatus.CREATED,
    problems=_PROBLEMS,
    requestBody={"required": True, "content": {JSON: {"schema": FeedbackSchema, "examples": _EXAMPLES}}},
    parameters=[KEY_PARAMETER],
)
def feedback() -> Response:
    """Correct an answer, for somebody to review and the classifier to learn.

    Only the words of the reply are kept, without addresses, hosts and IP addresses. The same correction
    again is counted and not kept twice.
    """
    asked_media_type(JSON)
    given, body = read_feedback()
    wired = services()
    draft = given.drafted_by(wired.diagnoser, language=wired.settings.language)
    key = key_digest()
    correction = wired.feedback.add(draft, None if key is None else Once(key, body))
    structlog.contextvars.bind_contextvars(category=correction.correct_category)
    kept = asdict(correction)
    response = jsonify({name: kept[name] for name in _SHOWN})
    response.status_code = HTTPStatus.CREATED
    return response
