"""Providers are recognised by the names of their hosts and by their own words."""

import pytest

from model.providers import Provider, ProviderBook, providers

BOOK = ProviderBook(
    [
        Provider("big", "Big", "mailbox", ("example.com", "mail.example.net"), ("big words",)),
        Provider(
            "small",
            "Small",
            "gateway",
            ("filter.example.com",),
            ("small words?", r"\bsw\d+\b"),
            ("^X-Small",),
        ),
        Provider("maker", "Maker", "program", (), (), ("^X-Maker-Id:", "^X-Mailer: ?Maker")),
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


@pytest.mark.parametrize(
    ("header_block", "maker"),
    [
        ("Subject: x\nX-Maker-Id: 1", "maker"),
        ("x-mailer: Maker 2.0", "maker"),
        ("X-Small-Score: 1\nSubject: x", "small"),
        ("X-Small-Score: 1\nX-Maker-Id: 1", "maker"),
        ("Subject: X-Maker-Id: 1", None),
        ("", None),
    ],
)
def test_headers_tell_who_made_a_mail_a_gateway_for_want_of_others(
    header_block: str, maker: str | None
) -> None:
    assert maker == BOOK.of_headers(header_block)


@pytest.mark.parametrize(
    ("header", "provider"),
    [
        ("X-Mailer: Coremail Webmail Server Version 5", "coremail"),
        ("X-CM-TRANSID: abc", "coremail"),
        ("X-QQ-mid: abc", "qq"),
        ("X-MS-Exchange-Message-Is-Ndr:", "exchange"),
        ("X-SendGrid-QueueID: 12", "sendgrid"),
        ("X-Barracuda-Connect: mx.example.net[192.0.2.7]", "barracuda"),
        ("X-ASG-Debug-ID: 1", "barracuda"),
        ("X-Mailer: something", None),
    ],
)
def test_the_shipped_providers_know_their_headers(header: str, provider: str | None) -> None:
    assert provider == providers().of_headers(f"Subject: x\n{header}\nFrom: news@example.org")
