"""The commands start what they say, end when told to, and refuse what makes no sense."""

from __future__ import annotations

import os
import re
import signal
import smtplib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner

from service import gateway_cli
from service.errors import SettingError
from service.gateways.listening import Address, address_of

ROOT = Path(__file__).parents[3]
START = "from service.gateway_cli import {0}; {0}()"

Start = Callable[..., "tuple[subprocess.Popen[bytes], str]"]


@pytest.fixture
def start(service_url: str, tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def run(command: str, *arguments: str) -> tuple[subprocess.Popen[bytes], str]:
            log = tmp_path / "log"
            with log.open("wb") as stream:
                process = subprocess.Popen(
                    [sys.executable, "-c", START.format(command), "--url", service_url, *arguments],
                    cwd=ROOT,
                    env={**os.environ, "NDR_KEY": "letmein"},
                    stderr=stream,
                )
            stack.callback(process.wait)
            stack.callback(process.kill)
            while process.poll() is None:
                if match := re.search(r'"address":"([^"]+)","event":"listening"', log.read_text("utf-8")):
                    return process, match[1]
                time.sleep(0.02)
            raise AssertionError(log.read_text("utf-8"))

        yield run


def test_lmtp_stores_and_ends_when_told(start: Start, tmp_path: Path, mail: bytes) -> None:
    pytest.importorskip("aiosmtpd", reason="needs the extra lmtp")
    answers = tmp_path / "answers"
    process, address = start("lmtp", "--smtp", "--append", str(answers), "--listen", "127.0.0.1:0")

    with smtplib.SMTP(*address.split(":"), timeout=20) as client:  # type: ignore[arg-type]
        client.sendmail("", ["a@x.example"], mail)
    process.send_signal(signal.SIGTERM)

    assert process.wait(20) == 0
    assert '"reputation_blocked"' in answers.read_text("utf-8")
    assert "@" not in (tmp_path / "log").read_text("utf-8"), "an address was logged"


def test_the_milter_listens_on_a_file_and_takes_it_away(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "milter.sock"
    process, address = start("milter", "--listen", f"unix:{file}")

    assert (f"unix:{file}", True) == (address, file.is_socket())
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert not file.exists()


@pytest.mark.parametrize(
    ("command", "arguments", "said"),
    [
        ("lmtp", [], "Say one of"),
        ("lmtp", ["--append", "x", "--post"], "Say one of"),
        ("lmtp", ["--append", "x", "--max-bytes", "0"], "max-bytes"),
        ("milter", ["--threads", "0"], "threads"),
        ("imap", ["--user", "x", "--append", "y"], "--host"),
        ("imap", ["--host", "h", "--user", "x", "--append", "y"], "NDR_IMAP_PASSWORD"),
    ],
)
def test_what_makes_no_sense_is_refused(
    command: str, arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NDR_IMAP_PASSWORD", raising=False)

    result = CliRunner().invoke(getattr(gateway_cli, command), arguments)

    assert (2, True) == (result.exit_code, said in result.output)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:25", Address("127.0.0.1", 25)),
        ("[::1]:8894", Address("::1", 8894)),
        ("localhost:0", Address("localhost", 0)),
        ("unix:/run/ndr/milter.sock", Address(path="/run/ndr/milter.sock")),
    ],
)
def test_an_address_is_read(text: str, address: Address) -> None:
    assert address == address_of(text)


@pytest.mark.parametrize("text", ["", "8894", "host:", "host:65536", "unix:relative", "a b:1", "host:-1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="allowed"):
        address_of(text)
