from typing import Any

import pytest

from service.errors import CallRefused
from service.ticketing.templates import Values, WrongTemplate, call_template, ticket_pattern
from tests.unit.ticketing.fakes import Call, FakeCaller

BLANKS = frozenset({"ticket", "tags", "fields", "note"})
NASTY = '"}, "public": true, "x": "{ticket}\\\n\x00\u2028'
VALUES: Values = {"ticket": "12", "tags": ("a", "b,c"), "fields": {"kind": "bounce"}, "note": NASTY}


def made(line: str, body: str = "", values: Values = VALUES) -> Call:
    template = call_template(line, body, BLANKS)
    caller = FakeCaller({})
    with pytest.raises(CallRefused):
        template.made(caller, values)
    return caller.calls[0]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param('{"a": "{ticket}"}', {"a": "12"}, id="a text"),
        pytest.param('{"a": "{ticket|number}"}', {"a": 12}, id="a number"),
        pytest.param('{"a": ["{tags}", "{fields}"]}', {"a": [["a", "b,c"], {"kind": "bounce"}]}, id="a list"),
        pytest.param('{"a": "tags: {tags}!"}', {"a": "tags: a,b,c!"}, id="a list in a text"),
        pytest.param('{"a": "{note}", "public": false}', {"a": NASTY, "public": False}, id="nasty alone"),
        pytest.param('["<{note}>{ticket}"]', [f"<{NASTY}>12"], id="nasty in a text, filled once"),
        pytest.param(
            '{"{ticket}": 1, "b": [null, 1.5, true]}', {"{ticket}": 1, "b": [None, 1.5, True]}, id="else"
        ),
        pytest.param('"{ticket} {12}"', "12 {12}", id="braces that are no blank"),
    ],
)
def test_values_never_leave_their_place_in_a_body(body: str, expected: Any) -> None:
    call = made("PUT /x", body)
    assert expected == call.json
    assert "application/json" == call.headers["Content-Type"]


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("12", "/t/12?id=12"),
        ("../7", "/t/..%2F7?id=..%2F7"),
        ("..", "/t/%2E%2E?id=%2E%2E"),
        ("7?x=1&y#z", "/t/7%3Fx%3D1%26y%23z?id=7%3Fx%3D1%26y%23z"),
        ("//evil.example", "/t/%2F%2Fevil.example?id=%2F%2Fevil.example"),
        ("Ü {note}\r\n", "/t/%C3%9C%20%7Bnote%7D%0D%0A?id=%C3%9C%20%7Bnote%7D%0D%0A"),
    ],
)
def test_values_never_leave_their_place_in_a_path(value: str, path: str) -> None:
    assert path == made("GET /t/{ticket}?id={ticket}", values={**VALUES, "ticket": value}).path


def test_a_call_without_a_body_sends_none() -> None:
    call = made("POST /t/{ticket}/{tags}")
    assert ("/t/12/a%2Cb%2Cc", b"") == (call.path, call.body)
    assert "Content-Type" not in call.headers


@pytest.mark.parametrize("value", ["", "x", "1.5", "-1", "²", "9" * 19])
def test_what_is_no_number_is_refused(value: str) -> None:
    template = call_template("PUT /x", '"{ticket|number}"', BLANKS)
    caller = FakeCaller({})
    with pytest.raises(CallRefused, match="number"):
        template.made(caller, {**VALUES, "ticket": value})
    assert [] == caller.calls


@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("", ""),
        ("/x", ""),
        ("get /x", ""),
        ("GET x", ""),
        ("GET /x\n", ""),
        ("GET  /x", ""),
        ("GET //x", ""),
        ("GET /x#y", ""),
        ("GET /\u0131", ""),
        ("CONNECT /x", ""),
        ("GET @evil.example/", ""),
        ("GET /{other}", ""),
        ("GET /{ticket", ""),
        ("GET /{fields}", ""),
        ("GET /{ticket|number}", ""),
        ("PUT /x", "{"),
        ("PUT /x", '"{other}"'),
        ("PUT /x", '"a {fields}"'),
        ("PUT /x", '"{ticket|number} "'),
        ("PUT /x", "[" * 2000 + "]" * 2000),
    ],
)
def test_what_cannot_be_used_is_refused_before_any_call(line: str, body: str) -> None:
    with pytest.raises(WrongTemplate):
        call_template(line, body, BLANKS)


@pytest.mark.parametrize(
    ("template", "text", "ticket"),
    [
        ("[Desk #{ticket}]", "Re: [Desk #12] x", "12"),
        ("[Desk #{ticket}]", "Re: [Desk #SUP-12] x", "SUP-12"),
        ("#{ticket}", "x #12: y", "12"),
        ("<desk-{ticket}-", "<desk-12-34-5@x>", "12"),
        ("a.*{ticket}]", "a.*12]", "12"),
        ("a.*{ticket}]", "abc12]", None),
        ("[Desk #{ticket}]", "[Desk #1/2]", None),
        ("[Desk #{ticket}]", f"[Desk #{'1' * 65}]", None),
    ],
)
def test_a_ticket_is_found_where_the_form_says(template: str, text: str, ticket: str | None) -> None:
    found = ticket_pattern(template).search(text)
    assert ticket == (found[1] if found else None)


@pytest.mark.parametrize("template", ["", "{ticket}", " {ticket}", "x", "x{ticket}{ticket}", "x{Ticket}"])
def test_a_form_that_finds_anything_or_nothing_is_refused(template: str) -> None:
    with pytest.raises(WrongTemplate):
        ticket_pattern(template)
