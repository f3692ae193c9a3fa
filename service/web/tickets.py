"""``/v1/tickets``: takes webhooks of ticketing systems."""

from __future__ import annotations

from http import HTTPStatus

from flask import Response, jsonify, request
from marshmallow import Schema, fields, validate

from model.errors import UnknownName
from service.ticketing.nouns import Webhook
from service.web import errors
from service.web.description import Blueprint
from service.web.negotiation import services

blueprint = Blueprint(
    "tickets", __name__, url_prefix="/v1", description="Have tickets tagged that bounces opened."
)

_PROBLEMS = (
    *(errors.MALFORMED, errors.UNAUTHORIZED, errors.NOT_FOUND, errors.TOO_LARGE),
    *(errors.INTERNAL, errors.STORE_UNAVAILABLE),
)
_BODY = {
    "required": True,
    "description": "What the ticketing system sends, signed as it does; see the page on that system.",
    "content": {"application/json": {"schema": {"type": "object"}}},
}


class ReceiptSchema(Schema):
    """What became of a webhook."""

    status = fields.String(
        required=True,
        validate=validate.OneOf(["noted", "known", "ignored"]),
        metadata={
            "description": "`noted`: the ticket is tagged next, and nothing is lost if this service stops; "
            "`known`: it came before; `ignored`: it tells of no new message, or of a change of ours.",
        },
    )


@blueprint.operation(
    "/tickets/<system>",
    method="POST",
    answer=ReceiptSchema,
    status=HTTPStatus.ACCEPTED,
    problems=_PROBLEMS,
    requestBody=_BODY,
)
def receive(system: str) -> Response:
    """Tell that a message came to a ticket.

    No key of this service is asked for: the request is signed with the secret of the ticketing system. The
    mail is diagnosed and the ticket tagged right after the answer; what fails is tried again.
    """
    inbox = services().tickets
    if inbox is None:
        raise UnknownName("ticketing system", system)
    headers = {name.lower(): value for name, value in request.headers.items()}
    receipt = inbox.receive(system, Webhook(headers, request.get_data(), request.args.to_dict()))
    response = jsonify({"status": receipt.status})
    response.status_code = HTTPStatus.ACCEPTED
    return response
