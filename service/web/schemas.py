"""The shapes of answers; the description of the interface is made from them."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields

from model.taxonomy import BY_CODE, taxonomy
from model.types import Action, FixOwner, Kind, Permanence, Stage
from service.feedback import Status
from service.web.shapes import (
    choice_field,
    list_field,
    number_field,
    object_field,
    seconds_field,
    share_field,
    text_field,
    texts_field,
)


class CallerId(fields.Raw):
    """The caller's own name for an item: a string or a whole number, given back as it came."""

    def _deserialize(self, value: object, *args: Any, **kwargs: Any) -> str | int:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValidationError("Not a string or a whole number.")
        return value


class CauseSchema(Schema):
    """A probable cause."""

    id = text_field("Name of the cause; never translated.")
    title = text_field("The cause in a few words.")
    explanation = text_field("Why this leads to the failure.")
    likelihood = share_field("How likely it is among the causes of this category.")
    fix_owner = choice_field("Who can mend it.", FixOwner)
    evidence = texts_field("What in the report speaks for it.")
    checks = texts_field("Commands or places that confirm it.")
    fixes = texts_field("What mends it.")
    links = texts_field("Where to read on.")


class EvidenceSchema(Schema):
    """Why the category was given."""

    source = text_field("What spoke: a rule, the model, a header.")
    rule_id = text_field("The rule that fired.", none=True)
    quote = text_field("The words it fired on.")
    start = number_field("Where the quote starts in `text`.")
    end = number_field("Where the quote ends in `text`.")
    weight = share_field("How much it weighs.")


class ReplySchema(Schema):
    """One reply of a server."""

    smtp = number_field("Reply code, such as 454.")
    enhanced = text_field("Enhanced status code, such as 4.7.0.", none=True)
    text = text_field("The words.")


class CodesSchema(Schema):
    """The codes, innermost first; the chain runs from the outermost reply to the innermost."""

    smtp = number_field("Reply code of the innermost reply.")
    enhanced = text_field("Enhanced status code of the innermost reply.", none=True)
    chain = list_field(ReplySchema, "Nested replies, outermost first.")


class CandidateSchema(Schema):
    """A category that may also be true."""

    category = choice_field("The category.", taxonomy().names)
    confidence = share_field("How sure that would be.")


class MappingsSchema(Schema):
    """The nearest names in other taxonomies; one that has none is left out."""

    sisimai = fields.String(metadata={"description": "Reason in Sisimai."})
    sparkpost = fields.Integer(metadata={"description": "Bounce code in SparkPost."})
    ses = fields.String(metadata={"description": "Type and subtype in Amazon SES."})
    kumomta = fields.String(metadata={"description": "Class in KumoMTA."})


class FindingsSchema(Schema):
    """What is said of one recipient."""

    category = choice_field("Why the mail was not delivered.", taxonomy().names)
    confidence = share_field("How sure the category is.")
    permanence = choice_field("Whether the same mail would pass later, unchanged.", Permanence)
    action = choice_field("What to do next.", Action)
    retry_after_s = number_field("Seconds to wait, when the server said so.")
    fix_owner = choice_field("Who can mend it.", FixOwner)
    stage = choice_field("Where on the way it stopped.", Stage)
    title = text_field("The category in words.")
    summary = text_field("What happened, in one or two sentences.")
    causes = list_field(CauseSchema, "Probable causes, likeliest first.")
    evidence = list_field(EvidenceSchema, "Why this category was given, strongest first.")
    text = text_field("The diagnostic text that offsets count in.")
    codes = object_field(CodesSchema, "The codes in the text; a code that is not there is null.")
    provider = text_field("The mail provider or program whose words these are.", none=True)
    remote_mta = text_field("The server that refused.", none=True)
    block_lists = texts_field("Block lists named in the text.")
    links = texts_field("Help pages named in the text.")
    alternatives = list_field(CandidateSchema, "Categories that may also be true.")
    mappings = object_field(MappingsSchema, "Names in other taxonomies.")
    decided_by = text_field("What decided: `rule` (or what the message is), `model`, `both` or `none`.")


class RecipientSchema(FindingsSchema):
    """The findings for one recipient."""

    address = text_field("The final recipient.", none=True)
    original_address = text_field("The recipient as the sender wrote it.", none=True)


class HopSchema(Schema):
    """One step of the way."""

    by = text_field("The server that took the mail.", none=True)
    from_ = fields.String(
        required=True, allow_none=True, data_key="from", metadata={"description": "Who handed it over."}
    )
    protocol = text_field("How.", none=True)
    at = text_field("When, as ISO 8601.", none=True)
    delay_s = seconds_field("Seconds since the hop before.")


class RouteSchema(Schema):
    """The way of the mail so far."""

    hops = list_field(HopSchema, "Oldest first.")
    max_delay_s = seconds_field("The longest wait between two hops.")
    clock_skew_s = seconds_field("Seconds by which two clocks disagree, when a hop seems to go back in time.")


class AnswerSchema(FindingsSchema):
    """The diagnosis: the most severe recipient speaks for the message."""

    id = text_field("Digest of what was handed in and of what judged it.")
    kind = choice_field("What the message is.", Kind)
    recipients = list_field(RecipientSchema, "One entry for each recipient.")
    reporting_mta = text_field("The server that wrote the report.", none=True)
    original_message_id = text_field("Message-ID of the mail that failed.", none=True)
    route = object_field(RouteSchema, "The way of the mail so far.")
    language = text_field("Language of titles, summaries, causes, checks and fixes.")
    taxonomy_version = fields.Integer(
        required=True, metadata={"description": "Version of the list of categories."}
    )
    rules_version = text_field("Digest of the rules.")
    model_version = text_field("The learned half; null when there is none.", none=True)
    warnings = texts_field("What was odd about the evidence.")


class ProblemErrorSchema(Schema):
    """One thing that is wrong with a request."""

    detail = text_field("What is wrong, and what is allowed.")
    pointer = fields.String(
        metadata={"description": "Where in the JSON body, as a JSON pointer in a URI fragment."}
    )
    parameter = fields.String(metadata={"description": "The query parameter."})


class ProblemSchema(Schema):
    """An error, as RFC 9457 has it."""

    type = text_field(
        "Stable name of the kind of problem; docs/errors.md lists them.", format="uri-reference"
    )
    title = text_field("The kind of problem in words.")
    status = fields.Integer(required=True, metadata={"description": "The HTTP status code."})
    detail = text_field("What is wrong this time.")
    request_id = fields.String(metadata={"description": "The X-Request-ID; it stands in the log as well."})
    errors = fields.List(
        fields.Nested(ProblemErrorSchema), metadata={"description": "Each field that is wrong."}
    )


class BatchAnswerSchema(AnswerSchema):
    """A diagnosis in a batch, under the caller's own name for the item."""

    id = CallerId(  # type: ignore[assignment]  # in a batch the caller's name takes this place
        required=True,
        allow_none=True,
        metadata={"description": "Your own name for the item.", "type": ["string", "integer"]},
    )
    result_id = text_field("Digest of what was handed in and of what judged it.")


class BatchProblemSchema(ProblemSchema):
    """A problem with one item, in its place."""

    id = CallerId(
        required=True,
        allow_none=True,
        metadata={"description": "Your own name for the item.", "type": ["string", "integer"]},
    )


class BatchAnswersSchema(Schema):
    """The answers, in the order of the items."""

    results = fields.List(
        fields.Raw(
            metadata={
                "oneOf": [
                    {"$ref": "#/components/schemas/BatchAnswer"},
                    {"$ref": "#/components/schemas/BatchProblem"},
                ]
            }
        ),
        required=True,
        metadata={"description": "A diagnosis, or a problem in its place, for each item in its order."},
    )


class CategorySchema(Schema):
    """One category of the dictionary."""

    id = text_field("Name of the category; never translated.")
    title = text_field("The category in the language asked for.")
    titles = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "Title by language."},
    )
    permanence = choice_field("What is normal; `by_code`: the first digit decides.", [*Permanence, BY_CODE])
    action = choice_field("What to do next, normally.", Action)
    fix_owner = choice_field("Who can mend it, normally.", FixOwner)
    stage = choice_field("Where it normally stops.", Stage)
    mappings = object_field(MappingsSchema, "Names in other taxonomies.")


class CategoriesSchema(Schema):
    """All categories."""

    taxonomy_version = fields.Integer(required=True, metadata={"description": "Version of this list."})
    language = text_field("Language of the titles.")
    categories = list_field(CategorySchema, "Every category, in the order of the taxonomy.")


class MeaningSchema(Schema):
    """One meaning of a code."""

    code = text_field("The code this meaning belongs to.")
    by = text_field("Who gives it this meaning: the standard or a vendor.")
    provider = text_field("The provider or program, when it is one that answers name.", none=True)
    category = text_field("The category this meaning leads to.", none=True)
    text = text_field("The meaning in words.")
    source = text_field("Where that is written down.")


class CodeSchema(Schema):
    """What a code means, at each who uses it."""

    code = text_field("The code as it was understood.")
    known = fields.Boolean(required=True, metadata={"description": "Whether anybody here knows it."})
    meanings = list_field(MeaningSchema, "Its meanings; the standard's first.")
    search_link = text_field("A web search for it.")


class KnownCauseSchema(CauseSchema):
    """A cause of the dictionary, with the category it belongs to."""

    category = choice_field("The category it explains.", taxonomy().names)


class ModelSchema(Schema):
    """What gives the answers."""

    service_version = text_field("Version of the service.")
    taxonomy_version = fields.Integer(
        required=True, metadata={"description": "Version of the list of categories."}
    )
    rules_version = text_field("Digest of the rules.")
    model_version = text_field("The learned half; null when there is none.", none=True)
    model_card = fields.Dict(
        keys=fields.String(),
        required=True,
        allow_none=True,
        metadata={"description": "Where the learned half came from: digests, scores, versions."},
    )
    custom_model = fields.Boolean(
        required=True, metadata={"description": "Whether a classifier of your own is loaded."}
    )
    custom_rules = fields.Boolean(
        required=True, metadata={"description": "Whether rules of your own are loaded."}
    )
    languages = texts_field("Languages that answers are given in.")


class CorrectionSchema(Schema):
    """A correction as it is kept."""

    id = text_field("Name of the correction; the same correction has the same.")
    status = choice_field("What a reviewer said of it; accepted ones are learned from.", Status)
    canonical = text_field(
        "What is kept of the evidence: the words of the reply, with placeholders for names."
    )
    correct_category = choice_field("The category that is right.", taxonomy().names)
    count = fields.Integer(required=True, metadata={"description": "How often it was handed in."})
    created_at = text_field("When it first came, as ISO 8601.", format="date-time")


class HealthSchema(Schema):
    """A sign of life."""

    status = text_field("`ok` or `ready`.")
    version = text_field("Version of the service.")
