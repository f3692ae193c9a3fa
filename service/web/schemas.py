"""The shapes of answers; the description of the interface is made from them."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from model.taxonomy import BY_CODE, taxonomy
from model.types import Action, FixOwner, Kind, Permanence, Stage
from service.feedback import Status


def _text(about: str, *, none: bool = False, **more: Any) -> fields.String:  # marshmallow's own
    return fields.String(required=True, allow_none=none, metadata={"description": about, **more})


def _choice(about: str, values: Any) -> fields.String:  # noqa: ANN401  # an enumeration or a list of names
    one_of = validate.OneOf([str(value) for value in values])
    return fields.String(required=True, validate=one_of, metadata={"description": about})


def _share(about: str) -> fields.Float:
    limits = validate.Range(min=0, max=1)
    return fields.Float(required=True, validate=limits, metadata={"description": about})


def _number(about: str) -> fields.Integer:
    return fields.Integer(required=True, allow_none=True, metadata={"description": about})


def _seconds(about: str) -> fields.Float:
    return fields.Float(required=True, allow_none=True, metadata={"description": about})


def _texts(about: str) -> fields.List[Any]:
    return fields.List(fields.String(), required=True, metadata={"description": about})


def _list_of(schema: type[Schema], about: str) -> fields.List[Any]:
    return fields.List(fields.Nested(schema), required=True, metadata={"description": about})


def _one(schema: type[Schema], about: str) -> fields.Nested:
    return fields.Nested(schema, required=True, metadata={"description": about})


class CallerId(fields.Raw):
    """The caller's own name for an item: a string or a whole number, given back as it came."""

    def _deserialize(self, value: object, *args: Any, **kwargs: Any) -> str | int:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValidationError("Not a string or a whole number.")
        return value


class CauseSchema(Schema):
    """A probable cause."""

    id = _text("Name of the cause; never translated.")
    title = _text("The cause in a few words.")
    explanation = _text("Why this leads to the failure.")
    likelihood = _share("How likely it is among the causes of this category.")
    fix_owner = _choice("Who can mend it.", FixOwner)
    evidence = _texts("What in the report speaks for it.")
    checks = _texts("Commands or places that confirm it.")
    fixes = _texts("What mends it.")
    links = _texts("Where to read on.")


class EvidenceSchema(Schema):
    """Why the category was given."""

    source = _text("What spoke: a rule, the model, a header.")
    rule_id = _text("The rule that fired.", none=True)
    quote = _text("The words it fired on.")
    start = _number("Where the quote starts in `text`.")
    end = _number("Where the quote ends in `text`.")
    weight = _share("How much it weighs.")


class ReplySchema(Schema):
    """One reply of a server."""

    smtp = _number("Reply code, such as 454.")
    enhanced = _text("Enhanced status code, such as 4.7.0.", none=True)
    text = _text("The words.")


class CodesSchema(Schema):
    """The codes, innermost first; the chain runs from the outermost reply to the innermost."""

    smtp = _number("Reply code of the innermost reply.")
    enhanced = _text("Enhanced status code of the innermost reply.", none=True)
    chain = _list_of(ReplySchema, "Nested replies, outermost first.")


class CandidateSchema(Schema):
    """A category that may also be true."""

    category = _choice("The category.", taxonomy().names)
    confidence = _share("How sure that would be.")


class MappingsSchema(Schema):
    """The nearest names in other taxonomies; one that has none is left out."""

    sisimai = fields.String(metadata={"description": "Reason in Sisimai."})
    sparkpost = fields.Integer(metadata={"description": "Bounce code in SparkPost."})
    ses = fields.String(metadata={"description": "Type and subtype in Amazon SES."})
    kumomta = fields.String(metadata={"description": "Class in KumoMTA."})


class FindingsSchema(Schema):
    """What is said of one recipient."""

    category = _choice("Why the mail was not delivered.", taxonomy().names)
    confidence = _share("How sure the category is.")
    permanence = _choice("Whether the same mail would pass later, unchanged.", Permanence)
    action = _choice("What to do next.", Action)
    retry_after_s = _number("Seconds to wait, when the server said so.")
    fix_owner = _choice("Who can mend it.", FixOwner)
    stage = _choice("Where on the way it stopped.", Stage)
    title = _text("The category in words.")
    summary = _text("What happened, in one or two sentences.")
    causes = _list_of(CauseSchema, "Probable causes, likeliest first.")
    evidence = _list_of(EvidenceSchema, "Why this category was given, strongest first.")
    text = _text("The diagnostic text that offsets count in.")
    codes = _one(CodesSchema, "The codes in the text; a code that is not there is null.")
    provider = _text("The mail provider or program whose words these are.", none=True)
    remote_mta = _text("The server that refused.", none=True)
    block_lists = _texts("Block lists named in the text.")
    links = _texts("Help pages named in the text.")
    alternatives = _list_of(CandidateSchema, "Categories that may also be true.")
    mappings = _one(MappingsSchema, "Names in other taxonomies.")
    decided_by = _text("What decided: `rule`, `model`, `kind` or `none`.")


class RecipientSchema(FindingsSchema):
    """The findings for one recipient."""

    address = _text("The final recipient.", none=True)
    original_address = _text("The recipient as the sender wrote it.", none=True)


class HopSchema(Schema):
    """One step of the way."""

    by = _text("The server that took the mail.", none=True)
    from_ = fields.String(
        required=True, allow_none=True, data_key="from", metadata={"description": "Who handed it over."}
    )
    protocol = _text("How.", none=True)
    at = _text("When, as ISO 8601.", none=True)
    delay_s = _seconds("Seconds since the hop before.")


class RouteSchema(Schema):
    """The way of the mail so far."""

    hops = _list_of(HopSchema, "Oldest first.")
    max_delay_s = _seconds("The longest wait between two hops.")
    clock_skew_s = _seconds("Seconds by which two clocks disagree, when a hop seems to go back in time.")


class AnswerSchema(FindingsSchema):
    """The diagnosis: the most severe recipient speaks for the message."""

    id = _text("Digest of what was handed in and of what judged it.")
    kind = _choice("What the message is.", Kind)
    recipients = _list_of(RecipientSchema, "One entry for each recipient.")
    reporting_mta = _text("The server that wrote the report.", none=True)
    original_message_id = _text("Message-ID of the mail that failed.", none=True)
    route = _one(RouteSchema, "The way of the mail so far.")
    language = _text("Language of titles, summaries, causes, checks and fixes.")
    taxonomy_version = fields.Integer(
        required=True, metadata={"description": "Version of the list of categories."}
    )
    rules_version = _text("Digest of the rules.")
    model_version = _text("The learned half; null when there is none.", none=True)
    warnings = _texts("What was odd about the evidence.")


class ProblemErrorSchema(Schema):
    """One thing that is wrong with a request."""

    detail = _text("What is wrong, and what is allowed.")
    pointer = fields.String(
        metadata={"description": "Where in the JSON body, as a JSON pointer in a URI fragment."}
    )
    parameter = fields.String(metadata={"description": "The query parameter."})


class ProblemSchema(Schema):
    """An error, as RFC 9457 has it."""

    type = _text("Stable name of the kind of problem; docs/errors.md lists them.", format="uri-reference")
    title = _text("The kind of problem in words.")
    status = fields.Integer(required=True, metadata={"description": "The HTTP status code."})
    detail = _text("What is wrong this time.")
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
    result_id = _text("Digest of what was handed in and of what judged it.")


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

    id = _text("Name of the category; never translated.")
    title = _text("The category in the language asked for.")
    titles = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "Title by language."},
    )
    permanence = _choice("What is normal; `by_code`: the first digit decides.", [*Permanence, BY_CODE])
    action = _choice("What to do next, normally.", Action)
    fix_owner = _choice("Who can mend it, normally.", FixOwner)
    stage = _choice("Where it normally stops.", Stage)
    mappings = _one(MappingsSchema, "Names in other taxonomies.")


class CategoriesSchema(Schema):
    """All categories."""

    taxonomy_version = fields.Integer(required=True, metadata={"description": "Version of this list."})
    language = _text("Language of the titles.")
    categories = _list_of(CategorySchema, "Every category, in the order of the taxonomy.")


class MeaningSchema(Schema):
    """One meaning of a code."""

    code = _text("The code this meaning belongs to.")
    by = _text("Who gives it this meaning: the standard or a vendor.")
    provider = _text("The provider or program, when it is one that answers name.", none=True)
    category = _text("The category this meaning leads to.", none=True)
    text = _text("The meaning in words.")
    source = _text("Where that is written down.")


class CodeSchema(Schema):
    """What a code means, at each who uses it."""

    code = _text("The code as it was understood.")
    known = fields.Boolean(required=True, metadata={"description": "Whether anybody here knows it."})
    meanings = _list_of(MeaningSchema, "Its meanings; the standard's first.")
    search_link = _text("A web search for it.")


class KnownCauseSchema(CauseSchema):
    """A cause of the dictionary, with the category it belongs to."""

    category = _choice("The category it explains.", taxonomy().names)


class ModelSchema(Schema):
    """What gives the answers."""

    service_version = _text("Version of the service.")
    taxonomy_version = fields.Integer(
        required=True, metadata={"description": "Version of the list of categories."}
    )
    rules_version = _text("Digest of the rules.")
    model_version = _text("The learned half; null when there is none.", none=True)
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
    languages = _texts("Languages that answers are given in.")


class CorrectionSchema(Schema):
    """A correction as it is kept."""

    id = _text("Name of the correction; the same correction has the same.")
    status = _choice("What a reviewer said of it; accepted ones are learned from.", Status)
    canonical = _text("What is kept of the evidence: the words of the reply, with placeholders for names.")
    correct_category = _choice("The category that is right.", taxonomy().names)
    count = fields.Integer(required=True, metadata={"description": "How often it was handed in."})
    created_at = _text("When it first came, as ISO 8601.", format="date-time")


class HealthSchema(Schema):
    """A sign of life."""

    status = _text("`ok` or `ready`.")
    version = _text("Version of the service.")
