"""Every error as RFC 9457 problem JSON: one table says which exception is which problem."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from flask import Flask, Response
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.routing import RequestRedirect

from model.errors import EmptyEvidence, EvidenceError, TooLarge, UnknownName
from service.errors import (
    BadCorrection,
    Busy,
    JobRefused,
    KeyReused,
    NoResults,
    NotReady,
    OutOfTime,
    StillRunning,
    StoreUnavailable,
    UnreadableArchive,
    UnreadablePiece,
)
from service.logs import places_of
from service.ticketing.errors import BadEvent, BadSignature

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:ndr-triage:problem:"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of problem: its stable name, its status, and its words."""

    name: str
    status: int
    title: str
    meaning: str

    @property
    def uri(self) -> str:
        """The value of ``type``."""
        return TYPE_PREFIX + self.name


class InvalidQuery(ValidationError):
    """A query parameter is wrong."""


MALFORMED = ProblemType(
    "malformed-request",
    400,
    "The request cannot be read",
    "The body is not the JSON it claims to be, or broke off.",
)
UNAUTHORIZED = ProblemType(
    "unauthorized", 401, "A key is needed", "Send one of the service's keys as `Authorization: Bearer …`."
)
NOT_FOUND = ProblemType(
    "not-found", 404, "There is no such thing", "The path, or the name in it, is not known."
)
METHOD_NOT_ALLOWED = ProblemType(
    "method-not-allowed", 405, "The method does not fit", "The header `Allow` names the methods that do."
)
NOT_ACCEPTABLE = ProblemType(
    "not-acceptable",
    406,
    "The answer is not given in that form",
    "The detail names the media types that are given.",
)
TOO_LARGE = ProblemType(
    "too-large",
    413,
    "The body is too large",
    "The limits are the settings `NDR_MAX_BODY_BYTES`, `NDR_MAX_ARCHIVE_BYTES`, and that of one message.",
)
UNSUPPORTED = ProblemType(
    "unsupported-media-type", 415, "The body's type is not read here", "The detail names the types that are."
)
INVALID = ProblemType(
    "invalid-request",
    422,
    "The request is not valid",
    "`errors` names each field or parameter and what is allowed.",
)
EMPTY = ProblemType(
    "empty-evidence", 422, "There is nothing to diagnose", "The body, or the text in it, is empty."
)
UNREADABLE = ProblemType(
    "unreadable-evidence", 422, "The evidence cannot be read", "It is not what its type or field says it is."
)
NOTHING_TO_LEARN = ProblemType(
    "nothing-to-learn", 422, "There is nothing to learn from", "The evidence holds no words of a server."
)
KEY_REUSED = ProblemType(
    "idempotency-key-reused",
    422,
    "The key belongs to another request",
    "An `Idempotency-Key` stands for one body; a new body needs a new key.",
)
STILL_RUNNING = ProblemType(
    "still-running", 409, "The job has not ended", "Cancel it first, and wait until it has ended."
)
NO_RESULTS = ProblemType(
    "no-results",
    409,
    "The job has no results",
    "It has not succeeded, or not yet; `/results?partial=true` gives the rows that there are.",
)
INTERNAL = ProblemType(
    "internal-error",
    500,
    "Something went wrong here",
    "Not your fault; the log has more under the request id.",
)
NOT_READY = ProblemType(
    "not-ready", 503, "The service is not ready", "Its self-test does not come out right; send it no work."
)
OUT_OF_TIME = ProblemType(
    "out-of-time",
    503,
    "The time ran out",
    "An item of a batch was not reached, or several pieces of evidence were not read, within "
    "`NDR_REQUEST_TIMEOUT_S`.",
)
BUSY = ProblemType(
    "busy",
    503,
    "Too many long transfers",
    "Uploads, downloads and streamed batches may take all places but one of `NDR_THREADS`; try again.",
)
STORE_UNAVAILABLE = ProblemType(
    "store-unavailable",
    503,
    "The place for it cannot be used",
    "The folder of `NDR_DATA_DIR`, or what `NDR_DATABASE_URL` or `NDR_ARCHIVE_DIR` names, is full or cannot "
    "be read or written, so corrections or jobs cannot be kept; everything else works.",
)

PROBLEM_TYPES = (
    MALFORMED,
    UNAUTHORIZED,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    NOT_ACCEPTABLE,
    TOO_LARGE,
    UNSUPPORTED,
    INVALID,
    EMPTY,
    UNREADABLE,
    NOTHING_TO_LEARN,
    KEY_REUSED,
    STILL_RUNNING,
    NO_RESULTS,
    INTERNAL,
    NOT_READY,
    OUT_OF_TIME,
    BUSY,
    STORE_UNAVAILABLE,
)

BY_EXCEPTION: tuple[tuple[type[Exception], ProblemType], ...] = (
    (ValidationError, INVALID),
    (orjson.JSONDecodeError, MALFORMED),
    (EmptyEvidence, EMPTY),
    (TooLarge, TOO_LARGE),
    (EvidenceError, UNREADABLE),
    (UnknownName, NOT_FOUND),
    (BadSignature, UNAUTHORIZED),
    (BadEvent, MALFORMED),
    (NotReady, NOT_READY),
    (OutOfTime, OUT_OF_TIME),
    (Busy, BUSY),
    (BadCorrection, NOTHING_TO_LEARN),
    (KeyReused, KEY_REUSED),
    (StillRunning, STILL_RUNNING),
    (NoResults, NO_RESULTS),
    (UnreadableArchive, UNREADABLE),
    (JobRefused, UNREADABLE),
    (StoreUnavailable, STORE_UNAVAILABLE),
)
"""The first row that fits decides; what fits none, and is no error of HTTP's own, is an internal error."""

BY_STATUS = {
    kind.status: kind
    for kind in (
        *(MALFORMED, UNAUTHORIZED, NOT_FOUND, METHOD_NOT_ALLOWED, NOT_ACCEPTABLE),
        *(TOO_LARGE, UNSUPPORTED, INTERNAL),
    )
}
"""The problems that errors of HTTP's own are; any other status has the type ``about:blank``."""

Problem = dict[str, Any]


def register(app: Flask) -> None:
    """Makes an application answer every exception with a problem."""
    app.register_error_handler(Exception, _answer)


def problem_of(error: Exception, *, at: tuple[str, ...] = ()) -> Problem:
    """The problem that an exception is; one that nobody expected is logged and says nothing of the inside.

    Args:
        error: what was raised.
        at: the way from the top of the body to the part that was at fault.
    """
    if isinstance(error, HTTPException):
        return _http_problem(error)
    if isinstance(error, UnreadablePiece):
        place = (*at, "evidence", str(error.number), "content")
        return {**problem_of(error.reason), "errors": [_located(str(error.reason), place)]}
    kind = next((kind for exception, kind in BY_EXCEPTION if isinstance(error, exception)), INTERNAL)
    if kind is INTERNAL:
        structlog.get_logger().error("unhandled", error=type(error).__name__, places=places_of(error))
        return _problem(kind, kind.meaning)
    if isinstance(error, ValidationError):
        return {**_problem(kind, "Some of what was sent is not allowed."), "errors": list(_errors(error, at))}
    return _problem(kind, str(error))


def _problem(kind: ProblemType, detail: str) -> Problem:
    problem = {"type": kind.uri, "title": kind.title, "status": kind.status, "detail": detail}
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    return {**problem, "request_id": request_id} if request_id else problem


def _http_problem(error: HTTPException) -> Problem:
    status = HTTPStatus(error.code or INTERNAL.status)
    if status in BY_STATUS:
        kind = BY_STATUS[status]
        is_our_word = status < INTERNAL.status and error.description != type(error).description
        return _problem(kind, str(error.description) if is_our_word else kind.meaning)
    problem = _problem(INTERNAL, status.description or status.phrase)
    return problem | {"type": "about:blank", "title": status.phrase, "status": status}


def _answer(error: Exception) -> Response | RequestRedirect:
    if isinstance(error, RequestRedirect):
        return error
    problem = problem_of(error)
    response = Response(orjson.dumps(problem), status=problem["status"])
    if isinstance(error, HTTPException) and not isinstance(error, InternalServerError):
        response.headers.extend(error.get_headers())
    response.headers["Content-Type"] = MEDIA_TYPE
    return response


def _errors(error: ValidationError, at: tuple[str, ...]) -> Iterator[dict[str, str]]:
    for path, detail in _leaves(error.messages, at):
        if isinstance(error, InvalidQuery):
            yield {"detail": detail, "parameter": path[0] if path else ""}
        else:
            yield _located(detail, path)


def _located(detail: str, path: tuple[str, ...]) -> dict[str, str]:
    return {"detail": detail, "pointer": _pointer(path)}


def _leaves(messages: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:  # noqa: ANN401
    """Each message with the way to it; marshmallow nests dictionaries and ends in lists."""
    if isinstance(messages, dict):
        for name, inner in messages.items():
            yield from _leaves(inner, path if name == "_schema" else (*path, str(name)))
    else:
        for detail in messages:
            yield path, str(detail)


def _pointer(path: tuple[str, ...]) -> str:
    """A JSON pointer as a URI fragment.

    >>> _pointer(("items", "3", "a/b"))
    '#/items/3/a~1b'
    """
    return "#" + "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in path)
