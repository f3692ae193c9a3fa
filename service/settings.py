"""Every setting, declared once with its default and its help; read once from a mapping.

``python -m service.settings`` prints the page ``docs/settings.md``.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

from model.languages import LANGUAGES
from service.errors import SettingError

PREFIX = "NDR_"
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")

T = TypeVar("T")


class Refused(ValueError):
    """A parser's way to say what would be allowed."""


def _setting(default: T, parse: Callable[[str], T], text: str) -> T:
    declared: T = field(default=default, metadata={"parse": parse, "help": text})
    return declared


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", value) or not low <= int(value) <= high:
            raise Refused(f"a whole number from {low} to {high}")
        return int(value)

    return parse


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in allowed:
            raise Refused(f"one of {', '.join(allowed)}")
        return value

    return parse


def _host(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.:_-]{1,253}", value):
        raise Refused("a host name or an IP address, without brackets and port")
    return value


def _flag(value: str) -> bool:
    meanings = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if value.lower() not in meanings:
        raise Refused("1, true, yes, 0, false or no")
    return meanings[value.lower()]


def _folder(value: str) -> Path:
    if not Path(value).is_dir():
        raise Refused("an existing folder")
    return Path(value)


def _place(value: str) -> Path:
    if Path(value).exists() and not Path(value).is_dir():
        raise Refused("a folder; it need not exist yet")
    return Path(value)


def _keys(value: str) -> tuple[bytes, ...]:
    return tuple(_key_digest(key.strip()) for key in value.split(",") if key.strip())


def _key_digest(key: str) -> bytes:
    """The SHA-256 digest of a key, which may be given as ``sha256:`` and 64 hex digits."""
    if not key.startswith("sha256:"):
        return hashlib.sha256(key.encode()).digest()
    if not re.fullmatch(r"[0-9a-fA-F]{64}", key.removeprefix("sha256:")):
        raise Refused("keys separated by commas, each plain or sha256: with 64 hex digits")
    return bytes.fromhex(key.removeprefix("sha256:"))


def _names(pattern: str, allowed: str) -> Callable[[str], tuple[str, ...]]:
    def parse(value: str) -> tuple[str, ...]:
        names = tuple(name.strip().lower() for name in value.split(",") if name.strip())
        if not all(re.fullmatch(pattern, name) and len(name) <= 253 for name in names):
            raise Refused(allowed)
        return names

    return parse


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process; each field is also the environment variable ``NDR_<FIELD>``."""

    host: str = _setting(
        "127.0.0.1", _host, "Address to listen on. Elsewhere than on loopback keys are needed."
    )
    port: int = _setting(8080, _whole(0, 65535), "Port to listen on; 0 picks a free one.")
    api_keys: tuple[bytes, ...] = _setting(
        (),
        _keys,
        "Keys that callers send as `Authorization: Bearer …`, separated by commas; plain, or `sha256:` and "
        "the hex digest. Only digests are kept. Empty: no key is asked for.",
    )
    allow_open: bool = _setting(
        default=False, parse=_flag, text="Listen elsewhere than on loopback although no keys are set."
    )
    max_body_bytes: int = _setting(
        36 << 20, _whole(1024, 1 << 30), "Largest request body; room for a message of 25 MiB in base64."
    )
    max_evidence_lines: int = _setting(
        500_000, _whole(1, 1 << 30), "Most lines in one piece of evidence for `/v1/diagnose`."
    )
    batch_limit: int = _setting(1000, _whole(1, 100_000), "Most items in one batch.")
    request_timeout_s: int = _setting(
        30, _whole(1, 3600), "Seconds that one request may take, reading included."
    )
    graceful_timeout_s: int = _setting(
        30, _whole(1, 3600), "Seconds that open requests get when the service stops."
    )
    workers: int = _setting(2, _whole(1, 256), "Worker processes.")
    threads: int = _setting(4, _whole(1, 256), "Threads in each worker.")
    rules_dir: Path | None = _setting(  # noqa: RUF009  # a declaration, as its neighbours
        None, _folder, "Folder with rule files of your own; they rank above the shipped ones."
    )
    model_dir: Path | None = _setting(  # noqa: RUF009  # a declaration, as its neighbours
        None,
        _folder,
        "Folder with a classifier of your own, as `ndr-train retrain` makes it, in place of the shipped one.",
    )
    data_dir: Path | None = _setting(  # noqa: RUF009  # a declaration, as its neighbours
        None,
        _place,
        "Folder for corrections, made when the first one comes. Empty: `ndr-triage` in `XDG_DATA_HOME`, or "
        "in `~/.local/share`.",
    )
    own_domains: tuple[str, ...] = _setting(
        (),
        _names(r"[\w-]+(\.[\w-]+)*", "domains separated by commas, such as example.com"),
        "Domains that you accept mail for, separated by commas; they tell whose side you are on. "
        "Empty: the evidence tells.",
    )
    own_hosts: tuple[str, ...] = _setting(
        (),
        _names(r"\.?[\w:-]+(\.[\w-]+)*", "host names or IP addresses separated by commas, without ports"),
        "Servers of your own, separated by commas: names, `.suffix` for all below it, or IP addresses.",
    )
    language: str = _setting("en", _one_of(*LANGUAGES), "Language of answers when the caller names none.")
    log_level: str = _setting("info", _one_of(*LOG_LEVELS), "Least severe level that is logged.")

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """The settings that a mapping holds; a missing or empty value means the default.

        Raises:
            SettingError: a value is not allowed.
        """
        given = {each.name: environment.get(variable(each.name), "") for each in fields(cls)}
        settings = cls(**{name: _parsed(name, value) for name, value in given.items() if value})
        return replace(settings, data_dir=settings.data_dir or _data_home(environment))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the address to listen on."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def check_exposure(self) -> None:
        """Refuses to listen to strangers without keys.

        Raises:
            SettingError: the address is not loopback, there are no keys, and nobody said that this is meant.
        """
        if not (self.is_loopback or self.api_keys or self.allow_open):
            allowed = (
                "loopback only, unless NDR_API_KEYS holds keys or NDR_ALLOW_OPEN=1 says that none are wanted"
            )
            raise SettingError("NDR_HOST", self.host, allowed)


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table of settings."""

    name: str
    default: Any
    help: str


def variable(field_name: str) -> str:
    """The environment variable of a setting.

    >>> variable("log_level")
    'NDR_LOG_LEVEL'
    """
    return PREFIX + field_name.upper()


SETTINGS = tuple(
    Setting(variable(each.name), each.default, each.metadata["help"]) for each in fields(Settings)
)


def page() -> Iterator[str]:
    """The lines of ``docs/settings.md``."""
    yield "# Settings\n"
    yield "The service reads these environment variables once, when it starts. An empty value means the"
    yield "default; a wrong value stops it with exit code 78. A name with the prefix `NDR_` that is not here"
    yield "gives a warning in the log.\n"
    yield "| variable | default | what it does |"
    yield "|---|---|---|"
    for setting in SETTINGS:
        yield f"| `{setting.name}` | {_shown(setting.default)} | {setting.help} |"
    yield ""
    yield "This page is made by `make docs` from `service/settings.py`."


def _shown(default: object) -> str:
    if default is None or default == ():
        return "empty"
    return f"`{int(default)}`" if isinstance(default, bool) else f"`{default}`"


def unknown_names(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The variables that look like settings and are none, perhaps by a slip of the pen.

    >>> unknown_names({"NDR_PROT": "8080", "NDR_PORT": "8080", "HOME": "/"})
    ('NDR_PROT',)
    """
    known = {setting.name for setting in SETTINGS}
    return tuple(sorted(name for name in environment if name.startswith(PREFIX) and name not in known))


def _data_home(environment: Mapping[str, str]) -> Path | None:
    """The folder for this program's data where the desktop's rules put it; ``None`` without a home."""
    named, home = environment.get("XDG_DATA_HOME", ""), environment.get("HOME", "")
    if named.startswith("/"):
        return Path(named, "ndr-triage")
    return Path(home, ".local", "share", "ndr-triage") if home.startswith("/") else None


def _parsed(name: str, value: str) -> Any:  # noqa: ANN401  # each setting has its own type
    parse = next(each.metadata["parse"] for each in fields(Settings) if each.name == name)
    try:
        return parse(value)
    except Refused as refusal:
        shown = "…" if name == "api_keys" else value
        raise SettingError(variable(name), shown, str(refusal)) from None


if __name__ == "__main__":
    sys.stdout.write("\n".join(page()) + "\n")
