"""The fields of a delivery status become one failure a recipient."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.dsn import MAX_RECIPIENTS, clean_address, is_address, read_delivery_status
from model.types import Failure

ONE = """Reporting-MTA: dns; mail.example.org
Arrival-Date: Mon, 2 Mar 2026 09:00:00 +0000

Final-Recipient: rfc822; info@example.net
Original-Recipient: rfc822;office@example.net
Action: failed
Status: 5.1.1
Remote-MTA: dns; MX.example.net
Diagnostic-Code: smtp; 550 5.1.1 <info@example.net>:
    User unknown
"""


def only(text: str) -> Failure:
    (failure,) = read_delivery_status(text).failures
    return failure


def test_a_recipient_is_read_with_all_that_is_said_about_it() -> None:
    expected = Failure(
        address="info@example.net",
        original_address="office@example.net",
        action="failed",
        status="5.1.1",
        diagnostic="smtp; 550 5.1.1 <info@example.net>: User unknown",
        remote_mta="mx.example.net",
    )

    assert expected == only(ONE)
    assert "mail.example.org" == read_delivery_status(ONE).reporting_mta


@pytest.mark.parametrize(
    "between",
    ["\n\n", "\n\n\n\n", "\n"],
    ids=["a blank line", "several blank lines", "a second Final-Recipient"],
)
def test_recipients_are_parted(between: str) -> None:
    blocks = (f"Final-Recipient: rfc822; {name}@example.net\nAction: failed" for name in ("one", "two"))
    failures = read_delivery_status(between.join(blocks)).failures

    assert ["one@example.net", "two@example.net"] == [failure.address for failure in failures]


@pytest.mark.parametrize("text", ["", "\n\n", "Reporting-MTA: dns; mail.example.org", "no field at all"])
def test_a_status_without_recipients_has_no_failures(text: str) -> None:
    assert () == read_delivery_status(text).failures


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Action: Failed", "failed"),
        ("Action: delayed (will retry)", "delayed"),
        ("Action:", None),
        ("Status: 5.1.1", None),
    ],
)
def test_the_action_is_its_first_word(field: str, value: str | None) -> None:
    assert value == only(f"Final-Recipient: rfc822; info@example.net\n{field}").action


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("5.1.1", "5.1.1"),
        ("4.4.7 (delivery time expired)", "4.4.7"),
        ("5.7.606", "5.7.606"),
        ("550 5.7.1", "5.7.1"),
        ("9.9.9", None),
        ("failed", None),
    ],
)
def test_the_status_is_a_code_or_nothing(value: str, status: str | None) -> None:
    assert status == only(f"Final-Recipient: rfc822; info@example.net\nStatus: {value}").status


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("dns; mx.example.net", "mx.example.net"),
        ("DNS;MX.example.net.", "mx.example.net"),
        ("dns; mx.example.net (192.0.2.7)", "mx.example.net"),
        ("dns;[192.0.2.7]", "192.0.2.7"),
        ("mx.example.net", "mx.example.net"),
        ("dns;", None),
        ("", None),
    ],
)
def test_a_host_is_its_bare_name(value: str, name: str | None) -> None:
    assert name == only(f"Final-Recipient: rfc822; info@example.net\nRemote-MTA: {value}").remote_mta


def test_fields_of_other_cases_and_folds_are_read() -> None:
    text = "FINAL-RECIPIENT : RFC822;info@example.net\nDIAGNOSTIC-CODE:smtp;\n\t550 no\n\tsuch user"

    assert ("info@example.net", "smtp; 550 no such user") == (only(text).address, only(text).diagnostic)


def test_the_address_that_the_alias_stood_for_is_the_one_that_failed() -> None:
    failure = only(
        "Original-Recipient: rfc822; team@example.org\nFinal-Recipient: rfc822; team@example.org\n"
        "X-Actual-Recipient: rfc822; info@example.net"
    )

    assert ("info@example.net", "team@example.org") == (failure.address, failure.original_address)


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("rfc822; info@example.net", "info@example.net"),
        ("rfc822;<info@example.net>", "info@example.net"),
        ("RFC822;info@example.net", "info@example.net"),
        ("utf-8; отдел@example.net", "отдел@example.net"),
        ("utf-8; \\x{43E}tdel@example.net", "оtdel@example.net"),
        ("rfc822; user+2Bnews@example.net", "user+news@example.net"),
        ("rfc822; user+news@example.net", "user+news@example.net"),
        ("rfc822; @relay.example:info@example.net", "info@example.net"),
        ('rfc822; "two words"@example.net', '"two words"@example.net'),
        ("info@example.net", "info@example.net"),
        ("rfc822; localpart", "localpart"),
        ("rfc822;", None),
        ("", None),
        ("rfc822; <>", None),
    ],
)
def test_addresses_are_read_as_they_are_written_in_mail(value: str, address: str | None) -> None:
    assert address == clean_address(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("info@example.net", True),
        ("отдел@example.net", True),
        ('"two words"@example.net', True),
        ("info@localhost", True),
        ("info", False),
        ("|/usr/bin/filter", False),
        ("@relay.example", False),
        ("info@", False),
        ("one@example.net two@example.net", False),
        ("https://example.net/a@b", False),
        ("", False),
        (None, False),
    ],
)
def test_an_address_is_one_and_nothing_else(text: str | None, *, expected: bool) -> None:
    assert expected is is_address(text)


def test_recipients_are_read_to_a_limit() -> None:
    block = "Final-Recipient: rfc822; info@example.net\n\n"

    assert MAX_RECIPIENTS == len(read_delivery_status(block * (MAX_RECIPIENTS + 50)).failures)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="Final-Recipient: Status\n\t;@<>.5x{+", max_size=200))
def test_any_text_is_read(text: str) -> None:
    status = read_delivery_status(text)

    assert all(failure.diagnostic is not None for failure in status.failures)
