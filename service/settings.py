"""Every setting, declared once with its default and its help; read once from a mapping.

``python -m service.settings`` prints the page ``docs/settings.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

from model.languages import LANGUAGES
from service import setting_values as values
from service.errors import SettingError
from service.setting_values import Refused

PREFIX = "NDR_"
FILE_SUFFIX = "_FILE"
SECRETS = ("api_keys", "database_url", "webhook_secret")
"""Settings that are never shown; each may also lie in a file that ``NDR_<FIELD>_FILE`` names."""

LOG_LEVELS = ("debug", "info", "warning", "error", "critical")

T = TypeVar("T")


def _setting(default: T, parse: Callable[[str], T], text: str) -> T:
    declared: T = field(default=default, metadata={"parse": parse, "help": text})
    return declared


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process; each field is also the environment variable ``NDR_<FIELD>``."""

    host: str = _setting(
        "127.0.0.1", values.host, "Address to listen on. Elsewhere than on loopback keys are needed."
    )
    port: int = _setting(8080, values.whole(0, 65535), "Port to listen on; 0 picks a free one.")
    api_keys: tuple[bytes, ...] = _setting(
        (),
        values.keys,
        "Keys that callers send as `Authorization: Bearer …`, separated by commas; plain, or `sha256:` and "
        "the hex digest. Only digests are kept. Empty: no key is asked for.",
    )
    allow_open: bool = _setting(
        default=False, parse=values.flag, text="Listen elsewhere than on loopback although no keys are set."
    )
    max_body_bytes: int = _setting(
        36 << 20, values.whole(1024, 1 << 30), "Largest request body; room for a message of 25 MiB in base64."
    )
    max_evidence_lines: int = _setting(
        500_000, values.whole(1, 1 << 30), "Most lines in one piece of evidence for `/v1/diagnose`."
    )
    batch_limit: int = _setting(1000, values.whole(1, 100_000), "Most items in one batch.")
    request_timeout_s: int = _setting(
        30, values.whole(1, 3600), "Seconds that one request may take, reading included."
    )
    graceful_timeout_s: int = _setting(
        30, values.whole(1, 3600), "Seconds that open requests get when the service stops."
    )
    workers: int = _setting(2, values.whole(1, 256), "Worker processes.")
    threads: int = _setting(4, values.whole(1, 256), "Threads in each worker.")
    rules_dir: Path | None = _setting(  # noqa: RUF009  # a declaration, as its neighbours
        None, values.folder, "Folder with rule files of your own; they rank above the shipped ones."
    )
    model_dir: Path | None = _setting(  # noqa: RUF009  # a declaration, as its neighbours
        None,
        values.folder,
        "Folder with a classifier of your own, as `ndr-train retrain` makes it, in place of the shipped one.",
    )
    data_dir: Path | None = _setting(  # noqa: RUF009  # a declaration, as its neighbours
        None,
        values.place,
        "Folder for corrections, archives and their jobs, made when the first one comes. Empty: `ndr-triage` "
        "in `XDG_DATA_HOME`, or in `~/.local/share`.",
    )
    database_url: str = _setting(
        "",
        values.database,
        "SQLAlchemy address of the store of jobs, such as `postgresql+psycopg://ndr@db.example.com/ndr`. "
        "Empty: a SQLite file below `NDR_DATA_DIR`.",
    )
    archive_dir: str = _setting(
        "",
        values.address,
        "Where uploaded archives and their results lie: a folder, or an fsspec address such as "
        "`s3://bucket/ndr`. Empty: `archives` below `NDR_DATA_DIR`. It belongs to one store of jobs alone. "
        "Uploads leave 256 MiB of a disk free, and those that became no job go after two days.",
    )
    archive_sources: tuple[str, ...] = _setting(
        (),
        values.addresses,
        "Folders and fsspec addresses, separated by commas, below which callers may name archives. Empty: "
        "archives are uploaded only.",
    )
    max_archive_bytes: int = _setting(
        8 << 30, values.whole(1024, 1 << 44), "Largest archive that is uploaded."
    )
    archive_days: int = _setting(
        7, values.whole(1, 3650), "Days after which a finished job is deleted with its archive and results."
    )
    upload_timeout_s: int = _setting(
        3600, values.whole(1, 86400), "Seconds that an upload, a download or a streamed batch may take."
    )
    triage_jobs: int = _setting(
        0, values.whole(0, 256), "Processes that a runner uses for an archive; 0: as many as there are cores."
    )
    dask_scheduler: str = _setting(
        "",
        values.address,
        "Address of a Dask scheduler that works on archives, such as `tcp://127.0.0.1:8786`.",
    )
    webhook_url: str = _setting(
        "",
        values.web_address,
        "Where events are sent: an https address, or http on loopback. Empty: nowhere.",
    )
    webhook_secret: bytes = _setting(
        b"",
        values.webhook_secret,
        "Secret that events are signed with (Standard Webhooks): `whsec_` and base64 of 24 to 64 bytes.",
    )
    webhook_events: tuple[str, ...] = _setting(
        ("archive.finished",),
        values.names("archive\\.finished|diagnosis\\.made", "archive.finished and diagnosis.made, by commas"),
        "Which events are sent: `archive.finished`, `diagnosis.made`, separated by commas.",
    )
    webhook_kinds: tuple[str, ...] = _setting(
        (),
        values.names(r"[a-z_]+", "kinds separated by commas"),
        "Kinds whose diagnoses are sent; empty: all.",
    )
    webhook_categories: tuple[str, ...] = _setting(
        (),
        values.names(r"[a-z_]+", "categories separated by commas"),
        "Categories whose diagnoses are sent; empty: all.",
    )
    tickets_file: Path | None = _setting(  # noqa: RUF009  # a declaration, as its neighbours
        None, values.file, "TOML file that names the ticketing systems to write to."
    )
    own_domains: tuple[str, ...] = _setting(
        (),
        values.names(r"[\w-]+(\.[\w-]+)*", "domains separated by commas, such as example.com"),
        "Domains that you accept mail for, separated by commas; they tell whose side you are on. "
        "Empty: the evidence tells.",
    )
    own_hosts: tuple[str, ...] = _setting(
        (),
        values.names(
            r"\.?[\w:-]+(\.[\w-]+)*", "host names or IP addresses separated by commas, without ports"
        ),
        "Servers of your own, separated by commas: names, `.suffix` for all below it, or IP addresses.",
    )
    language: str = _setting(
        "en", values.one_of(*LANGUAGES), "Language of answers when the caller names none."
    )
    log_level: str = _setting("info", values.one_of(*LOG_LEVELS), "Least severe level that is logged.")

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """The settings that a mapping holds; a missing or empty value means the default.

        Raises:
            SettingError: a value is not allowed.
        """
        given = {each.name: _given(environment, each.name) for each in fields(cls)}
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
    yield "gives a warning in the log. What is secret may lie in a file that the same name with `_FILE`"
    yield "names: " + ", ".join(f"`{variable(name)}`" for name in SECRETS) + ".\n"
    yield "| variable | default | what it does |"
    yield "|---|---|---|"
    for setting in SETTINGS:
        yield f"| `{setting.name}` | {_shown(setting.default)} | {setting.help} |"
    yield ""
    yield "This page is made by `make docs` from `service/settings.py`."


def _shown(default: object) -> str:
    if default is None or default in ((), "", b""):
        return "empty"
    if isinstance(default, tuple):
        return f"`{','.join(default)}`"
    return f"`{int(default)}`" if isinstance(default, bool) else f"`{default}`"


OF_CALLERS = frozenset({"NDR_URL", "NDR_KEY", "NDR_KEY_FILE", "NDR_IMAP_PASSWORD"})
"""What commands read that ask a service; no settings of the service itself."""


def unknown_names(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The variables that look like settings and are none, perhaps by a slip of the pen.

    >>> unknown_names({"NDR_PROT": "8080", "NDR_PORT": "8080", "HOME": "/"})
    ('NDR_PROT',)
    """
    known = {setting.name for setting in SETTINGS} | {variable(name) + FILE_SUFFIX for name in SECRETS}
    known |= OF_CALLERS
    return tuple(sorted(name for name in environment if name.startswith(PREFIX) and name not in known))


def _given(environment: Mapping[str, str], name: str) -> str:
    """What a mapping says of a setting; a secret may lie in a file instead.

    Raises:
        SettingError: the file cannot be read, or both are given.
    """
    value, file = environment.get(variable(name), ""), environment.get(variable(name) + FILE_SUFFIX, "")
    if not file or name not in SECRETS:
        return value
    if value:
        raise SettingError(variable(name) + FILE_SUFFIX, file, f"not together with {variable(name)}")
    try:
        return Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeError):
        raise SettingError(variable(name) + FILE_SUFFIX, file, "a file that can be read") from None


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
        shown = "…" if name in SECRETS else value
        raise SettingError(variable(name), shown, str(refusal)) from None


if __name__ == "__main__":
    sys.stdout.write("\n".join(page()) + "\n")
