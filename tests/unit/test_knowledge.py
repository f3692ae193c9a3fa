"""Advice is ranked, fits the parties, and exists in every language."""

import pytest

from model.errors import UnknownName
from model.knowledge import PROVEN, knowledge
from model.languages import LANGUAGES
from model.taxonomy import taxonomy
from model.types import Action, Evidence, FixOwner, Permanence, Stage, Verdict


def verdict(category: str, cause: str | None = None) -> Verdict:
    return Verdict(
        category=category,
        confidence=0.9,
        permanence=Permanence.TEMPORARY,
        action=Action.REVIEW,
        fix_owner=FixOwner.UNKNOWN,
        stage=Stage.UNKNOWN,
        decided_by="rule",
        evidence=(Evidence("rule", "the words", 0.9),),
        cause=cause,
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("category", taxonomy().names)
def test_every_category_has_ranked_causes_that_add_up_to_one(category: str, language: str) -> None:
    causes = knowledge(language).advice(verdict(category)).causes
    likelihoods = [cause.likelihood for cause in causes]

    assert sorted(likelihoods, reverse=True) == likelihoods
    assert 1.0 == pytest.approx(sum(likelihoods), abs=0.02)


def test_a_cause_that_the_text_proves_leads_with_its_words() -> None:
    first, *rest = knowledge().advice(verdict("internal_auth_failed", "internal_certificate_invalid")).causes

    assert ("internal_certificate_invalid", PROVEN, ("the words",)) == (
        first.id,
        first.likelihood,
        first.evidence,
    )
    assert 1.0 - PROVEN == pytest.approx(sum(cause.likelihood for cause in rest), abs=0.02)


def test_a_cause_of_another_category_proves_nothing() -> None:
    causes = knowledge().advice(verdict("mailbox_full", "clock_skew")).causes

    assert "clock_skew" not in {cause.id for cause in causes}


def test_causes_of_a_provider_are_told_only_when_it_took_part() -> None:
    without = knowledge().advice(verdict("rate_limited")).causes
    having = knowledge().advice(verdict("rate_limited"), parties=frozenset({"qq"})).causes

    assert {cause.id for cause in without} < {cause.id for cause in having}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_cause_is_found_by_its_id_in_every_language(language: str) -> None:
    category, cause = knowledge(language).cause("clock_skew")

    assert ("internal_auth_failed", "clock_skew") == (category, cause.id)


@pytest.mark.parametrize("name", ["no_such_cause", "", "CLOCK_SKEW"])
def test_a_cause_nobody_knows_is_refused_by_name(name: str) -> None:
    with pytest.raises(UnknownName, match="cause"):
        knowledge().cause(name)


@pytest.mark.parametrize("language", ["tlh", "", "EN"])
def test_a_language_nobody_knows_is_refused(language: str) -> None:
    with pytest.raises(UnknownName, match="language"):
        knowledge(language)


def test_a_category_nobody_knows_is_refused_by_name() -> None:
    with pytest.raises(UnknownName, match="no category is called 'nonsense'"):
        taxonomy()["nonsense"]
