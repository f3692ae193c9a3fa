"""rspamd: the verdict on each message for each recipient, with what its task told before."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings

from model.events import Event, Role, What
from model.parse.rspamd import FORMAT
from model.resources import data_file, read_toml
from model.taxonomy import taxonomy
from tests.unit.parse.mutated import mutated

SAMPLES = Path(__file__).parents[2] / "samples" / "logs"
SAMPLE = (SAMPLES / "rspamd.log").read_text("utf-8").splitlines()
SYSLOG = (SAMPLES / "rspamd_syslog.log").read_text("utf-8").splitlines()
DATA = read_toml(data_file("logs", "rspamd.toml"))
AT = datetime(2026, 11, 2, 10, 14, 1, tzinfo=UTC)
P = "2026-11-02 10:14:01 #44(rspamd_proxy) <94f35d>; "
CLAMAV = ', forced: reject "clamav: virus found: "E""; score=nan (set by clamav)'
MAP = ', forced: reject "Matched map: X"; score=1.00 (set by multimap), settings_id: 1'
IDS = "qid: <3E6>, ip: 198.51.100.7, from: <sales@example.net>, "
POSTFIX = "Nov  2 10:14:07 mx1 postfix/smtpd[421]: connect from unknown[192.0.2.1]"


def log(verdict: str, ids: str = IDS, tail: str = "") -> str:
    start = "proxy; rspamd_task_write_log: id: <1@example.net>"
    return f"{start}, {ids}(default: {verdict}), len: 9, time: 1ms{tail}"


def told(*texts: str) -> list[Event]:
    return [event for event in FORMAT.read(P + text for text in texts) if event]


def only(*texts: str) -> Event:
    (event,) = told(*texts)
    return event


def test_it_is_a_log_of_a_gateway() -> None:
    assert ("rspamd", Role.GATEWAY) == FORMAT[:2]


@pytest.mark.parametrize(
    ("sample", "counts"),
    [(SAMPLE, Counter(received=3, rejected=2, deferred=2)), (SYSLOG, Counter(received=1, deferred=1))],
    ids=["own", "syslog"],
)
def test_the_samples_are_claimed_and_read(sample: list[str], counts: Counter[str]) -> None:
    assert FORMAT.claims("\n".join(sample))
    assert counts == Counter(str(event.what) for event in FORMAT.read(sample) if event)


def test_a_verdict_is_an_event_for_each_recipient() -> None:
    line = log(
        "T (reject): [16.50/15.00] [BAYES_SPAM(5.10){100.00%;},R_SPF_SOFTFAIL(2.50){~all;},ASN(0.00){x;}]",
        tail=", rcpts: <Office@example.com,orders@example.com>, mime_rcpts: <office@example.com>",
    )

    assert told(line) == [
        Event(
            What.REJECTED,
            1,
            at=AT,
            peer_ip="198.51.100.7",
            message_id="<1@example.net>",
            queue_id="3E6",
            sender="sales@example.net",
            recipients=(recipient,),
            detail={
                "action": "reject",
                "score": "16.50",
                "required_score": "15.00",
                "symbols": "BAYES_SPAM(5.10), R_SPF_SOFTFAIL(2.50)",
                "category": "content_rejected",
            },
        )
        for recipient in ("office@example.com", "orders@example.com")
    ]


@pytest.mark.parametrize(
    ("verdict", "what", "category"),
    [
        ("F (no action): [-0.64/20.00] [BAYES_HAM(-3.00){100.00%;}]", What.RECEIVED, None),
        ("F (add header): [7.50/15.00] [BAYES_SPAM(4.50)]", What.RECEIVED, None),
        ("F (rewrite subject): [7.50/15.00] []", What.RECEIVED, None),
        ("F (greylist): [4.50/15.00] []", What.DEFERRED, "greylisted"),
        (
            "F (soft reject): [5.40/15.00] [GREYLIST(0.00){greylisted;Mon;new record;}]",
            What.DEFERRED,
            "greylisted",
        ),
        ("F (soft reject): [0.40/15.00] [RATELIMITED(0.00){to_ip;}]", What.DEFERRED, "rate_limited"),
        ("F (soft reject): [0.40/15.00] [X(0.50){}]", What.DEFERRED, None),
        ("T (reject): [nan/15.00] []", What.REJECTED, "content_rejected"),
        ("T (discard): [20.00/15.00] []", What.DISCARDED, None),
        ("T (quarantine): [20.00/15.00] []", What.QUARANTINED, None),
    ],
)
def test_the_action_says_what_happened(verdict: str, what: What, category: str | None) -> None:
    event = only(log(verdict))

    assert (what, category) == (event.what, event.detail.get("category"))


@pytest.mark.parametrize(
    ("lines", "reply", "category"),
    [
        (
            [
                log(
                    "T (reject): [0/15] []",
                    tail=CLAMAV,
                )
            ],
            'clamav: virus found: "E"',
            "malware_detected",
        ),
        (
            [
                "proxy; rspamd_add_passthrough_result: <1@example.net>: set pre-result to 'soft reject'"
                " (no score): 'Try again later' from greylist(1)",
                log("F (soft reject): [0/15] []"),
            ],
            "Try again later",
            "greylisted",
        ),
        (
            [
                log(
                    "T (reject): [0/15] []",
                    tail=MAP,
                )
            ],
            "Matched map: X",
            None,
        ),
        ([log("F (no action): [0/15] []", tail=', forced: no action "Ok"; score=nan (set by x)')], "", None),
    ],
)
def test_a_forced_action_has_words(lines: list[str], reply: str, category: str | None) -> None:
    event = only(*lines)

    assert (reply, category) == (event.reply, event.detail.get("category"))


def test_the_milter_tells_the_client_of_a_line_without_it() -> None:
    event = only(
        "milter; rspamd_milter_process_command: got connection from [2001:db8::beef]:40878",
        log("F (no action): [0/15] []", ids="qid: <3E6>, "),
    )

    assert ("2001:db8::beef", None) == (event.peer_ip, event.sender)


def test_tasks_that_are_interleaved_do_not_mix() -> None:
    other = "2026-11-02 10:14:01 #44(rspamd_proxy) <b4d2ea>; "
    forced = (
        "proxy; rspamd_add_passthrough_result: <1>: set pre-result to 'reject' (no score): '{}' from x(1)"
    )
    verdict = log("T (reject): [0/15] []")
    lines = [
        P + forced.format("one"),
        other + forced.format("two"),
        other + verdict,
        P + verdict,
        P + verdict,
    ]

    assert ["two", "one", ""] == [event.reply for event in FORMAT.read(lines) if event]


def test_the_null_sender_and_an_undefined_message_id() -> None:
    line = log("F (no action): [0/15] []", ids="qid: <3E6>, ip: 192.0.2.1, from: <>, ").replace(
        "1@example.net", "undef"
    )

    assert ("", None) == (only(line).sender, only(line).message_id)


@pytest.mark.parametrize(
    ("prefix", "at", "host"),
    [
        ("2026-11-02 10:14:01 #44(normal) <94f35d>; ", AT, None),
        ("2026-11-02 10:14:01.250 #44(normal) <94f35d>; ", AT.replace(microsecond=250_000), None),
        ("Nov  2 10:14:01 mx1 rspamd[2]: <94f35d>; ", AT.replace(year=1972), "mx1"),
        ("<94f35d>; ", None, None),
    ],
)
def test_a_line_counts_with_any_prefix(prefix: str, at: datetime | None, host: str | None) -> None:
    (event,) = FORMAT.read([prefix + log("F (no action): [0/15] []")])

    assert event is not None
    assert (at, host) == (event.at, event.host)


@pytest.mark.parametrize(
    "line",
    [
        "",
        P + "proxy; rspamd_message_parse: loaded message; id: <1@example.net>; queue-id: <3E6>; size: 9",
        P + log("F (own action): [0/15] []"),
        P + "proxy; rspamd_task_write_log: id: <1@example.net>, qid: <3E6>, ip: 198.51.100.7, fr",
        P.replace("rspamd_proxy", "controller") + log("T (reject): [0/15] []").replace("proxy;", "csession;"),
        POSTFIX,
    ],
)
def test_other_lines_are_passed_over(line: str) -> None:
    assert [None] == list(FORMAT.read([line]))


@pytest.mark.parametrize("start", range(0, 300, 17))
def test_a_head_that_begins_in_the_middle_of_a_line_is_claimed(start: int) -> None:
    assert FORMAT.claims("\n".join(SAMPLE)[start:])


@pytest.mark.parametrize(
    "head",
    [
        "",
        "554 5.7.1 Spam message rejected",
        "From: postmaster@example.com\nSubject: log\n\n" + "\n".join(SAMPLE),
        "Date,Action\n2026-11-02,reject",
        "\n".join([POSTFIX] * 20 + SYSLOG),
        *(
            (SAMPLES / f"{name}.log").read_text("utf-8")
            for name in ("barracuda", "cisco_esa", "proofpoint", "mimecast", "amavis")
        ),
    ],
)
def test_other_texts_are_not_claimed(head: str) -> None:
    assert not FORMAT.claims(head)


def test_every_category_is_one_of_the_taxonomy() -> None:
    assert {entry["category"] for kind in ("module", "symbol") for entry in DATA[kind]} <= set(
        taxonomy().names
    )


@given(mutated(SAMPLE + SYSLOG))
@settings(max_examples=200, deadline=None)
def test_damaged_lines_never_raise(lines: list[str]) -> None:
    assert len(lines) <= len(list(FORMAT.read(lines)))
