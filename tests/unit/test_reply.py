"""A diagnostic text gives up the reply that decides, and nothing that is not in it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.reply import MAX_REPLY_CHARS, block_lists, codes_of, readable, unwrap
from model.types import Unwrapped

WORKED = (
    '451 4.4.0 Primary target IP address responded with: "454 4.7.0 Temporary authentication failure."'
    " Attempted failover to alternate host, but that did not succeed. Either there are no alternate hosts, or"
    " delivery failed to all alternate hosts. The last endpoint attempted was 192.0.2.12:25"
)
SIBLING = (
    '451 4.4.0 Primary target IP address responded with: "451 5.7.3 Cannot achieve Exchange Server'
    ' authentication." Attempted failover to alternate host, but that did not succeed.'
)
TWICE = (
    "Server at mx.example.net (192.0.2.7) returned '400 4.4.7 Message delayed' Server at mx.example.net"
    " (192.0.2.7) returned '451 4.4.0 Primary target IP address responded with: "
    '"421 4.2.1 Unable to connect." Attempted failover to alternate host\''
)
POSTFIX_LOG = (
    "Mar  2 09:00:01 mail postfix/smtp[1234]: 4XyZ0r1BcdzG7k: to=<user@example.net>,"
    " relay=mx.example.net[192.0.2.7]:25, delay=1.2, dsn=5.7.1, status=bounced"
    " (host mx.example.net[192.0.2.7] said: 554 5.7.1 <news@example.org>: Sender address rejected:"
    " Access denied (in reply to MAIL FROM command))"
)
EXIM_LOG = (
    "2026-03-02 09:00:01 1pAbCd-0001Ef-2G ** user@example.net R=dnslookup T=remote_smtp H=mx.example.net"
    " [192.0.2.7]: SMTP error from remote mail server after MAIL FROM:<a@example.org>: 550 5.7.1 rejected"
)
PLAIN = [
    ("550 5.1.1 User unknown", "550 5.1.1 User unknown", [(550, "5.1.1")]),
    ("550", "550", [(550, None)]),
    ("5.1.1", "5.1.1", [(None, "5.1.1")]),
    ("554-5.7.1", "554 5.7.1", [(554, "5.7.1")]),
    ("552 user over quota (#5.1.1)", "552 user over quota (#5.1.1)", [(552, "5.1.1")]),
    ("550 User unknown (5.1.1)", "550 User unknown (5.1.1)", [(550, "5.1.1")]),
    ("550 [5.7.1] refused", "550 [5.7.1] refused", [(550, "5.7.1")]),
    ("Connection timed out", "Connection timed out", [(None, None)]),
    ("", "", [(None, None)]),
]
MULTI_LINE = [
    ("550-5.7.1 Our system\n550 5.7.1 has detected", "550 5.7.1 Our system has detected", [(550, "5.7.1")]),
    ("550-first\r\n550-second\r\n550 third", "550 first second third", [(550, None)]),
    ("550 5.7.1 Our system 550 5.7.1 has detected", "550 5.7.1 Our system has detected", [(550, "5.7.1")]),
    ("421-4.7.0 slow\n421-4.7.0\n421 4.7.0 down", "421 4.7.0 slow down", [(421, "4.7.0")]),
]
NESTED = [
    (WORKED, "454 4.7.0 Temporary authentication failure.", [(451, "4.4.0"), (454, "4.7.0")]),
    (SIBLING, "451 5.7.3 Cannot achieve Exchange Server authentication.", [(451, "4.4.0"), (451, "5.7.3")]),
    (TWICE, "421 4.2.1 Unable to connect.", [(None, None), (400, "4.4.7"), (451, "4.4.0"), (421, "4.2.1")]),
    (
        "451 4.4.395 Target host responded with error. -> 550 5.7.1 Service unavailable",
        "550 5.7.1 Service unavailable",
        [(451, "4.4.395"), (550, "5.7.1")],
    ),
    (
        "550 5.4.300 Message expired -> 451 4.7.1 Greylisted",
        "451 4.7.1 Greylisted",
        [(550, "5.4.300"), (451, "4.7.1")],
    ),
    (
        "451 4.4.397 Error communicating with target host. [{LED=450 4.1.1 mailbox busy};"
        "{FQDN=mx.example.net};{IP=192.0.2.7}]",
        "450 4.1.1 mailbox busy",
        [(451, "4.4.397"), (450, "4.1.1")],
    ),
    (
        "host mx.example.net[192.0.2.7] said: 550 5.1.1 <user@example.net>: No such user (in reply to RCPT TO"
        " command)",
        "550 5.1.1 <user@example.net>: No such user",
        [(550, "5.1.1")],
    ),
    (
        "4.4.7 Too old. Last reason: 451 4.3.0 Try later",
        "451 4.3.0 Try later",
        [(None, "4.4.7"), (451, "4.3.0")],
    ),
    (
        "554 5.4.7 [internal] exceeded max time without delivery (last transfail: 451 4.7.1 try later)",
        "451 4.7.1 try later",
        [(554, "5.4.7"), (451, "4.7.1")],
    ),
    (
        "smtp;550 5.1.1 <user@example.net>... User unknown",
        "550 5.1.1 <user@example.net>... User unknown",
        [(550, "5.1.1")],
    ),
    (
        "<mx.example.net #5.7.1 smtp;530 5.7.1 Client was not authenticated> #SMTP#",
        "530 5.7.1 Client was not authenticated",
        [(None, "5.7.1"), (530, "5.7.1")],
    ),
    (
        "#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##rfc822;user@example.net",
        "#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found",
        [(550, "5.1.1")],
    ),
    (
        "SMTP error from remote mail server after end of data: host mx.example.net [192.0.2.7]: 554 5.7.1 No",
        "554 5.7.1 No",
        [(None, None), (554, "5.7.1")],
    ),
    (
        "SMTP error, RCPT TO: Host mx.example.net(192.0.2.7) RCPT TO said 550 User not found",
        "550 User not found",
        [(None, None), (550, None)],
    ),
    (
        "192.0.2.7 does not like recipient. Remote host said: 550 5.1.1 no such box Giving up on 192.0.2.7.",
        "550 5.1.1 no such box",
        [(None, None), (550, "5.1.1")],
    ),
    (
        "The error that the other server returned was: 550 550 Unknown user",
        "550 550 Unknown user",
        [(None, None), (550, None)],
    ),
    (
        ">>> RCPT To:<user@example.net> <<< 550 5.1.1 unknown",
        "550 5.1.1 unknown",
        [(None, None), (550, "5.1.1")],
    ),
    ("退信原因：对方拒收 英文说明: 550 User not found", "550 User not found", [(None, None), (550, None)]),
    (
        POSTFIX_LOG,
        "554 5.7.1 <news@example.org>: Sender address rejected: Access denied",
        [(None, "5.7.1"), (554, "5.7.1")],
    ),
    (EXIM_LOG, "550 5.7.1 rejected", [(None, None), (550, "5.7.1")]),
    (
        "451 4.4.395 Target host responded with error. [{LED=450 4.1.1 mailbox busy};{FQDN=mx.example.net}]",
        "450 4.1.1 mailbox busy",
        [(451, "4.4.395"), (450, "4.1.1")],
    ),
    (
        "452 4.3.1 Insufficient system resources. [{LRT=1};{LED=};{FQDN=mx.example.net}]",
        "452 4.3.1 Insufficient system resources.",
        [(452, "4.3.1")],
    ),
    (
        "550 5.4.300 Message expired -> 452 4.3.1 Insufficient system resources. [",
        "452 4.3.1 Insufficient system resources.",
        [(550, "5.4.300"), (452, "4.3.1")],
    ),
    ("smtp; 550 5.1.1 unknown user@example.com>", "550 5.1.1 unknown user@example.com", [(550, "5.1.1")]),
    ("550 no such user [192.0.2.7]", "550 no such user [192.0.2.7]", [(550, None)]),
    ("550 no <user@example.com>", "550 no <user@example.com>", [(550, None)]),
    ("英文说明: 550 User not found 建议解决方案：请核对地址", "550 User not found", [(550, None)]),
]
OUTER = [
    (WORKED, ["451 4.4.0 Primary target IP address responded with:"]),
    (
        "451 4.4.397 Error communicating with target host. [{LED=450 4.1.1 busy};{FQDN=mx.example.net}]",
        ["451 4.4.397 Error communicating with target host."],
    ),
    (
        "451 4.4.395 Target host responded with error. [{LED=450 4.1.1 busy};{FQDN=mx.example.net}]",
        ["451 4.4.395 Target host responded with error."],
    ),
    (
        TWICE,
        [
            "Server at mx.example.net (192.0.2.7) returned",
            "400 4.4.7 Message delayed' Server at mx.example.net (192.0.2.7) returned",
            "451 4.4.0 Primary target IP address responded with:",
        ],
    ),
    ("550 5.4.300 Message expired -> 451 4.7.1 Greylisted", ["550 5.4.300 Message expired"]),
    ("退信原因：对方拒收 英文说明: 550 User not found", ["退信原因：对方拒收 英文说明:"]),
    ('-> "550 5.1.1 no', []),
    ("host mx.example.net[192.0.2.7] said: 550 5.1.1 no", []),
]


@pytest.mark.parametrize(("text", "outer"), OUTER)
def test_an_outer_link_ends_with_the_words_that_wrap_the_next(text: str, outer: list[str]) -> None:
    assert outer == [reply.text for reply in unwrap(text).chain[:-1]]


@pytest.mark.parametrize(("text", "innermost", "codes"), [*PLAIN, *MULTI_LINE, *NESTED])
def test_the_innermost_reply_and_the_codes_of_the_chain_are_found(
    text: str, innermost: str, codes: list[tuple[int | None, str | None]]
) -> None:
    found = unwrap(text)

    assert innermost == found.innermost.text
    assert codes == [(reply.smtp, reply.enhanced) for reply in found.chain]


@pytest.mark.parametrize(("text", "innermost", "codes"), [*MULTI_LINE, *NESTED])
def test_the_innermost_reply_stands_where_the_answer_says(
    text: str, innermost: str, codes: list[tuple[int | None, str | None]]
) -> None:
    found = unwrap(text)

    assert innermost == found.text[found.start : found.end]
    assert codes[-1] == codes_of(found.text[found.start : found.end])


@pytest.mark.parametrize(
    "text",
    [
        "delivered on Mon, 2 Mar 2026 09:00:05 +0000",
        "sent on 02.05.2026 and again on 4.11.26",
        "mail from 192.0.2.55 and 203.0.113.250 was seen",
        "there is a host at 5.1.1.2",
        "connect to [2001:db8::550]:25 failed",
        "mail server, version 5.5.2653.19",
        "version 4.2.1 of the program",
        "program v4.2.1 and filter/5.0.1 and engine-4.1.2",
        "ESMTP ready, protocol 2.0.1",
        "Exim version 4.96",
        "connect to 203.0.113.7:587 failed",
        "SMTP port 465 is closed",
        "smtp on port 587 refused the connection",
        "Socket error code 10060",
        "error on line 452",
        "error after 250 seconds",
        "code 2500",
        "size: 552 kB",
        "the limit: 250 MB",
        "rate: 550 per hour",
        "Received 550 messages today",
        "the file has 450 pages",
        "your ticket 452 was filed",
        "it costs 554 dollars",
        "call +49 451 4711",
        "host mx550.example.net refused",
        "host 550.example.com not found",
        "HTTP/1.1 500 Internal",
        "650 5 7 1",
        "350 9.1.1 no such class",
        "Lost connection",
    ],
)
def test_a_code_is_never_invented(text: str) -> None:
    assert (None, None) == codes_of(text)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("SMTP error code 550", (550, None)),
        ("smtp_reply: 452 4.2.2 full", (452, "4.2.2")),
        ("the server said: (550) no", (550, None)),
        ("It failed. 550 no such user", (550, None)),
        ("退信原因：550 Ip frequency limited", (550, None)),
        ("status=5.1.1", (None, "5.1.1")),
        ("error 5.7.1", (None, "5.7.1")),
        ("(#4.4.1)", (None, "4.4.1")),
        ("5.7.606 banned", (None, "5.7.606")),
    ],
)
def test_codes_within_words_are_found(text: str, codes: tuple[int | None, str | None]) -> None:
    assert codes == codes_of(text)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("said: 550 no (in reply to RCPT TO command)", "RCPT TO"),
        ("said: 550 no (in reply to MAIL FROM command)", "MAIL FROM"),
        ("said: 552 no (in reply to end of DATA command)", "DATA"),
        ("said: 501 no (in reply to EHLO command)", "EHLO"),
        ("said: 501 no (in reply to HELO command)", "HELO"),
        ("said: 530 no (in reply to STARTTLS command)", "STARTTLS"),
        ("error from remote mail server after RCPT TO:<user@example.net>: 550 no", "RCPT TO"),
        ("error from remote mail server after end of data: 554 no", "DATA"),
        ("error from remote mail server after pipelined DATA: 554 no", "DATA"),
        ("error from remote mail server after initial connection: 554 no", "CONNECT"),
        ("host mx.example.net[192.0.2.7] refused to talk to me: 421 busy", "CONNECT"),
        ("timed out while receiving the initial server greeting", "CONNECT"),
        ("lost connection with mx.example.net while sending RCPT TO", "RCPT TO"),
        ("Host mx.example.net(192.0.2.7) RCPT TO said 550 no", "RCPT TO"),
        (">>> MAIL From:<a@example.org> <<< 550 no", "MAIL FROM"),
        ("mx.example.net [192.0.2.7] did not like our RCPT TO: 550 no", "RCPT TO"),
        ("550 your mail was refused", None),
        ("550 please mail from another address", None),
        ("550 bad data in message", None),
    ],
)
def test_the_refused_command_is_found(text: str, command: str | None) -> None:
    assert command == unwrap(text).command


@pytest.mark.parametrize(
    ("text", "host", "address"),
    [
        ("host mx.example.net[192.0.2.7] said: 550 no", "mx.example.net", "192.0.2.7"),
        ("host MX.example.net[2001:db8::7] said: 550 no", "mx.example.net", "2001:db8::7"),
        ("connect to mx.example.net[192.0.2.7]:25: Connection refused", "mx.example.net", "192.0.2.7"),
        ("lost connection with mx.example.net[192.0.2.7] while x", "mx.example.net", "192.0.2.7"),
        ("Remote Server at mx.example.net (192.0.2.7) returned '550 no'", "mx.example.net", "192.0.2.7"),
        ("... while talking to mx.example.net.:", "mx.example.net", None),
        ("[{LED=450 busy};{FQDN=mx.example.net};{IP=192.0.2.7}]", "mx.example.net", "192.0.2.7"),
        (EXIM_LOG, "mx.example.net", "192.0.2.7"),
        (
            "== user@example.net R=dnslookup T=remote_smtp defer (-44) H=mx.example.net [192.0.2.7]: 451 no",
            "mx.example.net",
            "192.0.2.7",
        ),
        ("T=remote_smtp defer (-53): retry time not reached for any host", None, None),
        (TWICE, "mx.example.net", "192.0.2.7"),
        ("192.0.2.7 does not like recipient. Remote host said: 550 no", None, "192.0.2.7"),
        ("554 Client host [192.0.2.25] blocked", None, None),
        ("client host a.example.org[192.0.2.25] rejected", None, None),
        ("550 no", None, None),
    ],
)
def test_the_host_that_refused_is_found(text: str, host: str | None, address: str | None) -> None:
    found = unwrap(text)

    assert (host, address) == (found.remote_host, found.remote_ip)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("450 4.2.0 Greylisted for 300 seconds", 300),
        ("451 Greylisting in action, please come back in 00:04:59", 299),
        ("451 please try again in 5 minutes", 300),
        ("451 try again in 1 hour", 3600),
        ("421 retry after 2 hours", 7200),
        ("450 please wait 90 sec", 90),
        ("421 Retry-After: 120 seconds", 120),
        ("450 retry in 30s", 30),
        ("451 try again in 1 day", 86400),
        ("451 try again in one hour", 3600),
        ("451 please wait a minute", 60),
        ("451 retry after thirty minutes", 1800),
        ("retry-after: 60", 60),
        ("429 busy; Retry-After=60, sorry", 60),
        ("retry-after: 2026", 2026),
        ("retry-after: 12:30", None),
        ("deferred, a server error", None),
        ("450 请在 10 分钟后重试", 600),
        ("450 请等待30秒后再试", 30),
        ("451 try again later", None),
        ("451 try again in 5", None),
        ("550 retry is of no use", None),
        ("message was in the queue for 5 days", None),
        ("550 5.1.1 no", None),
    ],
)
def test_the_time_to_wait_is_read_in_seconds(text: str, seconds: int | None) -> None:
    assert seconds == unwrap(text).retry_after_s


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("blocked using zen.spamhaus.org", ("Spamhaus ZEN",)),
        ("see https://www.spamhaus.org/query/ip/192.0.2.25", ("Spamhaus",)),
        ("zen.spamhaus.org; see https://www.spamhaus.org/query/ip/192.0.2.25", ("Spamhaus ZEN",)),
        ("listed at sbl.spamhaus.org and xbl.spamhaus.org", ("Spamhaus SBL", "Spamhaus XBL")),
        ("blocked using bl.spamcop.net", ("SpamCop",)),
        ("blocked by our own list", ()),
        ("spam was found", ()),
    ],
)
def test_the_block_lists_are_named_the_narrow_ones_alone(text: str, names: tuple[str, ...]) -> None:
    assert names == block_lists(text)
    assert names == unwrap(text).block_lists


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see https://example.com/help?a=1&b=2.", ("https://example.com/help?a=1&b=2",)),
        ("(see http://example.com/help)", ("http://example.com/help",)),
        ("<https://example.com/a>, https://example.com/a", ("https://example.com/a",)),
        ("请访问（https://example.com/a）", ("https://example.com/a",)),
        ("see example.com", ()),
    ],
)
def test_links_are_found_without_the_punctuation_around_them(text: str, links: tuple[str, ...]) -> None:
    assert links == unwrap(text).links


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("250 2.0.0 Ok: queued as 4XyZ2c3DfgzK9n", ("4XyZ2c3DfgzK9n",)),
        (POSTFIX_LOG, ("4XyZ0r1BcdzG7k",)),
        ("postfix/qmgr[1]: 0A1B2C3D4E: removed", ("0A1B2C3D4E",)),
        (EXIM_LOG, ("1pAbCd-0001Ef-2G",)),
        ("postfix/smtpd[1]: warning: something", ()),
        ("postfix/smtpd[1]: NOQUEUE: reject", ()),
        ("550 5.1.1 no", ()),
    ],
)
def test_queue_ids_are_found(text: str, ids: tuple[str, ...]) -> None:
    assert ids == unwrap(text).queue_ids


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("550-5.7.1 one\n550 5.7.1 two", "550 5.7.1 one two"),
        ("two\x00 words\n\n  here", "two words here"),
        ("550 one 551 two", "550 one 551 two"),
        ("550 5.7.1 the code 5.7.1 means this", "550 5.7.1 the code 5.7.1 means this"),
    ],
)
def test_a_reply_is_read_as_one_line(text: str, line: str) -> None:
    assert line == readable(text)


def test_only_the_first_characters_of_a_long_text_count() -> None:
    found = unwrap("x " * MAX_REPLY_CHARS + "550 5.1.1 late")

    assert (None, None) == (found.innermost.smtp, found.innermost.enhanced)


def stands_in(found: Unwrapped) -> bool:
    return all(
        str(reply.smtp or "") in found.text and (reply.enhanced or "") in found.text for reply in found.chain
    )


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789.- #\"'()[]{}:;<>\nabhostsaidRCPTO=", max_size=200))
def test_any_text_is_unwrapped_and_every_code_stands_in_it(text: str) -> None:
    found = unwrap(text)

    assert 0 <= found.start <= found.end <= len(found.text)
    assert stands_in(found)
