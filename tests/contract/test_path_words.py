"""The way has its words in every language, and a command with values from a hostile mail is safe to paste."""

import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from model.errors import UnknownName
from model.languages import LANGUAGES
from model.next_steps import Step
from model.path import PLACES, Outcome, Seen
from model.resources import data_file, data_files, read_toml
from model.stamps import NO_YEAR
from model.step_words import label, outcome_title, place_title, state_title, words_of

STEPS = [entry["id"] for entry in read_toml(data_file("path.toml"))["step"]]
SIDES = {entry["id"]: entry["side"] for entry in read_toml(data_file("path.toml"))["step"]}
FACTS = {"powershell", "sh", "where"}
"""What stands in the file of the first language alone."""

VALUES = {
    *("day", "since", "until", "start", "end", "message_id", "recipient", "sender", "key", "reply"),
    *("postmaster", "text", "why", "hint", "what"),
}
AT, LATER = datetime(2026, 11, 2, 10, 9, 2, tzinfo=UTC), datetime(2026, 11, 2, 10, 19, 23, tzinfo=UTC)
ID, RECIPIENT, SENDER = "<d41d8cd9@example.com>", "warehouse@example.net", "sales@example.com"
CHINESE = re.compile(r"[\u4e00-\u9fff]")
UNFILLED = re.compile(r"\{[a-z_]+\}|\[\[|\]\]|\|\|")
UGLY = re.compile(
    r"[^ \n] {2,}\S|\s[,.:;，。：；]|[,，、]{2}|[（(] |，。|^[,，、]|[\u4e00-\u9fff] [\u4e00-\u9fff]"
)
"""Blanks and marks as a gap in a text leaves them."""

POWERSHELL_TEXT = re.compile("['\u2018-\u201b]((?:[^'\u2018-\u201b]|['\u2018-\u201b]{2})*)['\u2018-\u201b]")
HOSTILE = [
    "<x'; Remove-Item C:\\ #@example.com>",
    "<x\u2019; Stop-Computer #@example.com>",
    "<x\u201a\u201b\u2018; Stop-Computer #@example.com>",
    '<x"$(reboot)`reboot`$env:PATH@example.com>',
    "'; rm -rf / #",
    "-rf",
    "--files-with-matches",
    "<x@example.com>\nreboot",
    "<x@example.com>\r\x00\x1b[2Jreboot",
    "<x@example.com>\u2028\u202ereboot",
    "<{since}{key}@example.com>",
    "<[[x||y]]@example.com>",
    "a && b || c | d > e < f; g & h",
    "\\",
    "!!",
]
each_language = pytest.mark.parametrize("language", LANGUAGES)
each_step = pytest.mark.parametrize("step_id", STEPS)


def words(language: str) -> dict[str, Any]:
    return read_toml(data_file("path", f"{language}.toml"))


def texts(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """All texts of a file by their paths, without the facts."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from texts(value, f"{prefix}{key}.")
        elif key not in FACTS:
            yield f"{prefix}{key}", value


def step(step_id: str, side: str = "", **known: Any) -> Step:
    nothing = dict.fromkeys(("since", "until", "message_id", "recipient", "sender"))
    return Step(id=step_id, side=side or SIDES[step_id], **{**nothing, **known})


def full(step_id: str, **known: Any) -> Step:
    return step(
        step_id,
        **{
            **{"since": AT, "until": LATER, "message_id": ID, "recipient": RECIPIENT, "sender": SENDER},
            **known,
        },
    )


def test_every_language_has_its_file() -> None:
    assert set(LANGUAGES) == {file.name.removesuffix(".toml") for file in data_files("path")}


@each_language
def test_a_language_has_the_same_texts_as_the_first(language: str) -> None:
    assert set(dict(texts(words(LANGUAGES[0])))) == set(dict(texts(words(language))))


@each_language
def test_a_text_names_the_same_values_in_every_language(language: str) -> None:
    def named(text: str) -> set[str]:
        return set(re.findall(r"\{([a-z_]+)\}", text))

    first = dict(texts(words(LANGUAGES[0])))

    assert {} == {path: text for path, text in texts(words(language)) if named(text) != named(first[path])}


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_commands_stand_in_the_first_language_alone(language: str) -> None:
    assert [] == [name for name, entry in words(language)["step"].items() if FACTS & set(entry)]


@each_language
def test_every_step_and_no_other_has_words(language: str) -> None:
    assert set(STEPS) == set(words(language)["step"])


@each_language
def test_no_text_is_empty_or_has_blanks_at_its_end(language: str) -> None:
    assert {} == {
        path: text for path, text in texts(words(language)) if not text.strip() or text != text.rstrip()
    }


def test_chinese_texts_are_chinese() -> None:
    named = {"label.message_id", "label.pair", "label.told", "form.own"}

    assert named == {path for path, text in texts(words("zh")) if not CHINESE.search(text)}


def test_only_values_that_are_filled_in_are_named() -> None:
    entries = words(LANGUAGES[0])
    templates = [text for table in ("form", "letter", "where") for text in entries[table].values()] + [
        text for entry in entries["step"].values() for text in entry.values()
    ]

    assert set() == {name for text in templates for name in re.findall(r"\{([a-z_]+)\}", text)} - VALUES


@each_language
def test_every_value_of_the_way_has_a_title(language: str) -> None:
    titles = [
        *(place_title(place, language) for place in PLACES),
        *(outcome_title(outcome, language) for outcome in Outcome),
        *(state_title(seen, language) for seen in Seen),
    ]

    assert all(titles)
    assert (set(PLACES), set(Outcome), set(Seen)) == tuple(
        set(words(language)[table]) for table in ("place", "outcome", "state")
    )


@each_language
@each_step
def test_a_text_reads_well_whatever_is_known(step_id: str, language: str) -> None:
    every = {"since": AT, "message_id": ID, "recipient": RECIPIENT, "sender": SENDER}
    for chosen in product((False, True), repeat=len(every)):
        known = {
            name: value for (name, value), is_known in zip(every.items(), chosen, strict=True) if is_known
        }
        until = {"until": LATER} if "since" in known else {}
        for home in ("sender", "recipient"):
            told = words_of(step(step_id, **known, **until), language, home=home)
            shown = "\n".join((told.title, told.text, told.command))

            assert told.title
            assert told.text
            assert not UNFILLED.search(shown)
            assert not UGLY.search(told.text)


@each_language
@each_step
@pytest.mark.parametrize("home", ["sender", "recipient"])
def test_whoever_knows_all_is_told_what_to_do(step_id: str, home: str, language: str) -> None:
    assert words_of(full(step_id), language, home=home).command


@each_language
@each_step
def test_a_log_is_asked_for_by_time_and_message(step_id: str, language: str) -> None:
    if not step_id.endswith("_log") or step_id == "send_protocol_log":
        return
    told = words_of(full(step_id), language)
    shown = told.text + told.command

    assert [] == [each for each in ("2026-11-02", "10:09–10:20", "UTC", ID) if each not in shown]


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (AT, LATER, "of 2026-11-02 10:09–10:20 UTC"),
        (AT, LATER.replace(second=0), "of 2026-11-02 10:09–10:19 UTC"),
        (AT, LATER.replace(day=5), "of 2026-11-02 10:09–2026-11-05 10:20 UTC"),
        (AT, LATER.replace(hour=23, minute=59), "of 2026-11-02 10:09–2026-11-03 00:00 UTC"),
        (AT.replace(year=NO_YEAR), LATER.replace(year=NO_YEAR), "of 11-02 10:09–10:20 UTC"),
        (
            datetime(NO_YEAR, 1, 1, tzinfo=UTC),
            datetime.max.replace(tzinfo=UTC),
            "of 01-01 00:00–12-31 23:59 UTC",
        ),
        (AT, None, ""),
        (None, LATER, ""),
        (None, None, ""),
    ],
)
def test_a_span_is_given_in_whole_minutes(
    since: datetime | None, until: datetime | None, expected: str
) -> None:
    text = words_of(full("tracking_log", since=since, until=until), "en").text

    assert text.startswith(f"Ask for the message tracking log {expected}".rstrip() + " for message id")


@pytest.mark.parametrize("year", [NO_YEAR, None])
def test_a_command_has_no_span_that_lacks_its_year(year: int | None) -> None:
    since, until = (AT.replace(year=year), LATER.replace(year=year)) if year else (None, None)

    assert "-Start" not in words_of(full("tracking_log", since=since, until=until), "en").command


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({}, f"-MessageId '{ID}' -Start ([datetime]'2026-11-02T10:09:02Z')"),
        ({"message_id": None}, f"-Recipients '{RECIPIENT}' -Start"),
        ({"message_id": None, "recipient": None}, f"-Sender '{SENDER}' -Start"),
        ({"message_id": None, "recipient": None, "sender": ""}, "-EventId FAIL -Start"),
        ({"message_id": f"<{'x' * 1000}@example.com>"}, f"-Recipients '{RECIPIENT}' -Start"),
    ],
)
def test_a_message_is_looked_for_by_the_best_that_is_known(known: dict[str, Any], expected: str) -> None:
    assert expected in words_of(full("tracking_log", **known), "en").command


def test_a_command_that_lacks_what_it_looks_for_is_left_out() -> None:
    assert "" == words_of(step("mta_log", since=AT, until=LATER), "en").command


@each_language
@pytest.mark.parametrize(
    ("step_id", "home", "postmaster"),
    [
        ("recipient_gateway_log", "sender", "postmaster@example.net"),
        ("recipient_transport_log", "sender", "postmaster@example.net"),
        ("mta_log", "recipient", "postmaster@example.com"),
        ("recipient_gateway_log", "recipient", None),
        ("mta_log", "sender", None),
    ],
)
def test_what_the_other_side_has_is_asked_for_in_a_letter(
    step_id: str, home: str, postmaster: str | None, language: str
) -> None:
    told = words_of(full(step_id), language, home=home, reply="550 5.7.1\r\n refused\x1b[2J")
    wanted = (ID, RECIPIENT, SENDER, "550 5.7.1 refused [2J", words(language)["step"][step_id]["what"])

    assert (postmaster is not None) == all(each in told.command for each in wanted)
    assert postmaster is None or postmaster in told.text


@pytest.mark.parametrize("recipient", ["x", "x@", "x@y z", "x@<script>", "@", "x@[192.0.2.1]", ""])
def test_a_postmaster_is_named_for_a_domain_only(recipient: str) -> None:
    assert "postmaster@" not in words_of(full("recipient_gateway_log", recipient=recipient), "en").text


def test_a_long_reply_is_quoted_in_part() -> None:
    told = words_of(full("recipient_gateway_log"), "en", reply="550 " + "x" * 10_000)

    assert len(told.command) < 1000


@each_step
@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_stays_one_word_of_a_command(step_id: str, value: str) -> None:
    home = SIDES[step_id]
    same = dict.fromkeys(("message_id", "recipient", "sender"), value)
    tame = dict.fromkeys(same, "tame")
    command = words_of(full(step_id, **same), "en", home=home).command
    harmless = words_of(full(step_id, **tame), "en", home=home).command
    seen = "".join(filter(str.isprintable, value)).strip()
    lines = list(zip(command.split("\n"), harmless.split("\n"), strict=True))

    assert command.isprintable() or "\n" in command
    for line, expected in lines:
        assert line.isprintable()
        if "Get-" in expected:
            assert powershell_parts(expected, "tame") == powershell_parts(line, seen)
        elif "grep" in expected:
            assert sh_parts(expected, "tame") == sh_parts(line, seen)


def powershell_parts(line: str, value: str) -> list[str]:
    """What stands outside of quotes and, as PowerShell reads them, inside; a value as ``VALUE``."""
    quoted = [
        re.sub("(['\u2018-\u201b])['\u2018-\u201b]", r"\1", text) for text in POWERSHELL_TEXT.findall(line)
    ]
    return [POWERSHELL_TEXT.sub("''", line), *("VALUE" if text == value else text for text in quoted)]


def sh_parts(line: str, value: str) -> list[str]:
    return ["VALUE" if part == value else part for part in shlex.split(line)]


@pytest.mark.parametrize("value", ["tame", *HOSTILE[:1]])
def test_the_check_on_quotes_sees_one_that_is_broken(value: str) -> None:
    broken = f"Get-X -MessageId '{value}'"

    assert (value == "tame") == (powershell_parts(broken, value) == ["Get-X -MessageId ''", "VALUE"])


def test_no_unknown_name_has_words() -> None:
    asked = (
        lambda: words_of(full("ndr"), "xx"),
        lambda: words_of(step("no_such_step", "sender"), "en"),
        lambda: place_title("mars", "en"),
        lambda: place_title("client", "xx"),
        lambda: outcome_title("lost", "zh"),
        lambda: state_title("felt", "zh"),
        lambda: label("nothing", "en"),
    )
    for ask in asked:
        with pytest.raises(UnknownName):
            ask()
