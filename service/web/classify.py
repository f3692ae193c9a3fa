"""``/v1/classify``: evidence in, diagnosis out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from flask import Response, jsonify

from model.types import Diagnosis
from service.answer import Answer, answer_of
from service.text_answer import text_of
from service.web import errors
from service.web.bodies import FORMS, read_submission
from service.web.description import LANGUAGE_PARAMETER, Blueprint
from service.web.negotiation import JSON, PLAIN, asked_language, asked_media_type, services
from service.web.requests import ClassifyQuerySchema, ClassifySchema
from service.web.schemas import AnswerSchema

blueprint = Blueprint("classify", __name__, url_prefix="/v1", description="Diagnose what came back.")

_BINARY: Answer = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
_UPLOAD = {
    "schema": {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {"type": "string", "contentMediaType": "application/octet-stream"},
            "language": {"type": "string"},
        },
    }
}
_JSON_EXAMPLES = {
    "a reply": {"value": {"text": "550 5.1.1 <user@example.com>: Recipient address rejected: User unknown"}},
    "a mail": {"value": {"message": "RnJvbTogLi4u", "encoding": "base64", "language": "zh"}},
}
_BODY = {
    "required": True,
    "content": {
        JSON: {"schema": ClassifySchema, "examples": _JSON_EXAMPLES},
        "multipart/form-data": _UPLOAD,
        **{media_type: _BINARY for media_type in FORMS if media_type},
        PLAIN: {"schema": {"type": "string"}, "example": "550 5.1.1 User unknown"},
    },
}
_ALWAYS = (errors.MALFORMED, errors.UNAUTHORIZED, errors.NOT_ACCEPTABLE, errors.TOO_LARGE, errors.UNSUPPORTED)
_HEADERS = {
    "ETag": {"description": "The id of the result.", "schema": {"type": "string"}},
    "Content-Language": {"description": "`en` or `zh`.", "schema": {"type": "string"}},
}


@blueprint.operation(
    "/classify",
    method="POST",
    query=ClassifyQuerySchema,
    answer=AnswerSchema,
    alternatives=(PLAIN,),
    example="worked_case",
    headers=_HEADERS,
    problems=(*_ALWAYS, errors.INVALID, errors.EMPTY, errors.UNREADABLE, errors.INTERNAL),
    requestBody=_BODY,
    parameters=[LANGUAGE_PARAMETER],
)
def classify(query: Mapping[str, Any]) -> Response:
    """Diagnose one report, reply or text.

    The body is the evidence itself, with its media type, or JSON around it. `Accept: text/plain` gives a
    short answer for people.
    """
    submission = read_submission()
    media_type = asked_media_type(JSON, PLAIN)
    diagnosis = submission.diagnosed_by(services().announced, language=asked_language())
    return _response(diagnosis, media_type, query.get("fields_", ()))


def _response(diagnosis: Diagnosis, media_type: str, fields: tuple[str, ...]) -> Response:
    if media_type == PLAIN:
        response = Response(text_of(diagnosis), content_type="text/plain; charset=utf-8")
    else:
        response = jsonify(answer_of(diagnosis, fields))
    structlog.contextvars.bind_contextvars(kind=diagnosis.kind, category=diagnosis.lead.verdict.category)
    response.set_etag(diagnosis.id)
    response.content_language.add(diagnosis.language)
    response.vary.update(("Accept", "Accept-Language"))
    return response
