"""``/v1/categories``, ``/v1/codes``, ``/v1/causes`` and ``/v1/model``: what answers are made of."""

from __future__ import annotations

from dataclasses import asdict

from model.codes import lookup
from model.knowledge import knowledge
from model.languages import LANGUAGES
from model.taxonomy import Category, taxonomy
from service.answer import Answer, cause_answer
from service.version import VERSION
from service.web import errors
from service.web.description import LANGUAGE_PARAMETER, Blueprint
from service.web.negotiation import asked_language, services
from service.web.schemas import CategoriesSchema, CodeSchema, KnownCauseSchema, ModelSchema

blueprint = Blueprint(
    "dictionary", __name__, url_prefix="/v1", description="Look up what answers are made of."
)


@blueprint.operation(
    "/categories", answer=CategoriesSchema, problems=(errors.UNAUTHORIZED,), parameters=[LANGUAGE_PARAMETER]
)
def categories() -> Answer:
    """List the categories, what each implies, and its names elsewhere."""
    language = asked_language()
    listed = [_category(category, language) for category in taxonomy().by_id.values()]
    return {"taxonomy_version": taxonomy().version, "language": language, "categories": listed}


@blueprint.operation(
    "/codes/<code>", answer=CodeSchema, problems=(errors.UNAUTHORIZED,), parameters=[LANGUAGE_PARAMETER]
)
def code(code: str) -> Answer:
    """Say what a code means at each who uses it; one that nobody knows comes with a search link."""
    return asdict(lookup(code, asked_language()))


@blueprint.operation(
    "/causes/<cause_id>",
    answer=KnownCauseSchema,
    problems=(errors.UNAUTHORIZED, errors.NOT_FOUND),
    parameters=[LANGUAGE_PARAMETER],
)
def cause(cause_id: str) -> Answer:
    """Explain a cause, how to confirm it and how to mend it."""
    category, known = knowledge(asked_language()).cause(cause_id)
    return {**cause_answer(known), "category": category}


@blueprint.operation("/model", answer=ModelSchema, problems=(errors.UNAUTHORIZED,))
def model() -> Answer:
    """Say which rules and which model answer."""
    wired = services()
    return {
        "service_version": VERSION,
        "taxonomy_version": taxonomy().version,
        "rules_version": wired.diagnoser.rules_version,
        "model_version": wired.diagnoser.model_version,
        "model_card": wired.model_card,
        "custom_model": wired.settings.model_dir is not None,
        "custom_rules": wired.settings.rules_dir is not None,
        "languages": list(LANGUAGES),
    }


def _category(category: Category, language: str) -> Answer:
    titles = {each: knowledge(each).title(category.id) for each in LANGUAGES}
    return {
        "id": category.id,
        "title": titles[language],
        "titles": titles,
        "permanence": category.permanence,
        "action": category.action,
        "fix_owner": category.fix_owner,
        "stage": category.stage,
        "mappings": dict(category.mappings),
    }
