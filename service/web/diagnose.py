"""``/v1/diagnose``: several pieces of evidence on one delivery in, one diagnosis with its way out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import structlog
from flask import Response, g, jsonify

from model.inquiry import Case
from service.answer import Answer
from service.case_answer import case_answer_of
from service.errors import OutOfTime
from service.path_svg import svg_of
from service.text_case import case_text_of
from service.web import errors
from service.web.bodies import read_inquiry
from service.web.case_schemas import CaseSchema
from service.web.description import LANGUAGE_PARAMETER, Blueprint
from service.web.negotiation import JSON, PLAIN, SVG, asked_language, asked_media_type, services
from service.web.requests import DiagnoseQuerySchema, DiagnoseSchema

blueprint = Blueprint("diagnose", __name__, url_prefix="/v1", description="Find where on the way it stopped.")

SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""A drawing that is opened by itself loads and runs nothing."""

_FILES: Answer = {
    "schema": {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {
                "type": "array",
                "items": {"type": "string", "contentMediaType": "application/octet-stream"},
            },
            "message_id": {"type": "string"},
            "recipient": {"type": "string"},
            "language": {"type": "string"},
        },
    }
}
_EXAMPLE: Answer = {
    "evidence": [
        {"type": "ndr", "name": "reply", "content": "454 4.7.0 Temporary authentication failure"},
        {
            "type": "postfix",
            "name": "mail.log",
            "content": "Nov  2 10:14:07 mx1 postfix/smtp[421]: 4Fz1Xq2Y: to=<user@example.com>, "
            "relay=mail.example.com[192.0.2.12]:25, delay=1, delays=0/0/1/0, dsn=4.7.0, status=deferred "
            "(host mail.example.com[192.0.2.12] said: 454 4.7.0 Temporary authentication failure)",
        },
    ],
    "language": "en",
}
_BODY = {
    "required": True,
    "content": {
        JSON: {"schema": DiagnoseSchema, "examples": {"a reply and a log": {"value": _EXAMPLE}}},
        "multipart/form-data": _FILES,
    },
}
_PROBLEMS = (
    *(errors.MALFORMED, errors.UNAUTHORIZED, errors.NOT_ACCEPTABLE, errors.TOO_LARGE, errors.UNSUPPORTED),
    *(errors.INVALID, errors.EMPTY, errors.UNREADABLE, errors.INTERNAL, errors.OUT_OF_TIME),
)
_HEADERS = {"Content-Language": {"description": "`en` or `zh`.", "schema": {"type": "string"}}}


@blueprint.operation(
    "/diagnose",
    method="POST",
    query=DiagnoseQuerySchema,
    answer=CaseSchema,
    alternatives=(PLAIN, SVG),
    example="worked_way",
    headers=_HEADERS,
    problems=_PROBLEMS,
    requestBody=_BODY,
    parameters=[LANGUAGE_PARAMETER],
)
def diagnose(query: Mapping[str, Any]) -> Response:
    """Join reports, logs, headers and events of one delivery: where did it stop, and what to ask for next.

    The pieces come as JSON, or as the files of a form, each of which is recognised. `Accept: text/plain`
    gives a report for people, `Accept: image/svg+xml` a drawing of the way.
    """
    media_type = asked_media_type(*WRITERS)
    inquiry = read_inquiry(services().settings.max_evidence_lines)
    language = query.get("language") or asked_language()
    case = inquiry.investigated_by(services(), language=language, watch=_check_time)
    return _response(case, media_type, query.get("fields_", ()))


def _check_time() -> None:
    limit_s = services().settings.request_timeout_s
    if perf_counter() - g.started >= limit_s:
        raise OutOfTime(
            f"The evidence could not be read within {limit_s} s; cut out the time around the mail."
        )


def _response(case: Case, media_type: str, fields: tuple[str, ...]) -> Response:
    diagnosis = case.diagnosis
    response = WRITERS[media_type](case, fields)
    structlog.contextvars.bind_contextvars(
        kind=diagnosis.kind, category=diagnosis.lead.verdict.category, pieces=len(case.readings)
    )
    response.content_language.add(diagnosis.language)
    response.vary.update(("Accept", "Accept-Language"))
    return response


def _json(case: Case, fields: tuple[str, ...]) -> Response:
    return jsonify(case_answer_of(case, fields))


def _text(case: Case, _fields: tuple[str, ...]) -> Response:
    return Response(case_text_of(case), content_type=f"{PLAIN}; charset=utf-8")


def _drawing(case: Case, _fields: tuple[str, ...]) -> Response:
    drawn = svg_of(case, case.diagnosis.language)
    policy = {"Content-Security-Policy": SVG_POLICY}
    return Response(drawn, headers=policy, content_type=f"{SVG}; charset=utf-8")


WRITERS: Mapping[str, Callable[[Case, tuple[str, ...]], Response]] = {
    JSON: _json,
    PLAIN: _text,
    SVG: _drawing,
}
"""The forms that the answer is given in; the first where the caller does not say."""
