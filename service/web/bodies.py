"""Reads request bodies: each media type that is accepted has one reader in one table."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import orjson
from flask import request
from marshmallow import ValidationError
from werkzeug.exceptions import UnsupportedMediaType

from model.errors import TooLarge
from model.exhibits import Exhibit
from model.types import Form
from service.evidence import parts_of
from service.web.incoming import blocks, encoding, unpacked
from service.web.negotiation import PLAIN
from service.web.requests import (
    MAX_NAME_CHARS,
    BatchSchema,
    ClassifySchema,
    DiagnoseSchema,
    FeedbackSchema,
    QuestionSchema,
    UploadSchema,
    inquiry_of,
)
from service.web.submission import Feedback, Inquiry, Submission

Read = TypeVar("Read")

FORMS: Mapping[str, Form] = {
    "message/rfc822": Form.MESSAGE,
    "message/global": Form.MESSAGE,
    "text/plain": Form.TEXT,
    "application/vnd.ms-outlook": Form.MSG,
    "application/octet-stream": Form.AUTO,
    "": Form.AUTO,
}
"""What a raw body claims to be; no media type at all claims nothing."""

FORM_HINT = (
    " That is what curl sends by itself: add -H 'Content-Type: message/rfc822' for a mail,"
    " or -H 'Content-Type: text/plain' for a reply."
)


def read_submission() -> Submission:
    """The one piece of evidence in the body.

    Raises:
        UnsupportedMediaType: nobody here reads that type.
        ValidationError: the body does not have the form that its type asks for.
        JSONDecodeError: it claims to be JSON and is not.
    """
    _refuse_encoded()
    return _reader_in(READERS)()


def read_batch(limit: int) -> list[Any]:
    """The items of a batch in a JSON body, as they came: each is judged on its own.

    Raises:
        UnsupportedMediaType: the body is packed otherwise than by gzip.
        TooLarge: it unpacks to more than a body may have.
        ValidationError: there is no list of items, or it is too long.
        JSONDecodeError: it claims to be JSON and is not.
    """
    items: list[Any] = BatchSchema().load(orjson.loads(_unpacked_body()))["items"]
    if len(items) > limit:
        raise ValidationError({"items": [f"Holds {len(items)} items; {limit} are allowed."]})
    return items


def read_inquiry(most_lines: int) -> Inquiry:
    """The pieces of evidence in the body.

    Args:
        most_lines: how many lines one piece may have.

    Raises:
        UnsupportedMediaType: the body is neither JSON nor a form.
        ValidationError: a field is missing or wrong, or a piece has too many lines.
        JSONDecodeError: it claims to be JSON and is not.
    """
    _refuse_encoded()
    inquiry = _reader_in(INQUIRY_READERS)()
    for number, exhibit in enumerate(inquiry.exhibits):
        if sum(part.count(b"\n") for part in exhibit.open()) > most_lines:
            said = f"Holds more than {most_lines} lines; cut out the time around the mail."
            raise ValidationError({"evidence": {str(number): {"content": [said]}}})
    return inquiry


def read_json() -> Any:  # noqa: ANN401  # any JSON value may come
    """The value in a JSON body.

    Raises:
        UnsupportedMediaType: the body is packed.
        JSONDecodeError: it is not JSON.
    """
    _refuse_encoded()
    return _parsed_json()


def read_feedback() -> tuple[Feedback, str]:
    """The correction in the body, and a digest of the body's values.

    Raises:
        UnsupportedMediaType: the body is not JSON.
        ValidationError: a field is missing or wrong.
        JSONDecodeError: it claims to be JSON and is not.
    """
    content = _json_only("A correction")
    feedback: Feedback = FeedbackSchema().load(content)
    return feedback, hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _json_only(what: str) -> Any:  # noqa: ANN401  # any JSON value may come
    _refuse_encoded()
    if request.mimetype != "application/json":
        raise UnsupportedMediaType(f"{what} is sent as application/json.")
    return _parsed_json()


def _raw() -> Submission:
    return Submission(_as_utf8(_body()), FORMS[request.mimetype])


def _json() -> Submission:
    submission: Submission = ClassifySchema().load(_parsed_json())
    return submission


def _upload() -> Submission:
    files = request.files.getlist("file")
    if len(files) != 1:
        raise ValidationError({"file": [f"One file is expected in this field, not {len(files)}."]})
    form = FORMS.get(files[0].mimetype, Form.AUTO)
    given = UploadSchema().load(request.form.to_dict())
    return Submission(files[0].read(), Form.AUTO if form is Form.TEXT else form, given.get("language"))


READERS: Mapping[str, Callable[[], Submission]] = {
    **dict.fromkeys(FORMS, _raw),
    "application/json": _json,
    "multipart/form-data": _upload,
}


def _inquiry_json() -> Inquiry:
    inquiry: Inquiry = DiagnoseSchema().load(_parsed_json())
    return inquiry


def _inquiry_upload() -> Inquiry:
    files = [file for _, file in request.files.items(multi=True)]
    exhibits = [Exhibit((file.filename or "")[:MAX_NAME_CHARS], parts_of(file.stream)) for file in files]
    return inquiry_of(exhibits, QuestionSchema().load(request.form.to_dict()))


INQUIRY_READERS: Mapping[str, Callable[[], Inquiry]] = {
    "application/json": _inquiry_json,
    "multipart/form-data": _inquiry_upload,
}


def _reader_in(readers: Mapping[str, Callable[[], Read]]) -> Callable[[], Read]:
    reader = readers.get(request.mimetype)
    if reader is None:
        raise UnsupportedMediaType(_refusal(request.mimetype, readers))
    return reader


def _body() -> bytes:
    """The whole body.

    Raises:
        RequestEntityTooLarge: it is above the limit.
    """
    raw = request.stream.read()
    if request.content_length is None:
        request.stream.read(1)  # a chunked body that fills the limit may go on; only reading on tells
    return raw


def _unpacked_body() -> bytes:
    """The whole body without its ``Content-Encoding``."""
    named = encoding()
    if not named:
        return _body()
    most = request.max_content_length or 0
    content = bytearray()
    for block in unpacked(blocks(most), named):
        content += block
        if len(content) > most:
            raise TooLarge(f"The body unpacks to more than {most} bytes.")
    return bytes(content)


def _parsed_json() -> Any:  # noqa: ANN401  # any JSON value may come
    return orjson.loads(_body())


def _as_utf8(raw: bytes) -> bytes:
    """The body in UTF-8 when its type names another charset and it really is in that one."""
    charset = request.mimetype_params.get("charset", "utf-8")
    try:
        return raw.decode(charset).encode()
    except (LookupError, UnicodeError):
        return raw


def _refuse_encoded() -> None:
    if request.content_encoding not in {None, "", "identity"}:
        raise UnsupportedMediaType("Send the body without Content-Encoding.")


def _refusal(media_type: str, readers: Iterable[str]) -> str:
    hint = FORM_HINT if media_type == "application/x-www-form-urlencoded" and PLAIN in readers else ""
    named = media_type or "A body without a type"
    return f"{named} is not read here; {', '.join(filter(None, readers))} are.{hint}"
