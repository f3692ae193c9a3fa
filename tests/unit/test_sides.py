"""Whose server a host is: by what the caller says, by the addresses, by providers, by whose log names it."""

from collections import Counter

import pytest

from model.sides import Own, Sides, is_gateway, is_relay, same_host, side_of_log

OUTWARD = Sides(frozenset({"example.com"}), frozenset({"example.org"}))
TO_QQ = Sides(frozenset({"example.com"}), frozenset({"qq.com"}))


@pytest.mark.parametrize(
    ("expected", "host"),
    [
        ("sender", "mx1.example.com"),
        ("sender", "EXAMPLE.COM."),
        ("recipient", "mx1.example.org"),
        (None, "notexample.org"),
        (None, "example.net"),
        (None, "mx.example.org.example.net"),
        ("sender", "ex1"),
        ("sender", "ex1.corp"),
        ("sender", "[192.168.1.5]"),
        ("sender", "fe80::1:2:3:4%12"),
        (None, "203.0.113.9"),
        (None, "mxbiz1.qq.com"),
        (None, "eu-smtp-inbound-1.mimecast.com"),
        ("sender", "smtp.sendgrid.net"),
        (None, ""),
        (None, None),
    ],
)
def test_a_host_is_of_the_side_whose_domain_it_bears(expected: str | None, host: str | None) -> None:
    assert expected == OUTWARD.of(host)


def test_a_mailbox_provider_is_at_its_customers() -> None:
    assert ["recipient", None] == [sides.of("mx3.qq.com") for sides in (TO_QQ, OUTWARD)]


@pytest.mark.parametrize(
    ("expected", "own", "host"),
    [
        ("sender", {"domains": {"example.com"}}, "mx1.example.com"),
        ("recipient", {"domains": {"example.org"}}, "mx1.example.org"),
        ("recipient", {"domains": {"example.org"}}, "ex1"),
        ("recipient", {"domains": {"example.org"}}, "10.0.0.5"),
        ("recipient", {"domains": {"example.org"}, "hosts": {"relay.example.net"}}, "relay.example.net"),
        ("recipient", {"domains": {"example.org"}, "hosts": {".filter.example"}}, "in1.filter.example"),
        (None, {"domains": {"example.org"}, "hosts": {".filter.example"}}, "in1.otherfilter.example"),
        ("sender", {"hosts": {"203.0.113.9"}}, "203.0.113.9"),
        (None, {"hosts": {"203.0.113.9"}}, "203.0.113.90"),
    ],
)
def test_what_the_caller_calls_his_own_is_at_home(
    expected: str | None, own: dict[str, set[str]], host: str
) -> None:
    told = Own(**{name: frozenset(values) for name, values in own.items()})

    assert expected == Sides(OUTWARD.sender_domains, OUTWARD.recipient_domains, told).of(host)


@pytest.mark.parametrize(
    ("expected", "own", "senders", "recipients", "witness"),
    [
        ("sender", {"example.com"}, {"example.com"}, {"example.org"}, "recipient"),
        ("recipient", {"example.org"}, {"example.com"}, {"example.org"}, "sender"),
        ("recipient", {"example.org"}, {"example.com"}, {"mail.example.org"}, "sender"),
        ("sender", {"example.com"}, {"example.com"}, {"example.com"}, "recipient"),
        ("recipient", {"example.net"}, {"example.com"}, {"example.org"}, "recipient"),
        ("recipient", {"example.org"}, {"lists.example"}, set(), "sender"),
        ("sender", {"example.org"}, set(), {"example.com"}, "recipient"),
        ("recipient", set(), {"example.com"}, {"example.org"}, "recipient"),
        ("sender", set(), {"example.com"}, {"example.org"}, "sender"),
    ],
)
def test_home_is_where_the_callers_domain_is_else_where_the_evidence_was_written(
    expected: str, own: set[str], senders: set[str], recipients: set[str], witness: str
) -> None:
    sides = Sides(frozenset(senders), frozenset(recipients), Own(domains=frozenset(own)), witness=witness)

    assert (expected, bool(own)) == (sides.home, sides.is_told)


@pytest.mark.parametrize(
    ("expected", "host", "witness"),
    [
        ("recipient", "mx1", "theirs"),
        ("recipient", None, "theirs"),
        ("recipient", "10.0.0.5", "theirs"),
        ("sender", "mx1.example.com", "theirs"),
        ("recipient", "203.0.113.9", "theirs"),
        ("sender", "mx1", "unknown"),
        ("sender", None, "unknown"),
        ("recipient", "mx1.example.org", "unknown"),
    ],
)
def test_a_name_without_a_domain_is_of_the_side_of_the_log_that_has_it(
    expected: str, host: str | None, witness: str
) -> None:
    sides = Sides(OUTWARD.sender_domains, OUTWARD.recipient_domains, witnesses={"theirs": "recipient"})

    assert expected == sides.stands(host, witness)


@pytest.mark.parametrize(
    ("expected", "senders", "recipients"),
    [
        (True, {"example.com"}, {"example.com"}),
        (True, {"example.com"}, {"branch.example.com"}),
        (False, {"example.com"}, {"example.org"}),
        (False, {"example.com"}, {"notexample.com"}),
        (False, set(), {"example.com"}),
    ],
)
def test_mail_within_one_organisation_is_internal(
    expected: bool,  # noqa: FBT001
    senders: set[str],
    recipients: set[str],
) -> None:
    assert expected == Sides(frozenset(senders), frozenset(recipients)).is_internal


@pytest.mark.parametrize(
    ("expected", "mails", "senders", "recipients"),
    [
        ("sender", {"example.com": 9, "example.org": 1}, ["example.com"], ["example.org"]),
        ("recipient", {"example.com": 1, "example.org": 9}, ["example.com"], ["example.org"]),
        (None, {"example.com": 4, "example.org": 4}, ["example.com"], ["example.org"]),
        (None, {}, ["example.com"], ["example.org"]),
        ("recipient", {"example.com": 9, "lists.example": 1}, ["lists.example"], []),
        ("sender", {"example.com": 9, "example.org": 1}, [], ["example.org"]),
        ("recipient", {"example.com": 1, "example.org": 9}, [], ["example.org"]),
        (None, {"example.com": 9}, [], []),
    ],
)
def test_a_log_is_that_of_the_domain_which_most_of_its_mails_concern(
    expected: str | None, mails: dict[str, int], senders: list[str], recipients: list[str]
) -> None:
    assert expected == side_of_log(Counter(mails), senders, recipients)


@pytest.mark.parametrize(
    ("expected", "one", "other"),
    [
        (True, "ex1.example.com", "EX1.example.com"),
        (True, "ex1", "ex1.example.com"),
        (True, "EX1.example.com", "ex1"),
        (True, "[192.0.2.1]", "192.0.2.1"),
        (False, "ex1", "ex11.example.com"),
        (False, "ex1.example.net", "ex1.example.com"),
        (False, "mail.example", "mail.example.com"),
        (False, "", ""),
        (False, None, "ex1"),
    ],
)
def test_a_short_name_may_be_the_first_label_of_a_long_one(
    expected: bool,  # noqa: FBT001
    one: str | None,
    other: str | None,
) -> None:
    assert expected == same_host(one, other)


@pytest.mark.parametrize(
    ("expected", "host", "software"),
    [
        (True, "eu-smtp-inbound-1.mimecast.com", None),
        (True, "mx1.example.org", "Barracuda"),
        (True, "GW1", None),
        (True, "gw1.example.com", None),
        (False, "mx1.example.org", "Postfix"),
        (False, "mx1.example.org", None),
        (False, None, None),
    ],
)
def test_a_filter_is_known_by_its_provider_its_software_or_the_evidence(
    expected: bool,  # noqa: FBT001
    host: str | None,
    software: str | None,
) -> None:
    sides = Sides(OUTWARD.sender_domains, OUTWARD.recipient_domains, filters=frozenset({"gw1.example.com"}))

    assert expected == sides.is_filter(host, software)


def test_a_sending_service_is_no_gateway() -> None:
    assert [(False, True), (True, False), (False, False)] == [
        (is_gateway(host), is_relay(host))
        for host in ("smtp.sendgrid.net", "mx0a-00000000.pphosted.com", "mx.example.org")
    ]
