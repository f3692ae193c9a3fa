import dataclasses
from pathlib import Path

import pytest

from service.errors import SettingError
from service.ticketing.adapters import ADAPTERS, adapter_for
from service.ticketing.config import read_systems
from service.ticketing.nouns import Routing

WHOLE = """
[systems.helpdesk]
adapter = "rt"
url = "https://rt.example.com/"
user = "ndr"
token_file = "{folder}/token"
secret_env = "HOOK"
language = "zh"
tags = ["bounce", "delay"]
notes = ["bounce", "delay"]
merge = true
link = "https://ndr.example.com"
[systems.helpdesk.fields]
category = "Bounce category"
[systems.helpdesk.categories.mailbox_full]
tags = ["quota"]
queue = "Postmaster"
priority = 20
[systems.helpdesk.options]
site = "rt.example.com"
"""


def read(tmp_path: Path, text: str) -> object:
    file = tmp_path / "tickets.toml"
    file.write_text(text.replace("{folder}", str(tmp_path)), "utf-8")
    return read_systems(file, {"HOOK": "hook-secret", "EMPTY": ""})


def test_a_system_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("1-2-abc\n")
    system = read(tmp_path, WHOLE)["helpdesk"]  # type: ignore[index]
    assert ("1-2-abc", "hook-secret", "zh", True) == (
        system.token,
        system.secret,
        system.language,
        system.merge,
    )
    assert Routing(("quota",), "Postmaster", "20") == system.categories["mailbox_full"]
    assert {"category": "Bounce category"} == dict(system.fields)
    assert frozenset({"bounce"}) == system.note_kinds, "a delay never gets a note"
    assert "rt" == adapter_for(system).name


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("1-2-abc\n")
    shown = repr(read(tmp_path, WHOLE))
    assert "1-2-abc" not in shown
    assert "hook-secret" not in shown


SMALL = '[systems.a]\nadapter = "rt"\nurl = "https://rt.example.com"\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = 1", r"tickets\.toml: x='x': .*systems"),
        ("[systems", "TOML; wrong at"),
        ("systems = 1", r"systems.*a table"),
        ('[systems."a b"]\nadapter = "rt"', r"systems\.a b"),
        ('[systems.a]\nurl = "https://x.example"', r"systems\.a\.adapter.*missing"),
        ('[systems.a]\nadapter = "abacus"', r"systems\.a\.adapter='abacus': allowed is one of .*rt"),
        ('[systems.a]\nadapter = "rt"\nurl = "http://rt.example.com"', r"systems\.a\.url.*https"),
        ('[systems.a]\nadapter = "rt"\nurl = "https://u:hush@rt.example.com"', r"'https://…@rt"),
        ('[systems.a]\nadapter = "rt"\nurl = "http://u:1/hush@x:hush@rt.example.com"', r"'http://…@rt"),
        (SMALL + 'tocken = "hush"', r"systems\.a\.tocken.*one of the keys"),
        (SMALL + 'token = "hush"\ntoken_env = "HOOK"', r"systems\.a\.token_env='…'.*not together with token"),
        (SMALL + 'token_env = "EMPTY"', r"systems\.a\.token_env='EMPTY'.*environment variable"),
        (SMALL + 'token_file = "/nowhere"', r"systems\.a\.token_file='/nowhere'.*file"),
        (SMALL + "token = 1.5", r"systems\.a\.token='…'.*a text"),
        (SMALL + 'language = "tlh"', r"systems\.a\.language='tlh': allowed is one of en"),
        (SMALL + 'notes = ["not_ndr"]', r"systems\.a\.notes='not_ndr'"),
        (SMALL + 'tags = "bounce"', r"systems\.a\.tags.*list of texts"),
        (SMALL + 'merge = "yes"', r"systems\.a\.merge.*true or false"),
        (SMALL + "[systems.a.fields]\nmood = 'x'", r"systems\.a\.fields\.mood.*category"),
        (SMALL + "[systems.a.categories.mailbox_ful]", r"systems\.a\.categories\.mailbox_ful"),
        (SMALL + "[systems.a.categories.mailbox_full]\ncolour = 'red'", r"mailbox_full\.colour"),
        (SMALL + "[systems.a.options]\nsight = 'x'", r"systems\.a\.options\.sight.*site"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_key(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(SettingError, match=complaint) as caught:
        read(tmp_path, text)
    assert "hush" not in str(caught.value)


def test_a_file_that_is_none_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="NDR_TICKETS_FILE"):
        read_systems(tmp_path, {})


def test_adapters_are_listed_once_and_in_order() -> None:
    names = [adapter.name for adapter in ADAPTERS]
    assert sorted(set(names)) == names
    assert all(dataclasses.is_dataclass(adapter) for adapter in ADAPTERS)
