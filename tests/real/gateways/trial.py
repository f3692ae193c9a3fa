"""Runs each way of handing over bounces with real mail systems: ``python tests/real/gateways/trial.py WORK``.

Needs root, Debian with debootstrap, and the network for packages. WORK is a scratch folder that may be used
again.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from house import NDR, ROOT, House, example

POSTFIX = ("postfix", "dovecot-imapd", "rspamd")
EXIM = ("exim4-daemon-heavy",)
FEW = 20
DEFER_QUICKLY = (
    "minimal_backoff_time=5s",
    "maximal_backoff_time=10s",
    "queue_run_delay=5s",
    "maximal_queue_lifetime=1h",
    "bounce_queue_lifetime=1h",
)
BASICS = (
    "inet_interfaces=loopback-only",
    "inet_protocols=ipv4",
    "myhostname=mail.example",
    "mydestination=mail.example,localhost",
    "maillog_file=/var/log/postfix.log",
    "home_mailbox=Maildir/",
    "alias_maps=hash:/etc/aliases",
    "alias_database=hash:/etc/aliases",
    "local_recipient_maps=",
    "smtpd_client_connection_count_limit=0",
    *DEFER_QUICKLY,
)


CERTIFICATE = (
    "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=mail.example "
    "-addext subjectAltName=DNS:mail.example -keyout key.pem -out cert.pem 2>&1"
)
POLLING = (
    "--host mail.example --user office --password-file password --ca-file /etc/dovecot/cert.pem "
    "--append imap.ndjson --state imap.sqlite --once"
)


def start_postfix(house: House) -> None:
    """Sets Postfix up with the examples, and starts it with service, milter and LMTP."""
    house.box.write("etc/aliases", example("postfix/aliases").encode())
    house.box.write("etc/postfix/transport", example("postfix/transport").encode())
    for line in (*BASICS, *settings_in(example("postfix/main.cf"))):
        house.sh(f"postconf -e '{line}'")
    house.sh("cat >> /etc/postfix/master.cf", text=example("postfix/master.cf"))
    house.sh("newaliases && postfix start")
    house.serve()
    house.start("milter", f"{NDR} milter")
    house.start("lmtp", f"{NDR} lmtp --append /var/lib/ndr/lmtp.ndjson")
    for name in ("milter", "lmtp"):
        house.until(name, lambda name=name: b"listening" in house.read(f"/var/log/trial/{name}.log"))


def settings_in(text: str) -> Iterator[str]:
    """The lines of a configuration that are no comments."""
    return (line for line in text.splitlines() if line and not line.startswith("#"))


def alias_with_curl(house: House) -> str:
    """An alias of Postfix that calls curl."""
    return arrives(house, "curl-bounces", "/var/lib/ndr-alias/bounces.json")


def postfix_pipe(house: House) -> str:
    """A transport of Postfix with ndr pipe."""
    return arrives(house, "pipe-bounces", "/var/lib/ndr/pipe.ndjson")


def lmtp_route(house: House) -> str:
    """Postfix hands over by LMTP."""
    return arrives(house, "lmtp-bounces", "/var/lib/ndr/lmtp.ndjson")


def arrives(house: House, name: str, file: str, domain: str = "mail.example", port: int = 25) -> str:
    """Sends some; each answer must be there once."""
    began = time.monotonic()
    house.send(f"{name}@{domain}", FEW, port=port)
    expected = {f"<{name}.{number}@{domain}>": 1 for number in range(FEW)}
    house.until(f"{FEW} answers in {file}", lambda: house.answers(file).total() >= FEW, 60)
    assert house.answers(file) == expected, house.answers(file)
    return f"{FEW} of {FEW} stored once in {time.monotonic() - began:.1f} s"


def milter(house: House) -> str:
    """Bounces that pass Postfix are marked, forged marks are gone, and other mail passes as it is."""
    house.send("office@mail.example", FEW)
    house.until("the mails", lambda: len(house.mails("/home/office/Maildir")) == FEW, 60)
    mails = house.mails("/home/office/Maildir")
    heads = [mail.partition(b"\n\n")[0] for mail in mails]
    marked = sum(head.count(b"\nX-NDR-Kind: bounce\n") == 1 for head in heads)
    assert marked == FEW, f"{marked} of {FEW} are marked"
    assert not any(b"forged" in head for head in heads)
    house.sh("sendmail -f someone@mail.example office", text="Subject: lunch\n\nAt noon?\n")
    house.until("the other mail", lambda: len(house.mails("/home/office/Maildir")) == FEW + 1, 60)
    other = next(mail for mail in house.mails("/home/office/Maildir") if b"lunch" in mail)
    assert b"X-NDR" not in other
    return f"{marked} of {FEW} marked once, {FEW} forged fields gone, other mail untouched"


def own_bounce(house: House) -> str:
    """A bounce that Postfix itself writes is marked on its way."""
    house.sh("sendmail -f office@mail.example no-such-user@mail.example", text="Subject: x\n\nx\n")
    house.until(
        "the bounce",
        lambda: any(b"no-such-user" in mail for mail in house.mails("/home/office/Maildir")),
        60,
    )
    bounce = next(mail for mail in house.mails("/home/office/Maildir") if b"no-such-user" in mail)
    marks = [line.decode() for line in bounce.splitlines() if line.startswith(b"X-NDR-")]
    assert any("Kind: bounce" in mark for mark in marks), marks
    return ", ".join(marks)


def three_routes(house: House, count: int = 1000) -> str:
    """Many bounces on three routes at once, while the service is stopped and started again twice."""
    routes = {
        "pipe-bounces": "/var/lib/ndr/pipe.ndjson",
        "lmtp-bounces": "/var/lib/ndr/lmtp.ndjson",
    }
    before = {name: house.answers(file).total() for name, file in routes.items()}
    mails_before = len(house.mails("/home/office/Maildir"))
    began, first = time.monotonic(), 1000

    def done() -> int:
        stored = sum(house.answers(file).total() - before[name] for name, file in routes.items())
        return stored + len(house.mails("/home/office/Maildir")) - mails_before

    with ThreadPoolExecutor(3) as pool:
        sent = [
            pool.submit(house.send, f"{name}@mail.example", count, first=first, at_once=2)
            for name in (*routes, "office")
        ]
        house.until("a third is done", lambda: done() >= count)
        restart(house, house.stop)
        house.until("two thirds are done", lambda: done() >= 2 * count)
        restart(house, house.kill)
        for each in sent:
            each.result()
    house.sh("postqueue -f")
    house.until("all is done", lambda: done() >= 3 * count)
    house.until("an empty queue", lambda: "is empty" in house.sh("postqueue -p"))
    took_s = time.monotonic() - began
    said = [route_figures(house, name, file, first, count) for name, file in routes.items()]
    return "; ".join([*said, milter_figures(house, first, count), deferrals(house), f"{took_s:.0f} s in all"])


def restart(house: House, end: Callable[[str], None]) -> None:
    """Takes the service away for a while, with mail under way."""
    end("service")
    time.sleep(4)
    house.serve()


def route_figures(house: House, name: str, file: str, first: int, count: int) -> str:
    """How many of a route's answers are there, and how many are there twice."""
    found = house.answers(file)
    expected = {f"<{name}.{number}@mail.example>" for number in range(first, first + count)}
    there = expected & found.keys()
    assert there == expected, f"{name}: lost {len(expected - there)}"
    twice = sum(found[each] > 1 for each in expected)
    return f"{name}: {len(there)} of {count} stored, {twice} twice"


def milter_figures(house: House, first: int, count: int) -> str:
    """How many mails came through the milter, and how many of them it marked."""
    found = Counter[bytes]()
    marked = 0
    for mail in house.mails("/home/office/Maildir"):
        head = mail.partition(b"\n\n")[0]
        name = mail.partition(b"Subject: number office.")[2].partition(b"\n")[0]
        if name.isdigit() and int(name) in range(first, first + count):
            found[name] += 1
            marked += b"\nX-NDR-Kind: bounce\n" in head
    assert len(found) == count, f"milter: lost {count - len(found)}"
    return f"milter: {len(found)} of {count} delivered, {found.total() - count} twice, {marked} marked"


def deferrals(house: House) -> str:
    """How often Postfix put mail back for later."""
    log = house.read("/var/log/postfix.log").decode(errors="replace")
    counts = {status: log.count(f"status={status}") for status in ("deferred", "bounced")}
    assert "relay=ndr, " in log
    return f"{counts['deferred']} deferrals"


def rspamd(house: House) -> str:
    """rspamd calls the service."""
    house.box.write("etc/rspamd/rspamd.local.lua", example("rspamd/rspamd.local.lua").encode())
    house.box.write(
        "etc/rspamd/local.d/options.inc",
        b'dns { nameserver = ["127.0.0.1"]; timeout = 0.1s; retransmits = 1; }\n',
    )
    house.sh("mkdir -p /run/rspamd && chown _rspamd: /run/rspamd")
    house.sh("rspamd -u _rspamd -g _rspamd >/dev/null 2>&1")
    house.until("rspamd", lambda: "pong" in house.sh("curl -s localhost:11333/ping", check=False), 120)
    script = Path(__file__).with_name("bounces.py").read_text("utf-8")
    house.box.write("root/bounces.py", script.encode())
    make = "import bounces, sys; sys.stdout.buffer.write(bounces.bounce('rspamd@mail.example', 1))"
    check = "curl -s --data-binary @- localhost:11333/checkv2"
    answer = house.sh(f'cd /root && python3 -c "{make}" | {check} -H "From: <>"')
    assert '"NDR"' in answer, answer
    assert "mailbox_full" in answer, answer
    other = house.sh(f"{check} -H 'From: a@mail.example'", text="Subject: lunch\n\nAt noon?\n")
    assert '"NDR"' not in other
    start = answer.index('"NDR"')
    return answer[start : start + 160]


def imap(house: House) -> str:
    """A mailbox of Dovecot is polled; each mail is stored once, also over an end in between."""
    house.box.write("etc/dovecot/dovecot.conf", (Path(__file__).parent / "dovecot.conf").read_bytes())
    house.sh(f"cd /etc/dovecot && {CERTIFICATE} && chmod 644 cert.pem")
    house.sh("dovecot >/dev/null 2>&1")
    house.sh("rm -rf /home/office/Maildir")
    house.send("office@mail.example", FEW)
    house.until("the mails", lambda: len(house.mails("/home/office/Maildir")) == FEW, 60)
    house.sh("printf secret > /var/lib/ndr/password; chown ndr /var/lib/ndr/password")
    as_ndr = "setpriv --reuid=ndr --regid=ndr --init-groups env -C /var/lib/ndr"
    poll = f"{NDR} imap {POLLING}"
    house.stop("service")
    assert "75" in house.sh(f"{as_ndr} {poll}; echo $?"), "without the service mails must be left"
    house.serve()
    said = house.sh(f"{as_ndr} {poll}; {as_ndr} {poll}; echo $?")
    found = house.answers("/var/lib/ndr/imap.ndjson")
    assert found.total() == len(found) == FEW, (found, said)
    house.sh("doveadm flags remove -u office '\\Seen' mailbox INBOX ALL")
    house.sh(f"{as_ndr} {poll} --move Archive")
    assert house.answers("/var/lib/ndr/imap.ndjson").total() == FEW, "what is done was stored again"
    count = "doveadm search -u office mailbox {} ALL | wc -l"
    left = [house.sh(count.format(folder)).strip() for folder in ("INBOX", "Archive")]
    assert left == ["0", str(FEW)], left
    return f"{FEW} stored once over TLS; unread again they are moved, not stored"


def start_exim(house: House) -> None:
    """Sets Exim up with the examples."""
    template = (Path(__file__).parent / "exim4.conf").read_text("utf-8")
    filled = template.replace("@ROUTER@", example("exim/router.conf")).replace(
        "@TRANSPORT@", example("exim/transport.conf")
    )
    house.box.write("etc/exim4/exim4.conf", filled.encode())
    house.box.write("etc/aliases", example("exim/aliases").encode())
    house.sh("chown root:root /etc/exim4/exim4.conf && exim4 -bd -q5s")
    house.serve()


def exim_pipe(house: House) -> str:
    """A transport of Exim with ndr pipe, also over an end of the service."""
    said = arrives(house, "pipe-bounces", "/var/lib/ndr/exim.ndjson")
    house.stop("service")
    house.send("pipe-bounces@mail.example", FEW, first=FEW)
    house.until("a deferral", lambda: b" == pipe-bounces@" in house.read("/var/log/exim4/mainlog"), 60)
    house.serve()
    house.until("the rest", lambda: house.answers("/var/lib/ndr/exim.ndjson").total() == 2 * FEW, 120)
    return f"{said}; {FEW} more while the service was away, all stored after it came back"


def exim_curl(house: House) -> str:
    """An alias of Exim that calls curl: delivered while the service answers, kept while it does not."""
    house.send("curl-bounces@mail.example", FEW)
    house.until(
        "deliveries", lambda: house.read("/var/log/exim4/mainlog").count(b"T=address_pipe") >= FEW, 60
    )
    log = house.read("/var/log/exim4/mainlog").decode()
    assert log.count(" => |") == FEW, log
    return f"{FEW} of {FEW} delivered"


Trial = Callable[[House], str]
HOUSES: tuple[tuple[str, tuple[str, ...], Callable[[House], None], tuple[Trial, ...]], ...] = (
    (
        "postfix",
        POSTFIX,
        start_postfix,
        (alias_with_curl, postfix_pipe, lmtp_route, milter, own_bounce, rspamd, imap, three_routes),
    ),
    ("exim", EXIM, start_exim, (exim_pipe, exim_curl)),
)


def main() -> int:
    """Runs them; the exit code."""
    names = [trial.__name__ for *_, trials in HOUSES for trial in trials]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path, metavar="WORK")
    parser.add_argument("names", nargs="*", help="which ones; all by default")
    parser.add_argument("--source", type=Path, default=ROOT, help="the checkout to install")
    options = parser.parse_intermixed_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(os.EX_TEMPFAIL))  # boxes end with their exit
    passed = failed = 0
    for box, packages, start, trials in HOUSES:
        wanted = [trial for trial in trials if trial.__name__ in (options.names or names)]
        if not wanted:
            continue
        with House(options.work, box, packages, options.source) as house:
            start(house)
            for trial in wanted:
                try:
                    sys.stdout.write(f"ok   {trial.__name__}: {trial(house)}\n")
                    passed += 1
                except Exception as error:  # noqa: BLE001  # the others still run
                    sys.stdout.write(f"FAIL {trial.__name__}: {type(error).__name__}: {str(error)[:2000]}\n")
                    failed += 1
                sys.stdout.flush()
            keep_logs(house, options.work / "logs" / box)
    sys.stdout.write(f"{passed} passed, {failed} failed\n")
    return bool(failed)


def keep_logs(house: House, target: Path) -> None:
    """Copies the logs out of the box."""
    target.mkdir(parents=True, exist_ok=True)
    for pattern in (
        "var/log/trial/*.log",
        "var/log/postfix.log",
        "var/log/exim4/mainlog",
        "var/log/rspamd/rspamd.log",
    ):
        for file in house.box.root.glob(pattern):
            (target / file.name).write_bytes(file.read_bytes())


if __name__ == "__main__":
    sys.exit(main())
