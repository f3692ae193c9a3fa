"""The shape of the answer for several pieces of evidence on one delivery."""

from __future__ import annotations

from marshmallow import Schema, fields

from model.events import Role, What
from model.path import PLACES, Outcome, Seen
from model.sides import RECIPIENT, SENDER
from service.web.schemas import AnswerSchema
from service.web.shapes import (
    choice_field,
    count_field,
    flag_field,
    list_field,
    moment_field,
    object_field,
    text_field,
    texts_field,
)


class PathHopSchema(Schema):
    """One part of the way."""

    place = choice_field("The part of the way.", PLACES)
    title = text_field("The same in words.")
    state = choice_field("How it is known: seen, inferred from the rest, or missing.", Seen)
    outcome = choice_field("What became of the message there.", Outcome)
    host = text_field("The server, as far as it is known.", none=True)
    ip = text_field("Its address.", none=True)
    first = moment_field("When the message was first seen there, in UTC.")
    last = moment_field("When it was last seen there, in UTC.")
    seen_by = texts_field("Names of the pieces of evidence that show it.")
    words = text_field("What was said there against the message.")


class EventSchema(Schema):
    """One thing that the evidence tells."""

    at = moment_field("When, in UTC.")
    what = choice_field("What happened.", What)
    host = text_field("The server that saw it.", none=True)
    peer = text_field("The server on the other side.", none=True)
    peer_ip = text_field("Its address.", none=True)
    queue_id = text_field("The server's own name for the message.", none=True)
    message_id = text_field("Message-ID, with its angle brackets.", none=True)
    sender = text_field("Envelope sender; empty for the null sender.", none=True)
    recipients = texts_field("Envelope recipients, the first 50.")
    reply = text_field("The words of whoever refused, cut after 2000 characters.")
    detail = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "What else bears on it, by names of the format."},
    )
    evidence = text_field("Name of the piece of evidence that tells it.")
    line = count_field("Its line there, from 1; the last one where several were joined.")


class ReadingSchema(Schema):
    """What was made of one piece of evidence."""

    name = text_field("Its name, made unique.")
    format = text_field("As what it was read.")
    role = choice_field("What kind of witness it is.", Role)
    lines = count_field("How many lines or entries were looked at.")
    events = count_field("How many of them were understood.")
    used = count_field("How many of these concern the message.")
    set_aside = count_field("How many of these do not.")


class SidesSchema(Schema):
    """Whose servers are whose."""

    home = choice_field("The side of whoever asks.", (SENDER, RECIPIENT))
    sender_domains = texts_field("Domains of the sender.")
    recipient_domains = texts_field("Domains of the recipients.")
    told = flag_field("Whether `NDR_OWN_DOMAINS` or `NDR_OWN_HOSTS` tell it; otherwise it is inferred.")


class StepSchema(Schema):
    """A piece of evidence to ask for."""

    id = text_field("Name of the step; never translated.")
    side = choice_field("Whose it is.", (SENDER, RECIPIENT))
    title = text_field("What to ask for.")
    text = text_field("Where it lies, and what to look for.")
    command = text_field("The command that gets it.", none=True)
    since = moment_field("Start of the span to look at, in UTC.")
    until = moment_field("End of that span, in UTC.")


class CaseSchema(AnswerSchema):
    """The diagnosis of one delivery from all that was handed in."""

    resolved = flag_field("Whether the recipient got it after all.")
    path = list_field(PathHopSchema, "The whole way, from the client to the mailbox.")
    events = list_field(
        EventSchema,
        "What belongs to the message, in the order of time; of more than 200 the first and last 100.",
    )
    events_total = count_field("How many events belong to the message.")
    faults = list_field(EventSchema, "Trouble of its servers that names no message; bounded in the same way.")
    evidence_read = list_field(ReadingSchema, "What was made of each piece of evidence.")
    sides = object_field(SidesSchema, "Whose servers are whose.")
    next = list_field(StepSchema, "Which evidence to ask for next, the most telling first.")
