"""Entries of the Windows event log are read in every form in which they are handed on."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings

from model.events import Event, Role, What
from model.parse.exchange_event import FORMAT
from model.windows_text import local_stamp
from tests.unit.parse.mutated import mutated

SAMPLES = {
    path.name: path.read_text("utf-8")
    for path in sorted((Path(__file__).parents[2] / "samples" / "logs").glob("exchange_event*"))
}
LINES = [line for text in SAMPLES.values() for line in text.splitlines()]
AT = datetime(2026, 11, 2, 10, 14, 7, tzinfo=UTC)
WORDS = (
    "Inbound authentication failed with error IllegalMessage for Receive connector Default EX2. The"
    " authentication mechanism is ExchangeAuth. The source IP address of the client who tried to authenticate"
    " to Microsoft Exchange is [192.0.2.11]."
)
FOUND = {
    "error": "IllegalMessage",
    "connector": "Default EX2",
    "mechanism": "ExchangeAuth",
    "event_id": "1035",
    "source": "MSExchangeTransport",
    "level": "warning",
    "note": "transport.1035",
    "cause": "clock_skew,spn_missing_or_duplicate,dc_replication",
    "category": "internal_auth_failed",
}
VIEWER = f"""\
Log Name:      Application
Source:        MSExchangeTransport
Date:          11/2/2026 10:14:07 AM
Event ID:      1035
Task Category: SmtpReceive
Level:         Warning
Keywords:      Classic
User:          N/A
Computer:      EX2.example.com
Description:
{WORDS}
"""
XML = (
    "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>"
    "<Provider Name='MSExchangeTransport'/><EventID Qualifiers='32772'>1035</EventID><Level>3</Level>"
    "<TimeCreated SystemTime='2026-11-02T10:14:07.000000000Z'/><Computer>EX2.example.com</Computer></System>"
    "<EventData><Data>IllegalMessage</Data><Data>Default EX2</Data><Data>ExchangeAuth</Data>"
    "<Data>192.0.2.11</Data></EventData></Event>"
)


def told(text: str) -> list[Event]:
    return [event for event in FORMAT.read(text.splitlines()) if event]


def seen(text: str) -> list[tuple[str, str | None, str | None]]:
    """Event id, cause and address of each event."""
    return [
        (event.detail["event_id"], event.detail.get("cause", "").partition(",")[0], event.peer_ip)
        for event in told(text)
    ]


def test_it_is_a_witness_of_systems() -> None:
    assert ("exchange_event", Role.SYSTEM) == FORMAT[:2]


def test_a_failed_server_login_names_connector_and_peer() -> None:
    assert told(VIEWER) == [
        Event(
            What.FAULT,
            11,
            at=AT,
            host="EX2.example.com",
            peer_ip="192.0.2.11",
            reply=WORDS,
            detail={**FOUND, "clock": "local"},
        )
    ]


def test_xml_without_a_description_is_worded_as_windows_would() -> None:
    (event,) = told(XML)

    assert (AT, WORDS, FOUND) == (event.at, event.reply, dict(event.detail))


def test_text_and_xml_of_one_event_are_one_event() -> None:
    pretty = XML.replace("><", ">\n  <")
    (event,) = told(f"{VIEWER}Event Xml:\n{pretty}\n")

    assert (AT, FOUND) == (event.at, dict(event.detail))


FORMS = {
    "event viewer": VIEWER,
    "windows line ends": VIEWER.replace("\n", "\r\n"),
    "byte order mark": f"\ufeff{VIEWER}",
    "without its first line": VIEWER.partition("\n")[2],
    "xml whose tags were lost": f"{VIEWER}Event Xml:\n\n  1035\n  3\n  IllegalMessage\n",
    "wrapped": VIEWER.replace("The authentication", "\nThe authentication"),
    "xml": XML,
    "xml in lines": XML.replace("><", ">\n<"),
    "xml of an export": f'<?xml version="1.0"?><Events>{XML}</Events>',
    "xml after a cut one": f"{XML[:150]}\n{XML}",
    "list": "TimeCreated  : 11/2/2026 10:14:07 AM\nProviderName : MSExchangeTransport\nId           : 1035\n"
    f"Message      : {WORDS[:67]}\n               {WORDS[68:]}\n",
    "list cut through words": "TimeCreated  : 2026/11/2 10:14:07\nProviderName : MSExchangeTransport\n"
    f"Id           : 1035\nMessage      : {WORDS[:70]}\n               {WORDS[70:140]}\n"
    f"               {WORDS[140:]}\n",
    "long list": f"Message              : {WORDS}\nId                   : 1035\nVersion              : \n"
    "Level                : 3\nProviderName         : MSExchangeTransport\n"
    "MachineName          : EX2.example.com\nTimeCreated          : 11/2/2026 10:14:07 AM\n"
    "LevelDisplayName     : Warning\n",
    "event log list": "Index              : 7\nEntryType          : Warning\n"
    f"InstanceId         : 2147746827\nMessage            : {WORDS}\n"
    "Source             : MSExchangeTransport\n"
    "TimeGenerated      : 11/2/2026 10:14:07 AM\n",
    "csv": "Level,Date and Time,Source,Event ID,Task Category\n"
    f'Warning,11/2/2026 10:14:07 AM,MSExchangeTransport,1035,SmtpReceive,"{WORDS}"\n',
    "csv without its head": f'Warning,11/2/2026 10:14:07 AM,MSExchangeTransport,1035,SmtpReceive,"{WORDS}"\n',
    "tabs": "Level\tDate and Time\tSource\tEvent ID\tTask Category\n"
    f"Warning\t11/2/2026 10:14:07 AM\tMSExchangeTransport\t1035\tSmtpReceive\t{WORDS}\n",
    "chinese csv": "级别,日期和时间,来源,事件 ID,任务类别\n"
    f'警告,2026/11/2 10:14:07,MSExchangeTransport,1035,SmtpReceive,"{WORDS}"\n',
    "powershell csv": '#TYPE System.Diagnostics.Eventing.Reader.EventLogRecord\n'
    '"Message","Id","LevelDisplayName","ProviderName","TimeCreated","MachineName"\n'
    f'"{WORDS}","1035","Warning","MSExchangeTransport","11/2/2026 10:14:07 AM","EX2.example.com"\n',
    "2003": "Event Type:\tWarning\nEvent Source:\tMSExchangeTransport\nEvent Category:\tSmtpReceive \n"
    f"Event ID:\t1035\nDate:\t\t11/2/2026\nTime:\t\t10:14:07 AM\nUser:\t\tN/A\nComputer:\tEX2\n"
    f"Description:\n{WORDS}\n",
    "chinese": "日志名称:          Application\n来源:            MSExchangeTransport\n"
    "日期:            2026/11/2 10:14:07\n事件 ID:         1035\n级别:            警告\n"
    f"计算机:           EX2.example.com\n描述:\n{WORDS}\n",
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_an_entry_is_read_in_any_form(form: str) -> None:
    (event,) = told(FORMS[form])

    assert FORMAT.claims(FORMS[form])
    assert (AT, "192.0.2.11", "Default EX2", "transport.1035") == (
        event.at,
        event.peer_ip,
        event.detail["connector"],
        event.detail["note"],
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_are_claimed(name: str) -> None:
    assert FORMAT.claims(SAMPLES[name])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "exchange_event-viewer.txt",
            [
                ("1035", "clock_skew", "192.0.2.11"),
                ("1035", "smtp_wrong_credentials", "192.0.2.77"),
                ("15004", "exchange_disk_back_pressure", None),
                ("36", "clock_skew", None),
            ],
        ),
        (
            "exchange_event-chinese.txt",
            [
                ("1035", "clock_skew", "192.0.2.11"),
                ("5719", "kerberos_ports_blocked", None),
                ("11", "spn_missing_or_duplicate", None),
            ],
        ),
        (
            "exchange_event-powershell.txt",
            [
                ("2017", "spn_missing_or_duplicate", None),
                ("12014", "exchange_certificate_not_bound", None),
                ("1012", "smtp_wrong_credentials", "192.0.2.77"),
            ],
        ),
        (
            "exchange_event-export.txt",
            [
                ("1035", "clock_skew", "192.0.2.11"),
                ("15006", "exchange_disk_back_pressure", None),
                ("5719", "kerberos_ports_blocked", None),
                ("9217", "", None),
            ],
        ),
        ("exchange_event-2003.txt", [("7004", "", "192.0.2.7"), ("2042", "dc_replication", None)]),
        (
            "exchange_event.xml",
            [
                ("1035", "clock_skew", "192.0.2.11"),
                ("34", "clock_skew", None),
                ("4", "spn_missing_or_duplicate", None),
            ],
        ),
    ],
)
def test_each_event_speaks_for_its_cause(name: str, expected: list[tuple[str, str, str | None]]) -> None:
    assert expected == seen(SAMPLES[name])


def test_the_words_of_the_other_server_are_the_reply() -> None:
    event = told(SAMPLES["exchange_event-2003.txt"])[0]

    assert ("504 Need to authenticate first", "xexch50") == (event.reply, event.detail["command"])


def test_the_target_of_a_login_is_the_peer() -> None:
    event = told(SAMPLES["exchange_event-powershell.txt"])[0]

    assert ("ex2.example.com", "SMTPSVC/ex2.example.com") == (event.peer, event.detail["target"])


def test_a_clock_that_is_off_tells_by_how_much() -> None:
    event = told(SAMPLES["exchange_event.xml"])[1]

    assert ("437", datetime(2026, 11, 2, 1, 58, 12, 123456, tzinfo=UTC)) == (
        event.detail["offset_s"],
        event.at,
    )


def test_a_long_description_is_cut_at_a_sentence() -> None:
    (event,) = told(VIEWER.replace(WORDS, "One sentence here. " * 60))

    assert len(event.reply) <= 500
    assert event.reply.endswith("here.")


def test_what_is_only_worth_knowing_is_no_fault() -> None:
    (event,) = told(VIEWER.replace("1035", "15005").replace(WORDS, "The resource pressure decreased."))

    assert What.NOTED is event.what


@pytest.mark.parametrize(
    "text",
    [
        VIEWER.replace("MSExchangeTransport", "Application Error"),
        VIEWER.replace("1035", "9999").replace("Warning", "Information"),
        XML.replace("MSExchangeTransport", "Service Control Manager"),
        XML.replace("<EventID", "<Event_ID"),
        "hello",
    ],
)
def test_other_events_are_passed_over(text: str) -> None:
    assert [] == told(text)
    assert None in list(FORMAT.read(text.splitlines()))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "550 5.1.1 User unknown",
        "From: a@example.com\nTo: b@example.com\nDate: Mon, 2 Nov 2026 10:14:07 +0800\nSubject: x\n\nHi\n",
        "id,source,date,level\n1,a,2026-11-02,3\n",
        "#Fields: date-time,client-ip,source,event-id\n2026-11-02T02:14:07.000Z,192.0.2.1,SMTP,SEND\n",
        "Identity       : EX1\\3\nStatus         : Retry\nLastError      : 451 4.4.0 x\n",
        "Nov  2 10:14:07 mx1 postfix/smtp[421]: 4Qx: to=<user@example.com>, status=sent",
        '<?xml version="1.0"?><feedback><Event>x</Event></feedback>',
        "Date: today\nSource: the log\nLevel: high\n",
    ],
)
def test_other_texts_are_not_claimed(text: str) -> None:
    assert not FORMAT.claims(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("11/2/2026 10:14:07 AM", AT),
        ("11/2/2026 10:14:07\u202fAM", AT),
        ("02/11/2026 10:14:07", AT),
        ("11/22/2026 10:14:07", AT.replace(day=22)),
        ("02.11.2026 10:14:07", AT),
        ("2026-11-02 10:14:07", AT),
        ("2026/11/2 上午 10:14:07", AT),
        ("2026/11/2 下午 10:14:07", AT.replace(hour=22)),
        ("11/2/2026 12:14:07 AM", AT.replace(hour=0)),
        ("2026/13/45 10:14:07", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_local_times_are_read_in_the_order_their_marks_suggest(text: str, expected: datetime | None) -> None:
    assert expected == local_stamp(text)


@given(mutated(LINES))
@settings(max_examples=300, deadline=None)
def test_damage_never_raises(lines: list[str]) -> None:
    assert all(event is None or 0 < event.line <= len(lines) for event in FORMAT.read(lines))
    assert FORMAT.claims("\n".join(lines)) in (True, False)


def test_endless_entries_are_bounded() -> None:
    lines = [*VIEWER.splitlines(), *["more words"] * 50_000, "<Event >", *["<Data>x</Data>"] * 50_000]
    events = [event for event in FORMAT.read(lines) if event]

    assert [WORDS] == [event.reply[: len(WORDS)] for event in events]
