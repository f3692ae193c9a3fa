"""The shapes of requests for jobs on archives."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, post_load, validate
from webargs.fields import DelimitedList

from model.languages import LANGUAGES
from model.taxonomy import taxonomy
from model.types import Action
from model.types import Kind as ReportKind
from service.archive_jobs import MAX_NAME_CHARS, Request
from service.triage.nouns import FOLDERS, Kind

MAX_ADDRESSES = 100
MAX_ADDRESS_CHARS = 2000
MAX_JOBS = 100
_DOMAIN_CHARS = 255


class _RequestSchema(Schema):
    """What is said of archives, wherever they come from."""

    column = fields.String(
        validate=validate.Length(min=1, max=MAX_NAME_CHARS),
        metadata={"description": "The column of replies in a table, by name or by number from 1."},
    )
    name = fields.String(
        validate=validate.Length(max=MAX_NAME_CHARS),
        metadata={"description": "What the job is called in lists and in its report."},
    )
    show_addresses = fields.Boolean(
        metadata={"description": "Whether the report shows addresses in full; otherwise they are masked."}
    )


class UploadQuerySchema(_RequestSchema):
    """What is said of an uploaded archive."""

    kind = fields.Enum(
        Kind,
        by_value=True,
        validate=validate.NoneOf(FOLDERS, error="A folder is uploaded as zip or tar."),
        metadata={"description": "What the archive is; left out: its content tells."},
    )

    @post_load
    def _request(self, given: dict[str, Any], **_: Any) -> Request:
        return Request(**given)


class AddressesSchema(_RequestSchema):
    """Archives that lie where the service can read them."""

    addresses = fields.List(
        fields.String(validate=validate.Length(min=1, max=MAX_ADDRESS_CHARS)),
        required=True,
        validate=validate.Length(min=1, max=MAX_ADDRESSES),
        metadata={
            "description": "Paths or fsspec addresses below one of `NDR_ARCHIVE_SOURCES`.",
            "examples": [["/var/archive/bounces.mbox.gz"]],
        },
    )
    kind = fields.Enum(
        Kind,
        by_value=True,
        metadata={
            "description": "What the archives are; left out: their content tells. What surely is another is "
            "refused."
        },
    )


class JobsQuerySchema(Schema):
    """Which jobs are wanted."""

    limit = fields.Integer(
        load_default=20,
        validate=validate.Range(min=1, max=MAX_JOBS),
        metadata={"description": "How many; the newest come first."},
    )


def _names(about: str, values: Any) -> DelimitedList:  # noqa: ANN401  # an enumeration or a list of names
    one_of = validate.OneOf([str(value) for value in values])
    return DelimitedList(fields.String(validate=one_of), metadata={"description": about})


class ResultsQuerySchema(Schema):
    """Which rows are wanted; a parameter with several values, separated by commas, wants any of them."""

    kind = _names("Only rows of these kinds.", ReportKind)
    category = _names("Only rows of these categories.", taxonomy().names)
    action = _names("Only rows with these actions.", Action)
    recipient_domain = DelimitedList(
        fields.String(validate=validate.Length(min=1, max=_DOMAIN_CHARS)),
        metadata={"description": "Only rows of recipients in these domains."},
    )
    errors = fields.Boolean(
        metadata={"description": "`true`: only items that could not be read; `false`: only the others."}
    )
    partial_ = fields.Boolean(
        data_key="partial",
        load_default=False,
        metadata={"description": "Give what there is of a job that has not succeeded, or not yet."},
    )


class ReportQuerySchema(Schema):
    """Which report is wanted."""

    lang = fields.String(
        validate=validate.OneOf(LANGUAGES),
        metadata={"description": "Language of the page; `Accept-Language` tells where it is left out."},
    )
