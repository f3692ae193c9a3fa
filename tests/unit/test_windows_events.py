"""The table of Windows events is well formed, and each event is known by its own wording."""

import re
from typing import Any

import pytest

from model.resources import data_file, data_files, read_toml
from model.taxonomy import taxonomy
from model.windows_events import family, known_event, labels, meaning, wording

DATA = read_toml(data_file("logs", "windows_events.toml"))
CAUSES = {cause["id"] for file in data_files("knowledge", "en") for cause in read_toml(file).get("cause", [])}
NAMES = {provider["id"]: provider["names"][0] for provider in DATA["provider"]}
WORDED = [event for event in DATA["event"] if "text" in event]


def test_ids_are_unique() -> None:
    ids = [event["id"] for event in DATA["event"]]

    assert sorted(set(ids)) == sorted(ids)


def test_no_label_has_two_meanings() -> None:
    words = [word for words in DATA["labels"].values() for word in words]

    assert len(set(words)) == len(words) == len(labels().parts)


@pytest.mark.parametrize("event", DATA["event"], ids=lambda event: event["id"])
def test_an_event_is_complete(event: dict[str, Any]) -> None:
    entry = meaning(event["id"])

    assert event["provider"] in NAMES
    assert set(event.get("causes", ())) <= CAUSES
    assert event.get("category") is None or event["category"] in taxonomy().by_id
    assert entry is not None
    assert (True, True, True) == (entry.en.endswith("."), entry.zh.endswith("。"), bool(entry.source))


@pytest.mark.parametrize("event", WORDED, ids=lambda event: event["id"])
def test_an_event_is_known_by_its_wording(event: dict[str, Any]) -> None:
    places = sorted({int(number) for number in re.findall(r"%(\d)", event["text"])})
    text = re.sub(r"%(\d)", lambda hit: f"v{hit[1]}.x", event["text"])
    known = known_event(NAMES[event["provider"]], event["event_id"], text, ())
    fields = event.get("fields", [])
    expected = {fields[place - 1]: f"v{place}.x" for place in places if place <= len(fields)}

    assert known is not None
    assert expected == known.parts


@pytest.mark.parametrize(
    ("error", "connector", "mechanism", "id_", "category", "cause"),
    [
        ("IllegalMessage", "Default EX2", "ExchangeAuth", "", "internal_auth_failed", "clock_skew"),
        ("IllegalMessage", "Default EX2.example.com", "Gssapi", "", "internal_auth_failed", "clock_skew"),
        ("TimeSkew", "Default EX2", "Gssapi", ".skew", "internal_auth_failed", "clock_skew"),
        (
            "UnexpectedExchangeAuthBlob",
            "D",
            "ExchangeAuth",
            ".token",
            "internal_auth_failed",
            "dc_replication",
        ),
        ("LogonDenied", "Default EX2", "Login", ".login", "client_auth_required", "smtp_wrong_credentials"),
        (
            "IllegalMessage",
            "Client EX2",
            "Gssapi",
            ".client",
            "client_auth_required",
            "smtp_wrong_credentials",
        ),
    ],
)
def test_who_failed_to_log_in_tells_clients_from_servers(
    error: str, connector: str, mechanism: str, id_: str, category: str, cause: str
) -> None:
    params = (error, connector, mechanism, "192.0.2.11")
    text = wording("MSExchangeTransport", 1035, params)
    by_text = known_event("MSExchangeFrontEndTransport", 1035, text, ())
    by_strings = known_event("MSExchangeTransport", 1035, "", params)

    assert by_text is not None
    assert by_text == by_strings
    assert (f"transport.1035{id_}", category, cause) == (by_text.id, by_text.category, by_text.causes[0])
    assert params == tuple(by_text.parts.values())


def test_other_programs_are_not_known() -> None:
    assert (None, None) == (family("Disk"), known_event("Disk", 1035, "", ("a", "b")))


def test_a_description_that_nobody_knows_is_made_of_its_strings() -> None:
    assert "a; b" == wording("Disk", 7, ("a", "", "b"))
