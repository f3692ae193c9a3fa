"""The shapes of requests, and what becomes of them."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema
from webargs.fields import DelimitedList

from model.exhibits import AUTO, TYPES, Exhibit
from model.inquiry import MAX_EXHIBITS
from model.languages import LANGUAGES
from model.taxonomy import taxonomy
from model.types import Form, Permanence
from service.anonymise import MAX_NOTE_CHARS
from service.evidence import cut
from service.web.case_schemas import CaseSchema
from service.web.negotiation import language_of
from service.web.schemas import AnswerSchema, CallerId
from service.web.submission import Feedback, Inquiry, Submission

RESULT_ID = r"[0-9a-f]{32}\Z"
MAX_NAME_CHARS = 200
MAX_ID_CHARS = 998
MAX_ADDRESS_CHARS = 320
QUOTED_CHARS = 40


class Language(fields.String):
    """A language tag, reduced to a language that answers are given in."""

    def _deserialize(
        self, value: object, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        language = language_of(super()._deserialize(value, attr, data, **kwargs))
        if language is None:
            raise ValidationError(f"Not one of {', '.join(LANGUAGES)}.")
        return language


class Untouched(fields.Nested):
    """Describes a nested object but hands on what came, null too, so that each is judged on its own."""

    def deserialize(self, value: object, *args: Any, **kwargs: Any) -> object:
        """The value as it came."""
        return value


def _is_not_blank(value: str) -> None:
    if not value.strip():
        raise ValidationError("There is nothing in it.")


class UploadSchema(Schema):
    """What may stand beside an uploaded file."""

    language = Language(
        metadata={"description": "Language of the answer: `en` or `zh`; before `Accept-Language`."}
    )


class EvidenceSchema(Schema):
    """One piece of evidence: either a text, or a whole message."""

    text = fields.String(
        validate=_is_not_blank,
        metadata={
            "description": "An SMTP reply, or text copied from a bounce.",
            "examples": ["550 5.1.1 User unknown"],
        },
    )
    message = fields.String(
        validate=_is_not_blank,
        metadata={"description": "A whole mail with its headers, or an Outlook file in base64."},
    )
    encoding = fields.String(
        validate=validate.OneOf(["plain", "base64"]), metadata={"description": "How `message` is written."}
    )

    @validates_schema
    def _holds_one(self, given: dict[str, Any], **_: Any) -> None:
        if ("text" in given) == ("message" in given):
            raise ValidationError("Give either text or message.")
        if "encoding" in given and "message" not in given:
            raise ValidationError({"encoding": ["Goes with message only."]})


class ClassifySchema(EvidenceSchema, UploadSchema):
    """One piece of evidence, and how it is to be answered."""

    @post_load
    def _submission(self, given: dict[str, Any], **_: Any) -> Submission:
        raw, form = _evidence_in(given)
        return Submission(raw, form, given.get("language"), given.get("id"))


def _evidence_in(given: dict[str, Any]) -> tuple[bytes, Form]:
    if "message" not in given:
        return given.get("text", "").encode(), Form.TEXT
    if given.get("encoding") == "base64":
        return _decoded(given["message"], "message"), Form.AUTO
    return given["message"].encode(), Form.MESSAGE


def _decoded(encoded: str, field: str) -> bytes:
    try:
        return b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValidationError({field: ["Not base64."]}) from None


class FeedbackSchema(EvidenceSchema):
    """A correction: the evidence again, and what the answer should have been."""

    result_id = fields.String(
        validate=validate.Regexp(RESULT_ID, error="Not the id of a result."),
        metadata={"description": "The `id` of the answer that was wrong, kept with the correction."},
    )
    correct_category = fields.String(
        required=True,
        validate=validate.OneOf(taxonomy().names),
        metadata={"description": "The category that is right."},
    )
    correct_permanence = fields.Enum(
        Permanence,
        by_value=True,
        metadata={"description": "Whether the same mail would pass later, unchanged; if you know."},
    )
    note = fields.String(
        validate=validate.Length(max=MAX_NOTE_CHARS),
        metadata={
            "description": "Why. When it holds an address, a host, an IP address or a link, only its words in"
            " lower case with placeholders are kept."
        },
    )

    @post_load
    def _feedback(self, given: dict[str, Any], **_: Any) -> Feedback:
        raw, form = _evidence_in(given)
        return Feedback(
            Submission(raw, form),
            given["correct_category"],
            given.get("correct_permanence"),
            given.get("note", ""),
            given.get("result_id"),
        )


class BatchItemSchema(ClassifySchema):
    """One item of a batch."""

    id = CallerId(
        metadata={"description": "Your own name for the item, given back.", "type": ["string", "integer"]}
    )


class BatchSchema(Schema):
    """Several pieces of evidence, each on a delivery of its own."""

    items = fields.List(
        Untouched(BatchItemSchema),
        required=True,
        validate=validate.Length(min=1),
        metadata={"description": "The items; answers keep their order."},
    )


def _is_type(value: str) -> None:
    if value not in TYPES:
        named = value if len(value) <= QUOTED_CHARS else f"{value[:QUOTED_CHARS]}…"
        raise ValidationError(f"{named!r} is no type of evidence; allowed are {', '.join(TYPES)}.")


class PieceSchema(Schema):
    """One piece of evidence among several."""

    type = fields.String(
        load_default=AUTO,
        validate=_is_type,
        metadata={
            "description": "What it is: `ndr`, a format of logs, headers or events, or `auto`.",
            "enum": list(TYPES),
        },
    )
    name = fields.String(
        validate=validate.Length(min=1, max=MAX_NAME_CHARS),
        metadata={"description": "Your own name for it, shown where it bears witness; else `#1`, `#2` …"},
    )
    content = fields.String(
        required=True, validate=_is_not_blank, metadata={"description": "The evidence itself."}
    )
    encoding = fields.String(
        validate=validate.OneOf(["plain", "base64"]), metadata={"description": "How `content` is written."}
    )

    @post_load
    def _exhibit(self, given: dict[str, Any], **_: Any) -> Exhibit:
        is_encoded = given.get("encoding") == "base64"
        raw = _decoded(given["content"], "content") if is_encoded else given["content"].encode()
        return Exhibit(given.get("name", ""), cut(raw), given["type"])


class QuestionSchema(UploadSchema):
    """What the caller knows beside the evidence."""

    message_id = fields.String(
        validate=validate.Length(max=MAX_ID_CHARS),
        metadata={"description": "Message-ID of the mail in question, with or without angle brackets."},
    )
    recipient = fields.String(
        validate=validate.Length(max=MAX_ADDRESS_CHARS), metadata={"description": "Whom it was for."}
    )


def inquiry_of(exhibits: Sequence[Exhibit], given: Mapping[str, Any]) -> Inquiry:
    """Pieces, each under a name, with what the caller knows beside them.

    Raises:
        ValidationError: there are none, or too many.
    """
    if not 0 < len(exhibits) <= MAX_EXHIBITS:
        raise ValidationError(
            {"evidence": [f"1 to {MAX_EXHIBITS} pieces of evidence are allowed, not {len(exhibits)}."]}
        )
    named = [replace(each, name=each.name or f"#{number}") for number, each in enumerate(exhibits, start=1)]
    return Inquiry(tuple(named), given.get("message_id"), given.get("recipient"), given.get("language"))


class DiagnoseSchema(QuestionSchema):
    """Several pieces of evidence on one delivery."""

    evidence = fields.List(
        fields.Nested(PieceSchema),
        required=True,
        metadata={
            "description": "The pieces, in any order.",
            "minItems": 1,
            "maxItems": MAX_EXHIBITS,
        },
    )

    @post_load
    def _inquiry(self, given: dict[str, Any], **_: Any) -> Inquiry:
        return inquiry_of(given["evidence"], given)


class DiagnoseQuerySchema(Schema):
    """What of the answer is wanted, and in which language."""

    fields_ = DelimitedList(
        fields.String(validate=validate.OneOf(sorted(CaseSchema().fields))),
        data_key="fields",
        metadata={"description": "Names of the fields to keep, separated by commas; none keeps all."},
    )
    language = Language(
        metadata={"description": "Language of the answer: `en` or `zh`; before `Accept-Language`."}
    )


class ClassifyQuerySchema(Schema):
    """What of the answer is wanted."""

    fields_ = DelimitedList(
        fields.String(validate=validate.OneOf(sorted(AnswerSchema().fields))),
        data_key="fields",
        metadata={"description": "Names of the fields to keep, separated by commas; none keeps all."},
    )
