"""Addresses that stand for others are read, and addresses that merely look a little like them are not."""

from __future__ import annotations

from typing import Any

import pytest

from model.envelope import original_recipient_of, unsigned
from model.pipeline import build_diagnoser
from model.resources import data_file, read_toml

FORMS = read_toml(data_file("envelope.toml"))


def rows(kind: str, field: str) -> list[Any]:
    return [
        pytest.param(*(each if isinstance(each, list) else [each]), id=f"{form.get('id', kind)}-{number}")
        for form in FORMS[kind]
        for number, each in enumerate(form.get(field, ()))
    ]


@pytest.mark.parametrize(("address", "recipient"), rows("verp", "examples"))
def test_a_return_address_tells_whom_the_mail_was_for(address: str, recipient: str) -> None:
    assert recipient == original_recipient_of(address)


@pytest.mark.parametrize(
    "address",
    [*rows("verp", "counter_examples"), *rows("signed", "counter_examples"), *rows("opaque", "examples")],
)
def test_an_address_that_only_holds_such_signs_tells_nobody(address: str) -> None:
    assert original_recipient_of(address) is None


@pytest.mark.parametrize(
    "address",
    [
        "user@example.com",
        "user+tag@example.com",
        "user=example.com@example.org",
        "a+b=c@example.com",
        "user+tag=example.com@example.org",
        "bounces+user=example.com",
        "bounces+=example.com@example.org",
        "bounces+user=@example.org",
        "bounces+user=example@example.org",
        "my-error+user=exam ple.com@example.org",
        "",
        "@",
        "bounces+" + "a" * 2000 + "=example.com@example.org",
    ],
)
def test_what_is_no_such_address_tells_nobody(address: str) -> None:
    assert original_recipient_of(address) is None


@pytest.mark.parametrize(("address", "sender"), rows("signed", "examples"))
def test_a_signed_or_rewritten_address_stands_for_its_sender(address: str, sender: str) -> None:
    assert sender == unsigned(address)


@pytest.mark.parametrize("address", [*rows("signed", "counter_examples"), "user@example.com", ""])
def test_an_address_that_is_not_signed_stays(address: str) -> None:
    assert address == unsigned(address)


@pytest.mark.parametrize(
    "address",
    [
        "prvs=4321a1b2c3=news-bounces+user=example.com@lists.example.org",
        "SRS0=HHHH=TT=lists.example.org=news-bounces+user=example.com@forwarder.example.net",
        "SRS0=HHHH=TT=lists.example.org=prvs=4321a1b2c3=news-bounces+user=example.com@forwarder.example.net",
        "NEWS-BOUNCES+User=Example.com@LISTS.example.org",
    ],
)
def test_wrapping_and_case_do_not_hide_the_recipient(address: str) -> None:
    assert original_recipient_of(address) == "user@example.com"


def test_every_form_names_its_source_and_has_an_example() -> None:
    assert all(form["source"] and form["examples"] for kind in FORMS.values() for form in kind)


MAIL = """\
From: MAILER-DAEMON@mx.example.net
To: {to}
Subject: Undeliverable mail

Your message was not delivered{about}: the mailbox is full.
"""


@pytest.mark.parametrize(
    ("to", "about", "recipient"),
    [
        ("news-bounces+user=example.com@lists.example.org", "", "user@example.com"),
        ("news-bounces+user=example.com@lists.example.org", " to <other@example.com>", "other@example.com"),
        ("user+news=example.com@example.org", "", None),
        ("sender@example.org", "", None),
    ],
)
def test_a_report_that_names_nobody_is_about_whom_its_return_address_was_made_for(
    to: str, about: str, recipient: str | None
) -> None:
    diagnosis = build_diagnoser().diagnose(MAIL.format(to=to, about=about).encode())

    assert [recipient] == [each.address for each in diagnosis.recipients]
