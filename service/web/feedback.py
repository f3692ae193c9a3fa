"""``/v1/feedback``: takes corrections of answers."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict
from http import HTTPStatus

import structlog
from flask import Response, jsonify, request

from service.once import Once
from service.web import errors
from service.web.bodies import read_feedback
from service.web.description import Blueprint
from service.web.errors import InvalidQuery
from service.web.negotiation import JSON, asked_media_type, services
from service.web.requests import FeedbackSchema
from service.web.schemas import CorrectionSchema

blueprint = Blueprint("feedback", __name__, url_prefix="/v1", description="Say what was wrong.")

KEY_HEADER = "Idempotency-Key"
_KEY_PARAMETER = {
    "name": KEY_HEADER,
    "in": "header",
    "description": "A name for this request: sent again with it, the same body counts once.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "example": "ticket-4711",
}
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
    parameters=[_KEY_PARAMETER],
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
    correction = wired.feedback.add(draft, _once(body))
    structlog.contextvars.bind_contextvars(category=correction.correct_category)
    kept = asdict(correction)
    response = jsonify({name: kept[name] for name in _SHOWN})
    response.status_code = HTTPStatus.CREATED
    return response


def _once(body: str) -> Once | None:
    """The caller's key with a digest of the body, when the header names one.

    Raises:
        InvalidQuery: it is empty, too long, or not printable ASCII.
    """
    key = request.headers.get(KEY_HEADER)
    if key is None:
        return None
    if not re.fullmatch(r"[\x20-\x7e]{1,255}", key):
        raise InvalidQuery({KEY_HEADER: ["1 to 255 printable ASCII characters are allowed."]})
    return Once(hashlib.sha256(key.encode()).hexdigest(), body)
