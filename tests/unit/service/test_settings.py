"""Settings are read once, checked, and documented."""

import hashlib
from pathlib import Path

import pytest

from service import settings as module
from service.errors import SettingError
from service.settings import SETTINGS, Settings

SETTINGS_PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings() == Settings.read({"PATH": "/bin", "NDR_PORT": ""})


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("NDR_HOST", "::1", "host", "::1"),
        ("NDR_PORT", "0", "port", 0),
        ("NDR_ALLOW_OPEN", "Yes", "allow_open", True),
        ("NDR_ALLOW_OPEN", "0", "allow_open", False),
        ("NDR_MAX_BODY_BYTES", "1048576", "max_body_bytes", 1 << 20),
        ("NDR_MAX_EVIDENCE_LINES", "10", "max_evidence_lines", 10),
        (
            "NDR_OWN_DOMAINS",
            " Example.com ,, bücher.example ",
            "own_domains",
            ("example.com", "bücher.example"),
        ),
        (
            "NDR_OWN_HOSTS",
            "mx1,.example.com,192.0.2.1,2001:db8::1",
            "own_hosts",
            ("mx1", ".example.com", "192.0.2.1", "2001:db8::1"),
        ),
        ("NDR_LANGUAGE", "zh", "language", "zh"),
        ("NDR_LOG_LEVEL", "debug", "log_level", "debug"),
        ("NDR_API_KEYS", " a , ,b", "api_keys", tuple(hashlib.sha256(key).digest() for key in (b"a", b"b"))),
        ("NDR_API_KEYS", "sha256:" + "0A" * 32, "api_keys", (b"\x0a" * 32,)),
    ],
)
def test_a_value_is_read_in_its_type(name: str, value: str, field: str, expected: object) -> None:
    assert expected == getattr(Settings.read({name: value}), field)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("NDR_PORT", "eighty", "a whole number from 0 to 65535"),
        ("NDR_PORT", "65536", "a whole number from 0 to 65535"),
        ("NDR_PORT", "-1", "a whole number from 0 to 65535"),
        ("NDR_PORT", "８０", "a whole number from 0 to 65535"),
        ("NDR_WORKERS", "0", "a whole number from 1 to 256"),
        ("NDR_ALLOW_OPEN", "maybe", "1, true, yes, 0, false or no"),
        ("NDR_OWN_DOMAINS", "a@example.com", "domains separated by commas, such as example.com"),
        ("NDR_OWN_DOMAINS", "example.com example.net", "domains separated by commas, such as example.com"),
        ("NDR_OWN_DOMAINS", ".example.com", "domains separated by commas, such as example.com"),
        (
            "NDR_OWN_HOSTS",
            "[192.0.2.1]:25",
            "host names or IP addresses separated by commas, without ports",
        ),
        ("NDR_LANGUAGE", "fr", "one of en, zh"),
        ("NDR_LOG_LEVEL", "loud", "one of debug, info, warning, error, critical"),
        ("NDR_RULES_DIR", "/nonexistent/rules", "an existing folder"),
        ("NDR_MODEL_DIR", "/nonexistent/model", "an existing folder"),
        ("NDR_DATA_DIR", __file__, "a folder; it need not exist yet"),
        ("NDR_HOST", "a host", "a host name or an IP address, without brackets and port"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(name: str, value: str, allowed: str) -> None:
    with pytest.raises(SettingError) as raised:
        Settings.read({name: value})

    assert f"{name}={value!r}: allowed is {allowed}" == str(raised.value)


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        ("https://desk.example.com/hook", True),
        ("https://desk.example.com:8443", True),
        ("https://[2001:db8::1]:8443/a@b?c=d:e", True),
        ("https://desk.example.com?token=a", True),
        ("http://127.0.0.1:9/hook", True),
        ("http://[::1]/", True),
        ("http://desk.example.com/hook", False),
        ("http://localhost.example.com/", False),
        ("https://user@desk.example.com/", False),
        ("https://user:word@desk.example.com/", False),
        ("https://user:wo/rd@desk.example.com/", False),
        ("https://user:wo?rd@desk.example.com/", False),
        ("https://user:wo#rd@desk.example.com/", False),
        ("https://user:8\\@desk.example.com/", False),
        ("https://desk.example.com:99999/", False),
        ("https://desk.example.com\0/", False),
        ("https://[::1/", False),
        ("https://", False),
        ("ftp://desk.example.com/", False),
    ],
)
def test_a_receiver_is_where_nobody_can_listen(address: str, *, is_allowed: bool) -> None:
    if is_allowed:
        assert address == Settings.read({"NDR_WEBHOOK_URL": address}).webhook_url
    else:
        with pytest.raises(SettingError, match="an https address without credentials"):
            Settings.read({"NDR_WEBHOOK_URL": address})


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"NDR_DATA_DIR": "data", "HOME": "/home/user"}, "data"),
        ({"XDG_DATA_HOME": "/srv/data", "HOME": "/home/user"}, "/srv/data/ndr-triage"),
        ({"XDG_DATA_HOME": "not/absolute", "HOME": "/home/user"}, "/home/user/.local/share/ndr-triage"),
        ({"HOME": "/home/user"}, "/home/user/.local/share/ndr-triage"),
    ],
)
def test_corrections_have_a_place_below_the_home_folder(environment: dict[str, str], expected: str) -> None:
    assert Path(expected) == Settings.read(environment).data_dir


def test_without_a_home_corrections_have_no_place() -> None:
    assert Settings.read({}).data_dir is None


def test_a_wrong_key_is_not_shown() -> None:
    with pytest.raises(SettingError) as raised:
        Settings.read({"NDR_API_KEYS": "sha256:secret"})

    assert "secret" not in str(raised.value)


def test_keys_are_kept_as_digests_only() -> None:
    assert "open-sesame" not in repr(Settings.read({"NDR_API_KEYS": "open-sesame"}))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    Settings(host=host).check_exposure()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "mail.example.com"])
def test_elsewhere_keys_are_needed_unless_told_otherwise(host: str) -> None:
    Settings(host=host, api_keys=(b"digest",)).check_exposure()
    Settings(host=host, allow_open=True).check_exposure()

    with pytest.raises(SettingError, match="NDR_HOST"):
        Settings(host=host).check_exposure()


def test_every_setting_has_a_name_of_its_own_and_a_help() -> None:
    assert len(SETTINGS) == len({setting.name for setting in SETTINGS})
    assert all(setting.help.endswith(".") for setting in SETTINGS)


def test_the_page_on_settings_is_current() -> None:
    page = "\n".join(module.page()) + "\n"

    assert page == SETTINGS_PAGE.read_text("utf-8"), "run make docs"
