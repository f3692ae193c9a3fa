"""``ndr pipe`` stores the result and ends with 0, or leaves the mail to the mail system with 75."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Any

import pytest

from service.webhooks import verify

ROOT = Path(__file__).parents[3]
SECRET = b"s" * 32

Pipe = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def pipe(service_url: str) -> Pipe:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NDR_")}

    def run(*arguments: str | Path, given: bytes, **settings: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "service.gateways.pipe", *arguments],
            cwd=ROOT,
            env={**kept, "NDR_URL": service_url, "NDR_KEY": "letmein", **settings},
            input=given,
            capture_output=True,
            timeout=60,
        )

    return run


def test_it_prints_the_answer_as_a_line(pipe: Pipe, mail: bytes) -> None:
    done = pipe("--fields", "category,kind", given=b"From MAILER-DAEMON  Mon Mar  2 09:00:05 2026\n" + mail)

    assert (0, b'{"kind":"bounce","category":"reputation_blocked"}\n') == (done.returncode, done.stdout)


def test_it_prints_the_mail_with_header_fields(pipe: Pipe, mail: bytes) -> None:
    done = pipe("--headers", given=b"X-NDR-Kind: success\n" + mail)

    head = b"X-NDR-Kind: bounce\nX-NDR-Category: reputation_blocked\nX-NDR-Action: "
    assert done.returncode == 0
    assert done.stdout.startswith(head)
    assert done.stdout.endswith(mail)
    assert done.stdout.count(b"X-NDR-Kind") == 1


def test_processes_append_whole_lines(pipe: Pipe, mail: bytes, tmp_path: Path) -> None:
    file = tmp_path / "answers.ndjson"

    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(lambda _: pipe("--append", file, given=mail).returncode, range(12)))

    answers = [json.loads(line) for line in file.read_bytes().splitlines()]
    assert [0] * 12 == ended
    assert ["bounce"] * 12 == [answer["kind"] for answer in answers]


def test_it_delivers_to_a_maildir(pipe: Pipe, mail: bytes, tmp_path: Path) -> None:
    done = pipe("--maildir", tmp_path / "box", given=b"From x  Mon\n" + mail)

    (delivered,) = (tmp_path / "box" / "new").iterdir()
    assert done.returncode == 0
    assert not list((tmp_path / "box" / "tmp").iterdir())
    assert delivered.read_bytes().startswith(b"X-NDR-Kind: bounce\n")
    assert delivered.read_bytes().endswith(mail)


def test_it_tells_a_webhook_with_a_signature(pipe: Pipe, mail: bytes, scripted: Any) -> None:
    receiver = scripted((204, b""))

    done = pipe("--webhook", receiver.url + "/hook?x=1", given=mail, NDR_WEBHOOK_SECRET=_shared())

    _, path, body, headers = receiver.asked[0]
    assert (0, "/hook?x=1") == (done.returncode, path)
    assert verify(SECRET, headers, body, datetime.now(UTC))
    assert json.loads(body)["data"]["category"] == "reputation_blocked"


def _shared() -> str:
    return "whsec_" + b64encode(SECRET).decode()


@pytest.mark.parametrize("given", [b"", b"\n \n"])
def test_what_can_never_be_diagnosed_is_stored_as_such(pipe: Pipe, given: bytes, tmp_path: Path) -> None:
    file = tmp_path / "answers.ndjson"

    assert pipe("--append", file, given=given).returncode == 0
    assert pipe("--append", file, "--local", given=given).returncode == 0

    assert all(
        "empty-evidence" in json.loads(line)["problem"]["type"] for line in file.read_text().splitlines()
    )


def test_what_can_never_be_diagnosed_stays_as_it_is(pipe: Pipe) -> None:
    done = pipe("--headers", given=b"\n")

    assert (0, b"\n") == (done.returncode, done.stdout)


def test_it_works_alone(pipe: Pipe, mail: bytes) -> None:
    done = pipe("--local", "--fields", "category", given=mail, NDR_URL="http://127.0.0.1:9")

    assert (0, b'{"category":"reputation_blocked"}\n') == (done.returncode, done.stdout)


def test_the_key_may_lie_in_a_file(pipe: Pipe, mail: bytes, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("letmein\n")

    assert pipe("--key-file", tmp_path / "key", given=mail, NDR_KEY="wrong").returncode == 0
    assert pipe(given=mail, NDR_KEY_FILE=str(tmp_path / "key"), NDR_KEY="wrong").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        ((), {"NDR_URL": "http://127.0.0.1:9"}),
        ((), {"NDR_URL": "http://no-such-host.invalid"}),
        ((), {"NDR_URL": "nonsense"}),
        ((), {"NDR_KEY": "wrong"}),
        ((), {"NDR_KEY_FILE": "/no/such/file"}),
        (("--fields", "colour"), {}),
        (("--no-such-option",), {}),
        (("--append", "/dev/null/x"), {}),
        (("--append", "/dev/full"), {}),
        (("--maildir", "/dev/null"), {}),
        (("--append", "x", "--maildir", "y"), {}),
        (("--append", ""), {}),
        (("--maildir", ""), {}),
        (("--webhook", ""), {}),
        (("--webhook", "http://127.0.0.1:9/"), {"NDR_WEBHOOK_SECRET": _shared()}),
        (("--webhook", "http://127.0.0.1:9/"), {}),
        (("--webhook", "http://mail.example.org/"), {"NDR_WEBHOOK_SECRET": _shared()}),
        (("--local",), {"NDR_LANGUAGE": "tlh"}),
    ],
)
def test_the_mail_system_keeps_what_is_not_stored(
    pipe: Pipe, mail: bytes, arguments: tuple[str, ...], settings: dict[str, str]
) -> None:
    done = pipe("--timeout", "2", *arguments, given=mail, **settings)

    assert os.EX_TEMPFAIL == done.returncode, done.stderr
    assert done.stdout == b""
    assert done.stderr.startswith(b"ndr pipe: ")
    assert b"Traceback" not in done.stderr
    assert b"letmein" not in done.stderr


def test_a_receiver_that_refuses_leaves_the_mail_too(pipe: Pipe, mail: bytes, scripted: Any) -> None:
    receiver = scripted((400, b""))

    done = pipe("--webhook", receiver.url, given=mail, NDR_WEBHOOK_SECRET=_shared())

    assert os.EX_TEMPFAIL == done.returncode


def test_a_reader_that_went_away_leaves_the_mail(pipe: Pipe, mail: bytes, service_url: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "service.gateways.pipe", "--url", service_url],
            cwd=ROOT,
            env={**os.environ, "NDR_KEY": "letmein"},
            input=mail,
            stdout=gone,
            stderr=subprocess.DEVNULL,
        )

    assert os.EX_TEMPFAIL == done.returncode


@pytest.mark.parametrize("started", ["-m service.gateways.pipe", "entry"])
@pytest.mark.parametrize("streams", ["2>&-", "2>/dev/full", ">&- 2>&-", ">/dev/full 2>/dev/full", "<&- 2>&-"])
@pytest.mark.parametrize("option", ["--url http://127.0.0.1:9", "--no-such-option", "--append ''"])
def test_it_ends_with_75_where_nobody_listens(started: str, streams: str, option: str, mail: bytes) -> None:
    if started == "entry":
        code = "import sys; sys.argv[0] = 'ndr'; from service.entry import main; main()"
        started = f"-c {quote(code)} pipe"

    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {sys.executable} {started} --timeout 2 {option} {streams}"],
        cwd=ROOT,
        input=mail,
        stdout=subprocess.DEVNULL,
    )

    assert os.EX_TEMPFAIL == done.returncode


def test_an_answer_that_does_not_fit_leaves_the_mail(service_url: str, mail: bytes) -> None:
    command = f"exec {sys.executable} -m service.gateways.pipe --url {service_url} >/dev/full 2>&1"
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=ROOT, input=mail, env={**os.environ, "NDR_KEY": "letmein"}
    )

    assert os.EX_TEMPFAIL == done.returncode


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_the_mail(told: signal.Signals) -> None:
    code = (
        "import sys; from service.gateways import pipe;"
        "pipe._handle = lambda _: (print('ready', flush=True), sys.stdin.read());"
        "sys.argv = ['ndr', 'pipe']; pipe.run()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(told)

        assert os.EX_TEMPFAIL == process.wait(20)


@pytest.mark.parametrize("broken", ["service.gateways.headers", "service.errors"])
@pytest.mark.parametrize("stderr", ["", "2>&-"])
def test_a_missing_module_leaves_the_mail(broken: str, stderr: str) -> None:
    code = f"import sys; sys.modules[{broken!r}] = None; from service.entry import main; main()"

    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {sys.executable} -c {quote(code)} pipe {stderr}"],
        cwd=ROOT,
        input=b"A: b\n\n",
    )

    assert os.EX_TEMPFAIL == done.returncode


def test_its_help_ends_with_0(pipe: Pipe) -> None:
    done = pipe("--help", given=b"")

    assert (0, True) == (done.returncode, done.stdout.startswith(b"usage: ndr pipe"))


def test_the_way_to_it_loads_nothing_heavy() -> None:
    code = "import sys, service.entry, service.gateways.pipe; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    heavy = {"click", "orjson", "numpy", "re2", "model", "structlog", "urllib3", "dataclasses", "service.cli"}
    assert not heavy & set(loaded.stdout.split())


def test_the_command_line_hands_over_to_it(service_url: str, mail: bytes) -> None:
    code = "import sys; sys.argv[0] = 'ndr'; from service.entry import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "pipe", "--url", service_url, "--fields", "kind"],
        cwd=ROOT,
        env={**os.environ, "NDR_KEY": "letmein"},
        input=mail,
        capture_output=True,
    )

    assert (0, b'{"kind":"bounce"}\n') == (done.returncode, done.stdout)
