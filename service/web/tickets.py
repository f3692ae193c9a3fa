"""``/v1/tickets``: takes webhooks of ticketing systems, and shows what notes on tickets link to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus

from flask import Response, jsonify, render_template, request
from marshmallow import Schema, fields, validate

from model.errors import UnknownName
from service.ticketing.nouns import Webhook
from service.ticketing.pages import Page
from service.web import errors
from service.web.description import Blueprint
from service.web.negotiation import HTML, JSON, PLAIN, asked_media_type, services
from service.web.page import POLICY
from service.web.schemas import AnswerSchema

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


@blueprint.operation(
    "/diagnoses/<name>",
    answer=AnswerSchema,
    problems=(errors.NOT_FOUND, errors.NOT_ACCEPTABLE, errors.INTERNAL, errors.STORE_UNAVAILABLE),
    alternatives=(PLAIN, HTML),
)
def diagnosis(name: str) -> Response:
    """Read the whole diagnosis that a note on a ticket links to.

    The name cannot be guessed and stands in internal notes only, so no key is asked for. It is kept for 90
    days.
    """
    inbox = services().tickets
    if inbox is None:
        raise UnknownName("diagnosis", name[:40])
    page = Page.read(inbox.handler.ledger.kept(name))
    response = _WRITERS[asked_media_type(*_WRITERS)](page)
    response.content_language.add(page.language)
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.vary.add("Accept")
    return response


def _as_html(page: Page) -> Response:
    shown = render_template("diagnosis.html", page=page)
    return Response(shown, content_type=f"{HTML}; charset=utf-8", headers={"Content-Security-Policy": POLICY})


_WRITERS: Mapping[str, Callable[[Page], Response]] = {
    JSON: lambda page: jsonify(page.answer),
    PLAIN: lambda page: Response(page.text, content_type=f"{PLAIN}; charset=utf-8"),
    HTML: _as_html,
}
