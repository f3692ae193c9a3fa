"""Rule files are refused with a reason, and the rules in them fire where and as strongly as they say."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from model.errors import DataError, RuleError
from model.pipeline import build_diagnoser
from model.reply import unwrap
from model.rule_files import MAX_PATTERN_CHARS, load_rules, shipped_rules
from model.rules import (
    INNERMOST,
    NOTICE,
    OUTER,
    STATUS,
    Match,
    Rule,
    RuleBook,
    When,
    covers_enhanced,
)
from model.types import Action, FixOwner, Permanence, Stage

WHOLE = {
    "id": '"mine.full"',
    "category": '"mailbox_full"',
    "text": "'quota'",
    "strength": "0.9",
    "source": '"RFC 5321"',
    "examples": '["552 over quota"]',
}


@dataclass(frozen=True)
class FakeFile:
    name: str
    content: str | bytes

    def read_bytes(self) -> bytes:
        return self.content.encode() if isinstance(self.content, str) else self.content


def table(**changes: str | None) -> str:
    """A rule's table: a whole one with some values changed, or left out where they are None."""
    values = {key: value for key, value in {**WHOLE, **changes}.items() if value is not None}
    return "[[rule]]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())


def load(*contents: str, name: str = "mine.toml") -> tuple[Rule, ...]:
    return load_rules([FakeFile(name, content) for content in contents])


def rule(
    name: str = "mine.rule", *, category: str = "mailbox_full", custom: bool = False, **values: object
) -> Rule:
    filled = {"strength": 0.9, "text": "quota", **values}
    return Rule(id=name, category=category, source="test", examples=("x",), custom=custom, **filled)  # type: ignore[arg-type]


def fired(
    text: str, *rules: Rule, parties: frozenset[str] = frozenset(), status: str | None = None
) -> list[str]:
    return [match.rule.id for match in matches(text, *rules, parties=parties, status=status)]


def matches(
    text: str, *rules: Rule, parties: frozenset[str] = frozenset(), status: str | None = None
) -> tuple[Match, ...]:
    return RuleBook(rules).matches(unwrap(text), parties=parties, status=status)


def test_a_whole_rule_is_read_as_it_is_written() -> None:
    (found,) = load(
        table(
            permanence='"permanent"',
            action='"review"',
            fix_owner='"recipient"',
            stage='"mailbox"',
            cause='"quota_reached"',
            counter_examples='["552 no"]',
            when='{ provider = "qq", smtp = ["552", "4xx"], enhanced = "X.2.2", command = "DATA" }',
        )
    )
    expected = Rule(
        id="mine.full",
        category="mailbox_full",
        strength=0.9,
        source="RFC 5321",
        examples=("552 over quota",),
        counter_examples=("552 no",),
        text="quota",
        when=When(frozenset({"qq"}), ("552", "4xx"), ("X.2.2",), frozenset({"DATA"})),
        permanence=Permanence.PERMANENT,
        action=Action.REVIEW,
        fix_owner=FixOwner.RECIPIENT,
        stage=Stage.MAILBOX,
        cause="quota_reached",
    )

    assert expected == found


def test_the_users_rules_are_marked() -> None:
    (found,) = load_rules([FakeFile("mine.toml", table())], custom=True)

    assert found.custom


@pytest.mark.parametrize(
    ("content", "entry", "reason"),
    [
        (table(id=None), "rule 1", "missing id"),
        (table(category=None), "mine.full", "missing category"),
        (table(examples=None), "mine.full", "missing examples"),
        (table(source=None, strength=None), "mine.full", "missing source, strength"),
        (table(colour='"red"'), "mine.full", "unknown key colour; allowed are action, category"),
        (table(id='"full"'), "full", "must start with the name of its file, 'mine'"),
        (table(id='"other.full"'), "other.full", "must start with the name of its file, 'mine'"),
        (
            table(category='"mailbox_fool"'),
            "mine.full",
            "category 'mailbox_fool' is not one of recipient_unknown",
        ),
        (table(strength="0"), "mine.full", "strength 0 is not a number above 0 and at most 1"),
        (table(strength="1.5"), "mine.full", "strength 1.5 is not a number above 0"),
        (table(strength='"high"'), "mine.full", "strength 'high' is not a number"),
        (table(examples="[]"), "mine.full", "examples must be a list of at least one text"),
        (table(examples='"552"'), "mine.full", "examples must be a list of texts, not '552'"),
        (table(examples="[5]"), "mine.full", "examples must be a list of texts, not [5]"),
        (table(counter_examples='"x"'), "mine.full", "counter_examples must be a list of texts"),
        (table(strength="true"), "mine.full", "strength True is not a number"),
        (table(when="5"), "mine.full", "when must be a table, not 5"),
        (table(when="{ smtp = 550 }"), "mine.full", "when.smtp must be a text or a list of texts, not 550"),
        (
            table(when='{ smtp = "banana" }'),
            "mine.full",
            "when.smtp 'banana' is not a reply code such as 550",
        ),
        (
            table(when='{ enhanced = "5.7.9-x" }'),
            "mine.full",
            "when.enhanced '5.7.9-x' is not a code such as",
        ),
        (table(when='{ enhanced = "57" }'), "mine.full", "when.enhanced '57' is not a code such as 5.1.1"),
        (table(when='{ command = "RCPT" }'), "mine.full", "when.command 'RCPT' is not CONNECT, HELO"),
        (table(when='{ provider = "nobody" }'), "mine.full", "provider nobody is not known"),
        (table(cause='"nothing"'), "mine.full", "no cause is called 'nothing'"),
        (table(cause='"clock_skew"'), "mine.full", "cause 'clock_skew' belongs to internal_auth_failed"),
        ("rule = 5", "file", "only [[rule]] tables are allowed"),
        ('rule = ["a"]', "rule 1", "'a' is not a table"),
        (table(text=None), "mine.full", "there must be a text, or a when with smtp or enhanced"),
        (table(text=None, when='{ provider = "qq" }'), "mine.full", "there must be a text, or a when"),
        (table(when='{ colour = "red" }'), "mine.full", "unknown key colour"),
        (table(text="'(quota'"), "mine.full", "missing )"),
        (table(text="'(?=quota)'"), "mine.full", "invalid"),
        (table(text=r"'(a)\1'"), "mine.full", "invalid"),
        (table(text="'x*'"), "mine.full", "matches the empty text"),
        (table(text=f"'{'x' * (MAX_PATTERN_CHARS + 1)}'"), "mine.full", f"{MAX_PATTERN_CHARS} are allowed"),
        (table(permanence='"forever"'), "mine.full", "'forever' is not a valid Permanence"),
        (table(action='"shout"'), "mine.full", "'shout' is not a valid Action"),
        (table(fix_owner='"nobody"'), "mine.full", "'nobody' is not a valid FixOwner"),
        (table(stage='"moon"'), "mine.full", "'moon' is not a valid Stage"),
        (table() + table(), "mine.full", "the id is taken already"),
        ("[rules]\n", "file", "only [[rule]] tables are allowed"),
        (table() + "\n[extra]\nkey = 1\n", "file", "only [[rule]] tables are allowed"),
    ],
)
def test_a_wrong_rule_is_refused_with_file_rule_and_reason(content: str, entry: str, reason: str) -> None:
    with pytest.raises(RuleError) as caught:
        load_rules([FakeFile("mine.toml", content)], custom=True)

    assert ("mine.toml", entry) == (caught.value.where, caught.value.entry)
    assert reason in caught.value.reason
    assert f"mine.toml: {entry}: " in str(caught.value)


@pytest.mark.parametrize("content", ["[[rule]\n", "id = ", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_refused_by_name(content: str | bytes) -> None:
    with pytest.raises(DataError) as caught:
        load_rules([FakeFile("mine.toml", content)])

    assert ("mine.toml", "syntax") == (caught.value.where, caught.value.entry)


def test_an_id_is_taken_over_all_files() -> None:
    with pytest.raises(RuleError, match="taken already"):
        load(table(), table())


def test_an_empty_file_holds_no_rules() -> None:
    assert () == load("# nothing\n")


@pytest.mark.parametrize(
    ("when", "fires"),
    [
        (When(), True),
        (When(provider=frozenset({"qq"})), True),
        (When(provider=frozenset({"qq", "sina"})), True),
        (When(provider=frozenset({"sina"})), False),
        (When(smtp=("552",)), True),
        (When(smtp=("5xx",)), True),
        (When(smtp=("451",)), True),
        (When(smtp=("550", "552")), True),
        (When(smtp=("4xx", "550")), True),
        (When(smtp=("550",)), False),
        (When(enhanced=("5.2.2",)), True),
        (When(enhanced=("X.2.2",)), True),
        (When(enhanced=("5.2.0-9",)), True),
        (When(enhanced=("5.2.3-9",)), False),
        (When(enhanced=("5.2.22",)), False),
        (When(command=frozenset({"DATA"})), True),
        (When(command=frozenset({"RCPT TO"})), False),
        (When(provider=frozenset({"qq"}), smtp=("552",), command=frozenset({"DATA"})), True),
        (When(provider=frozenset({"qq"}), smtp=("552",), command=frozenset({"RCPT TO"})), False),
    ],
)
def test_all_conditions_must_hold(when: When, *, fires: bool) -> None:
    text = "451 4.4.0 wrapped. Last reason: 552 5.2.2 over quota (in reply to end of DATA command)"

    assert fires is bool(fired(text, rule(when=when), parties=frozenset({"qq", "postfix"})))


@pytest.mark.parametrize(
    ("pattern", "code", "covered"),
    [
        ("5.1.1", "5.1.1", True),
        ("5.1.1", "5.1.10", False),
        ("5.1.1", "4.1.1", False),
        ("X.1.1", "4.1.1", True),
        ("X.1.1", "5.1.1", True),
        ("X.1.1", "5.1.2", False),
        ("5.7.606-649", "5.7.606", True),
        ("5.7.606-649", "5.7.649", True),
        ("5.7.606-649", "5.7.650", False),
        ("5.7.606-649", "4.7.606", False),
        ("5.7.606-5.7.649", "5.7.611", True),
        ("X.7.606-649", "4.7.611", True),
        ("5.1.1", "", False),
    ],
)
def test_an_enhanced_code_is_covered_by_itself_its_class_or_its_range(
    pattern: str, code: str, *, covered: bool
) -> None:
    assert covered is covers_enhanced(pattern, code)


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("552 over quota", 0.9 * INNERMOST),
        ("451 4.4.0 over quota. Last reason: 450 later", 0.9 * OUTER),
        ("451 4.4.0 over quota. Last reason: 552 quota", 0.9 * INNERMOST),
    ],
)
def test_a_text_weighs_by_the_place_where_it_stands(text: str, weight: float) -> None:
    (found,) = matches(text, rule())

    assert weight == pytest.approx(found.weight)


@pytest.mark.parametrize(
    ("text", "status", "weight"),
    [
        ("552 5.2.2 no", None, 0.6 * INNERMOST),
        ("552 5.2.2 no. Last reason: 450 4.1.1 later", None, 0.6 * OUTER),
        ("no", "5.2.2", 0.6 * STATUS),
        ("552 5.2.2 no", "5.1.1", 0.6 * INNERMOST),
    ],
)
def test_a_code_weighs_by_the_place_where_it_stands(text: str, status: str | None, weight: float) -> None:
    by_code = rule(text=None, strength=0.6, when=When(enhanced=("5.2.2",)))
    (found,) = matches(text, by_code, status=status)

    assert weight == pytest.approx(found.weight)
    assert (None, None) == (found.start, found.end)


def test_a_notice_weighs_less_and_has_no_place() -> None:
    (found,) = RuleBook([rule()]).notice_matches("The mailbox is over its quota")

    assert 0.9 * NOTICE == pytest.approx(found.weight)
    assert ("quota", None, None) == (found.quote, found.start, found.end)


def test_a_match_quotes_the_words_and_their_place() -> None:
    text = "552 5.2.2 over QUOTA now"
    (found,) = matches(text, rule())

    assert ("QUOTA", "QUOTA") == (found.quote, text[found.start : found.end])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (rule("mine.a", strength=0.3, custom=True), rule("mine.b", strength=0.99)),
        (rule("mine.a", strength=0.95), rule("mine.b", strength=0.9)),
        (rule("mine.a", when=When(smtp=("552",))), rule("mine.b")),
        (
            rule("mine.a", when=When(smtp=("552",), enhanced=("5.2.2",))),
            rule("mine.b", when=When(smtp=("552",))),
        ),
        (rule("mine.a", text="over quota"), rule("mine.b")),
        (rule("mine.a", strength=0.95), rule("mine.b", when=When(smtp=("552",), enhanced=("5.2.2",)))),
    ],
    ids=[
        "the user's own",
        "the stronger",
        "with a condition",
        "with more conditions",
        "the longer",
        "strength first",
    ],
)
def test_the_more_specific_rule_ranks_higher(first: Rule, second: Rule) -> None:
    assert ["mine.a", "mine.b"] == fired("552 5.2.2 over quota", second, first)


@pytest.mark.parametrize("text", ["550 no", "", "qu ota"])
def test_nothing_fires_on_other_words(text: str) -> None:
    assert [] == fired(text, rule(), rule("mine.code", text=None, when=When(smtp=("552",))))


def test_many_rules_are_searched_as_one_would_be() -> None:
    rules = [rule(f"mine.r{number}", text=rf"word{number}\b") for number in range(500)]

    assert ["mine.r7"] == fired("550 here is word7 alone", *rules)


def test_the_version_changes_with_any_rule() -> None:
    versions = {
        RuleBook(rules).version for rules in ([rule()], [rule(strength=0.91)], [rule(), rule("mine.b")], [])
    }

    assert (4, RuleBook([rule()]).version) == (len(versions), RuleBook([rule()]).version)


def test_the_shipped_rules_are_read() -> None:
    assert len(shipped_rules()) > 1000


@pytest.mark.parametrize("seed", ["1", "2"])
def test_every_process_gives_the_rules_the_same_version(seed: str) -> None:
    """Workers must agree, whatever the order of their sets."""
    told = subprocess.run(  # the same rules in another process
        [sys.executable, "-c", "from model.pipeline import build_diagnoser as b; print(b().rules_version)"],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )

    assert build_diagnoser().rules_version == told.stdout.strip()
