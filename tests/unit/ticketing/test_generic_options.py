"""The options of the adapter for any other system: what fits together, and what is refused at once."""

import re
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest

from service.errors import SettingError
from service.ticketing.config import read_systems
from service.ticketing.nouns import Event, Routing
from service.ticketing.systems.generic import Generic
from tests.unit.ticketing.fake_generic import OPTIONS, SYSTEM, configured
from tests.unit.ticketing.fakes import KEY, SHARED, signed


@pytest.mark.parametrize(
    ("given", "header"),
    [
        ("X-Desk-Key: {token}", {"X-Desk-Key": KEY}),
        ("Authorization: Basic {basic}", {"Authorization": "Basic " + b64encode(b"ndr:1-2-abc").decode()}),
        (None, {"Authorization": f"Bearer {KEY}"}),
    ],
)
def test_credentials_are_sent_as_configured_and_not_shown(given: str | None, header: dict[str, str]) -> None:
    adapter = configured(drop=("authorization",), **({"authorization": given} if given else {}))
    assert header == adapter.headers()
    assert KEY not in repr(adapter)


def test_credentials_in_a_wrong_header_are_not_shown() -> None:
    with pytest.raises(SettingError, match=r"authorization='…'") as caught:
        configured(authorization=f"Bearer {KEY}")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("drop", "options", "complaint"),
    [
        pytest.param((), {"signature": "md5"}, r"signature='md5': .*hmac-base64", id="signature"),
        pytest.param((), {"raw_encoding": "hex"}, r"raw_encoding='hex'.*base64", id="encoding"),
        pytest.param((), {"authorization": "Bearer x"}, r"authorization=.*colon", id="header"),
        pytest.param((), {"authorization": "A: x\r\nB: y"}, r"authorization=", id="two headers"),
        pytest.param((), {"read": "/api/tickets"}, r"options\.read=.*method", id="no method"),
        pytest.param((), {"read": "GET https://evil.example/"}, r"options\.read=", id="another host"),
        pytest.param((), {"read": "GET //evil.example/"}, r"options\.read=", id="another host, shorter"),
        pytest.param((), {"read": "GET /\\evil.example/"}, r"options\.read=", id="another host, oddly"),
        pytest.param((), {"read": "GET /a b"}, r"options\.read=", id="a blank in the path"),
        pytest.param(
            (), {"read": "GET /{note}"}, r"options\.read=.*\{ticket\}, not \{note\}", id="no such blank"
        ),
        pytest.param((), {"read": "GET /{Ticket}"}, r"options\.read=.*other blanks", id="no blank at all"),
        pytest.param((), {"tags": "PUT /{fields}"}, r"options\.tags=.*whole", id="an object in a path"),
        pytest.param(
            (), {"merge": "PUT /{target|number}"}, r"options\.merge=.*whole", id="a number in a path"
        ),
        pytest.param((), {"note_body": "{note}"}, r"note_body='\{note\}'.*JSON", id="no JSON"),
        pytest.param((), {"note_body": '{"a": "{body}"}'}, r"note_body=.*not \{body\}", id="no such value"),
        pytest.param((), {"note_body": '["a {ticket|number}"]'}, r"note_body=.*whole", id="half a number"),
        pytest.param((), {"note_body": "[" * 20 + "]" * 20}, r"note_body=.*levels", id="too deep"),
        pytest.param((), {"subject": "{ticket}"}, r"subject=.*before", id="any subject"),
        pytest.param((), {"message_id": "<desk-"}, r"message_id=.*\{ticket\}", id="no place"),
        pytest.param(("fetch",), {}, r"options\.fetch=''.*raw_at", id="no mail"),
        pytest.param(("notes",), {}, r"options\.notes=''.*note needs it", id="notes cannot be looked at"),
        pytest.param(("read",), {}, r"options\.read=''.*needs it", id="tickets cannot be read"),
        pytest.param(("event_at",), {}, r"options\.event_at=''.*events needs it", id="no event"),
        pytest.param(("merge",), {}, r"options\.merge=''.*merge_body needs it", id="a body alone"),
        pytest.param(("tags_at",), {}, r"options\.tags_at=''.*\{new_tags\}", id="tags of others are lost"),
        pytest.param(
            ("note", "note_body", "tags", "tags_body", "tags_at"), {}, r"options\.tags=''", id="nothing"
        ),
        pytest.param((), {"tags_body": '["{tags}"]'}, r"tags_body=.*\{fields\}", id="fields go nowhere"),
    ],
)
def test_options_that_cannot_be_used_are_refused_at_once(
    drop: tuple[str, ...], options: dict[str, str], complaint: str
) -> None:
    with pytest.raises(SettingError, match=complaint) as caught:
        configured(drop=drop, **options)
    assert "systems.desk.options." in str(caught.value)


@pytest.mark.parametrize(
    ("change", "drop", "complaint"),
    [
        pytest.param({"merge": True}, ("merge", "merge_body"), r"options\.merge=", id="merging"),
        pytest.param(
            {"categories": {"mailbox_full": Routing((), "Postmaster")}},
            ("queue", "queue_body"),
            r"options\.queue=",
            id="a queue",
        ),
        pytest.param(
            {"categories": {"mailbox_full": Routing((), "", "3")}},
            ("priority", "priority_body"),
            r"options\.priority=",
            id="a priority",
        ),
    ],
)
def test_what_the_user_wants_needs_a_call(
    change: dict[str, object], drop: tuple[str, ...], complaint: str
) -> None:
    options = {name: value for name, value in OPTIONS.items() if name not in drop}
    with pytest.raises(SettingError, match=complaint):
        Generic(replace(SYSTEM, options=options, **change))  # type: ignore[arg-type]  # fields by name


def test_a_secret_that_is_none_of_standard_webhooks_is_refused_and_not_shown() -> None:
    with pytest.raises(SettingError, match=r"systems\.desk\.secret='…'.*whsec_") as caught:
        configured(signature="standard-webhooks")
    assert SHARED not in str(caught.value)


def test_the_least_configuration_is_enough(tmp_path: Path) -> None:
    file = tmp_path / "tickets.toml"
    file.write_text(
        '[systems.desk]\nadapter = "generic"\nurl = "https://desk.example"\n[systems.desk.options]\n'
        'raw_at = "mail"\ntags = "POST /tickets/{ticket}/tags"\ntags_body = \'["{new_tags}"]\'\n',
        "utf-8",
    )
    adapter = Generic(read_systems(file, {})["desk"])
    assert not adapter.has_note(None, Event("12"), "[x]")  # type: ignore[arg-type]  # nothing is called
    assert adapter.fetch(None, Event("12")) is None  # type: ignore[arg-type]  # nothing is called


def test_the_example_of_the_page_can_be_used(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "ticketing" / "generic.md").read_text("utf-8")
    file = tmp_path / "tickets.toml"
    file.write_text(
        re.sub(r'_file = "[^"]*"', '_env = "X"', page.split("```toml\n")[1].split("```")[0]), "utf-8"
    )
    adapter = Generic(read_systems(file, {"X": SHARED})["desk"])
    body = (
        b'{"event": "ticket_created", "ticket": {"id": 12}, "message": {"id": 34, "author": {"login": "x"}}}'
    )
    assert Event("12", "34") == adapter.read(signed(body))
    assert adapter.subjects[1]
    assert set(Generic.options) >= set(re.findall(r"^([a-z_]+) = ", page.split("options]\n")[1], re.M))
