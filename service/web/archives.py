"""``/v1/archives``: takes archives as jobs, tells how far they are, stops and deletes them."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from flask import Response, jsonify, request
from marshmallow import ValidationError

from service.allowance import allow_time
from service.answer import Answer
from service.archive_jobs import ArchiveJobs, Request, UnreadableAddress, check_id
from service.triage.orders import Order
from service.web import errors
from service.web.archive_requests import AddressesSchema, JobsQuerySchema, UploadQuerySchema
from service.web.archive_schemas import JobSchema, JobsSchema, job_answer, place_of, seconds_left
from service.web.bodies import read_json
from service.web.description import Blueprint
from service.web.errors import InvalidQuery
from service.web.idempotency import KEY_PARAMETER, key_digest
from service.web.negotiation import JSON, asked_media_type, services
from service.web.uploads import FORM, write_upload

blueprint = Blueprint(
    "archives", __name__, url_prefix="/v1", description="Triage whole archives in the background."
)

LEAST_WAIT_S, LONGEST_WAIT_S = 1, 30
_BINARY: Answer = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
_FORM: Answer = {
    "schema": {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "contentMediaType": "application/octet-stream"}},
    }
}
_EXAMPLE = {"addresses": ["/var/archive/bounces.mbox.gz"], "name": "outage of November"}
_BODY = {
    "required": True,
    "content": {
        "application/octet-stream": _BINARY,
        FORM: _FORM,
        JSON: {"schema": AddressesSchema, "examples": {"on the server": {"value": _EXAMPLE}}},
    },
}
_HEADERS: Answer = {
    "Retry-After": {"description": "Seconds after which to ask again.", "schema": {"type": "integer"}}
}
_LOCATION: Answer = {"Location": {"description": "The job.", "schema": {"type": "string"}}}
_ASKED = (errors.UNAUTHORIZED, errors.NOT_ACCEPTABLE, errors.INTERNAL, errors.STORE_UNAVAILABLE)
_NAMED = (*_ASKED, errors.NOT_FOUND)
_LISTING = (*_ASKED, errors.INVALID)
_TAKEN = (
    *(*_ASKED, errors.MALFORMED, errors.TOO_LARGE, errors.UNSUPPORTED),
    *(errors.INVALID, errors.UNREADABLE, errors.KEY_REUSED, errors.BUSY),
)


@blueprint.operation(
    "/archives",
    method="POST",
    query=UploadQuerySchema,
    answer=JobSchema,
    status=HTTPStatus.ACCEPTED,
    headers=_LOCATION | _HEADERS,
    problems=_TAKEN,
    requestBody=_BODY,
    parameters=[KEY_PARAMETER],
)
def submit(said: Request) -> Response:
    """Hand in an archive to be triaged in the background.

    The body is the archive itself, of any media type and packed or not: mbox, zip, tar, NDJSON, a table, an
    Outlook data file, a log. Or it is a form with one file, or JSON with addresses of archives that the
    service can read. It is looked at before it is taken: what is empty or no archive is refused at once.
    """
    asked_media_type(JSON)
    key, settings = key_digest(), services().settings
    allow_time(request.environ, settings.upload_timeout_s)
    if request.mimetype == JSON:
        order, is_new = _named_archives(key)
    else:
        order, is_new = jobs().take_upload(
            said, key, lambda upload: write_upload(upload, settings.max_archive_bytes)
        )
    structlog.contextvars.bind_contextvars(order=order.wish.id, is_new=is_new)
    response = _response(order)
    response.status_code = HTTPStatus.ACCEPTED
    response.headers["Location"] = place_of(order)
    return response


@blueprint.operation("/archives", query=JobsQuerySchema, answer=JobsSchema, problems=_LISTING)
def listed(query: Mapping[str, Any]) -> Response:
    """List jobs, the newest first."""
    asked_media_type(JSON)
    return jsonify({"jobs": [job_answer(order) for order in services().orders.listed(query["limit"])]})


@blueprint.operation("/archives/<job_id>", answer=JobSchema, headers=_HEADERS, problems=_NAMED)
def job(job_id: str) -> Response:
    """Tell how far a job is. While it runs, `Retry-After` says when to ask again."""
    asked_media_type(JSON)
    return _response(services().orders.get(check_id(job_id)))


@blueprint.operation("/archives/<job_id>/cancel", method="POST", answer=JobSchema, problems=_NAMED)
def cancel(job_id: str) -> Response:
    """Stop a job; what is done by then is kept. One that has ended stays what it is."""
    asked_media_type(JSON)
    return _response(services().orders.cancel(check_id(job_id)))


@blueprint.operation(
    "/archives/<job_id>",
    method="DELETE",
    answer=None,
    status=HTTPStatus.NO_CONTENT,
    problems=(
        *(errors.UNAUTHORIZED, errors.NOT_FOUND, errors.STILL_RUNNING),
        *(errors.INTERNAL, errors.STORE_UNAVAILABLE),
    ),
)
def delete(job_id: str) -> Response:
    """Delete a job that has ended, with its archive and its results."""
    jobs().remove(check_id(job_id))
    return Response(status=HTTPStatus.NO_CONTENT)


def jobs() -> ArchiveJobs:
    """The jobs of this service."""
    wired = services()
    return ArchiveJobs(wired.settings, wired.orders)


def _named_archives(key: str | None) -> tuple[Order, bool]:
    if request.args:
        field = next(iter(request.args))
        raise InvalidQuery({field: [f"With {JSON}, what is said of archives stands in the body."]})
    given = AddressesSchema().load(read_json())
    addresses = given.pop("addresses")
    try:
        return jobs().take_addresses(Request(**given), key, addresses)
    except UnreadableAddress as refusal:
        raise ValidationError({"addresses": {str(refusal.number): [refusal.reason]}}) from refusal


def _response(order: Order) -> Response:
    response = Response(orjson.dumps(job_answer(order)), content_type=JSON)
    if not order.state.is_end:
        wait_s = round((seconds_left(order) or 0) / 4)
        response.headers["Retry-After"] = str(min(max(wait_s, LEAST_WAIT_S), LONGEST_WAIT_S))
    response.headers["Cache-Control"] = "no-store"
    return response
