"""The examples do what they say, where what they need is installed; the page shows them as they are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.client import Client, Refused

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
PAGE = ROOT / "docs" / "gateways.md"
CONFIGURATIONS = sorted(
    file for folder in ("postfix", "exim", "rspamd") for file in (EXAMPLES / folder).iterdir()
)


def ran(*command: str | Path, url: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NDR_URL": url, "NDR_KEY": "letmein", "PYTHONPATH": str(ROOT), **settings}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


@pytest.fixture
def mails(tmp_path: Path, mail: bytes) -> Path:
    folder = tmp_path / "mails"
    folder.mkdir()
    (folder / "1.eml").write_bytes(mail)
    (folder / "2.eml").write_bytes((ROOT / "tests" / "samples" / "qmail.eml").read_bytes())
    return folder


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_curl_classifies(service_url: str, mails: Path) -> None:
    done = ran("sh", EXAMPLES / "classify-curl.sh", mails / "1.eml", mails / "2.eml", url=service_url)

    first, second = done.stdout.splitlines()
    assert '"reputation_blocked"' in first
    assert second.startswith(f"{mails / '2.eml'}: {{")


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_curl_fails_with_a_wrong_key(service_url: str, mails: Path) -> None:
    assert ran("sh", EXAMPLES / "classify-curl.sh", mails / "1.eml", url=service_url, NDR_KEY="x").returncode


@pytest.fixture
def command(tmp_path: Path) -> str:
    file = tmp_path / "ndr"
    file.write_text(f'#!/bin/sh\nshift\nexec {sys.executable} -m service.gateways.pipe "$@"\n')
    file.chmod(0o755)
    return str(file)


def test_a_shell_sorts_a_folder(service_url: str, mails: Path, tmp_path: Path, command: str) -> None:
    done = ran("sh", EXAMPLES / "sort-bounces.sh", mails, tmp_path / "sorted", url=service_url, NDR=command)

    assert (0, []) == (done.returncode, list(mails.iterdir()))
    assert len(list((tmp_path / "sorted").glob("*/*.eml"))) == 2
    assert (tmp_path / "sorted" / "fix_sender" / "1.eml").exists()


def test_a_shell_leaves_what_cannot_be_diagnosed_now(mails: Path, tmp_path: Path, command: str) -> None:
    sort = EXAMPLES / "sort-bounces.sh"
    done = ran("sh", sort, mails, tmp_path / "sorted", url="http://127.0.0.1:9", NDR=command)

    assert (75, 2) == (done.returncode, len(list(mails.iterdir())))


def test_a_shell_overwrites_nothing(service_url: str, mails: Path, tmp_path: Path, command: str) -> None:
    there = tmp_path / "sorted" / "fix_sender" / "1.eml"
    there.parent.mkdir(parents=True)
    there.write_text("of yesterday")

    done = ran("sh", EXAMPLES / "sort-bounces.sh", mails, tmp_path / "sorted", url=service_url, NDR=command)

    assert (75, "of yesterday") == (done.returncode, there.read_text())
    assert [mails / "1.eml"] == list(mails.iterdir())


FILTER = """[ "$*" = "tickets filter" ] || exit 2; echo "X-NDR-Kind: bounce"; cat"""
GATE = """printf '%s\\n' "$@" >"$OUT/options"; cat >"$OUT/mail"; exit {code}"""


@pytest.mark.parametrize(
    ("ndr", "gate", "ended", "passed"),
    [
        (FILTER, GATE.format(code=0), 0, "X-NDR-Kind: bounce\nA: b\n\nbody"),
        (None, GATE.format(code=0), 0, "A: b\n\nbody"),
        ("echo half; exit 1", GATE.format(code=0), 0, "A: b\n\nbody"),
        ("cat >/dev/null", GATE.format(code=0), 0, "A: b\n\nbody"),
        ("kill -9 $$", GATE.format(code=0), 0, "A: b\n\nbody"),
        (FILTER, GATE.format(code=75), 75, "X-NDR-Kind: bounce\nA: b\n\nbody"),
        (FILTER, GATE.format(code=1), 1, "X-NDR-Kind: bounce\nA: b\n\nbody"),
        (FILTER, None, 75, None),
        (FILTER, "kill -9 $$", 75, None),
    ],
)
def test_rt_takes_a_mail_with_or_without_marks(
    tmp_path: Path, ndr: str | None, gate: str | None, ended: int, passed: str | None
) -> None:
    (tmp_path / "drafts").mkdir()
    for name, script in (("ndr", ndr), ("rt-mailgate", gate)):
        if script:
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name).chmod(0o755)

    done = gated(tmp_path, tmp_path / "drafts")

    mail = tmp_path / "mail"
    assert (ended, passed) == (done.returncode, mail.read_text() if mail.exists() else None), done.stderr
    assert passed is None or (tmp_path / "options").read_text() == "--queue\nBig one\n"
    assert not list((tmp_path / "drafts").iterdir())


def test_a_mail_that_cannot_be_kept_is_left_to_the_mail_system(tmp_path: Path) -> None:
    assert gated(tmp_path, tmp_path / "no-such-folder").returncode == 75


def gated(folder: Path, drafts: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", EXAMPLES / "rt-mailgate.sh", "--queue", "Big one"],
        env={"PATH": f"{folder}:/usr/bin:/bin", "TMPDIR": str(drafts), "OUT": str(folder)},
        input="A: b\n\nbody",
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.skipif(not shutil.which("pwsh"), reason="needs PowerShell 7 (pwsh)")
def test_powershell_classifies(service_url: str, mails: Path) -> None:
    script = f"& '{EXAMPLES / 'Get-BounceReason.ps1'}' -Path '{mails}/*.eml' | ConvertTo-Csv"

    done = ran("pwsh", "-NoProfile", "-Command", script, url=service_url)

    assert "reputation_blocked" in done.stdout


def test_a_batch_is_streamed(service_url: str, mails: Path) -> None:
    try:
        list(Client(service_url, "letmein").batch([{"text": "550 5.1.1 User unknown"}]))
    except Refused as refusal:
        if refusal.status == 415:
            pytest.skip("the service reads no NDJSON batches")

    done = ran(sys.executable, EXAMPLES / "batch.py", mails, url=service_url)

    assert done.stdout.startswith("1.eml: reputation_blocked\n2.eml: ")


@pytest.mark.parametrize("file", CONFIGURATIONS, ids=lambda file: str(file.relative_to(EXAMPLES)))
def test_the_page_shows_each_configuration_as_it_is(file: Path) -> None:
    lines = [
        line for line in file.read_text("utf-8").splitlines() if line and not line.startswith(("#", "--"))
    ]

    assert "\n".join(lines) in PAGE.read_text("utf-8").replace("\n\n", "\n")
