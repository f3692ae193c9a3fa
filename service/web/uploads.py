"""Writes an archive into a file as it arrives, whether it is the body of a request or the file of a form."""

from __future__ import annotations

from typing import IO, cast

from flask import request
from marshmallow import ValidationError
from werkzeug.exceptions import BadRequest, UnsupportedMediaType
from werkzeug.formparser import MultiPartParser

from service.archive_jobs import Upload, last_part
from service.web.incoming import BLOCK_BYTES, GZIP, blocks, encoding

FORM = "multipart/form-data"
STORED = GZIP | {"zstd"}
"""Encodings of a body that archives may have anyway, so that it is stored as it is."""

_HELD_BYTES = 4 * BLOCK_BYTES
"""How much the parser of forms may hold; it wants more than it reads at once."""


def write_upload(upload: Upload, most_bytes: int) -> str:
    """Writes the archive in this request; tells what its sender calls it, as far as he does.

    Args:
        upload: takes it.
        most_bytes: how large it may be.

    Raises:
        RequestEntityTooLarge: it is larger.
        BadRequest: it broke off.
        UnsupportedMediaType: it is encoded as no archive is.
        ValidationError: the form has not one file.
    """
    named = encoding()
    if named and (named not in STORED or request.mimetype == FORM):
        raise UnsupportedMediaType("Send the archive as it is, with no Content-Encoding but gzip or zstd.")
    if request.mimetype == FORM:
        return _write_form(upload, most_bytes)
    for block in blocks(most_bytes):
        upload.write(block)
    return ""


def _write_form(upload: Upload, most_bytes: int) -> str:
    names: list[str] = []

    def begin(
        total_content_length: object,
        content_type: object,
        filename: str | None,
        content_length: object = None,
    ) -> IO[bytes]:
        names.append(last_part(filename or ""))
        if len(names) > 1:
            raise ValidationError({"file": ["One file is expected, not several."]})
        return cast("IO[bytes]", upload)

    parser = MultiPartParser(
        begin, max_form_memory_size=_HELD_BYTES, max_form_parts=10, buffer_size=BLOCK_BYTES
    )
    request.max_content_length = most_bytes
    try:
        form, _ = parser.parse(request.stream, _boundary(), request.content_length)
    except (ValidationError, UnicodeError):
        raise
    except ValueError as error:
        raise BadRequest("The form broke off, or cannot be read.") from error
    if form:
        raise ValidationError({field: ["What is said of the archive stands in the query."] for field in form})
    if not names:
        raise ValidationError({"file": ["One file is expected."]})
    return names[0]


def _boundary() -> bytes:
    boundary = request.mimetype_params.get("boundary", "").encode("latin-1", "replace")
    if not boundary:
        raise BadRequest("The form names no boundary.")
    return boundary
