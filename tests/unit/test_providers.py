"""Providers are recognised by the names of their hosts and by their own words."""

import pytest

from model.providers import Provider, ProviderBook, providers

BOOK = ProviderBook(
    [
        Provider("big", "Big", "mailbox", ("example.com", "mail.example.net"), ("big words",)),
        Provider("small", "Small", "gateway", ("filter.example.com",), ("small words?", r"\bsw\d+\b")),
        Provider("silent", "Silent", "program", (), ()),
    ]
)


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("example.com", "big"),
        ("mx1.example.com", "big"),
        ("MX1.Example.COM.", "big"),
        ("mx.filter.example.com", "small"),
        ("filter.example.com", "small"),
        ("mail.example.net", "big"),
        ("example.net", None),
        ("notexample.com", None),
        ("com", None),
        ("", None),
        (None, None),
    ],
)
def test_a_host_belongs_to_the_longest_known_suffix(host: str | None, provider: str | None) -> None:
    assert provider == BOOK.of_host(host)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("these are BIG words", {"big"}),
        ("small word and big words", {"big", "small"}),
        ("code sw12", {"small"}),
        ("nothing", set()),
        ("", set()),
    ],
)
def test_words_tell_who_wrote_them(text: str, found: set[str]) -> None:
    assert found == BOOK.of_text(text)


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("gmail-smtp-in.l.google.com", "gmail"),
        ("example-net.mail.protection.outlook.com", "exchange_online"),
        ("mx3.qq.com", "qq"),
        ("163mx01.mxmail.netease.com", "netease"),
        ("mx.example.net", None),
    ],
)
def test_the_shipped_providers_know_their_hosts(host: str, provider: str | None) -> None:
    assert provider == providers().of_host(host)
