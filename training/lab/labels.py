"""From the reports that arrived to a labelled directory; the truth is the scenarios'."""

from __future__ import annotations

import json
import mailbox
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path
from typing import Any

from model.taxonomy import BY_CODE, UNKNOWN, taxonomy
from training.lab.scenario import Recipient, Scenario

NOTICE = "delivery_notice"
EXPIRED = "message_expired"
_SUCCESS = re.compile(
    r"(?mi)^Action: (?:delivered|relayed|expanded)|\bwas successful|successfully (?:delivered|relayed)"
)
_FAILED = re.compile(r"(?mi)^Action: (?:failed|delayed)")
_FIELDS = re.compile(r"(?mi)^(?:Final|Original)-Recipient:.*")
_EICAR = re.compile(rb"X5O!P%@AP[^\r\n]*")


@dataclass(frozen=True, slots=True)
class Labelled:
    """One report with its label."""

    label: dict[str, Any]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Reader:
    """How one system's reports are read: its warnings, and where it hides the reason."""

    system: str
    warning: str
    hidden: tuple[dict[str, str], ...] = ()


def read_reports(path: Path) -> Iterator[bytes]:
    """The messages of a Maildir or an mbox file; none when there is none yet."""
    if path.is_file():
        yield from (bytes(each) for each in mailbox.mbox(path, create=False))
    for part in ("new", "cur"):
        yield from (file.read_bytes() for file in sorted((path / part).glob("*")))


def labelled(
    reports: Iterable[bytes], all_scenarios: Sequence[Scenario], reader: Reader
) -> Iterator[Labelled]:
    """The reports with the truth about them; mail that belongs to no scenario is left out."""
    counts: dict[str, int] = {}
    for raw in reports:
        scenario = scenario_of(raw, all_scenarios)
        label = _label(raw, scenario, reader) if scenario else None
        if not scenario or not label:
            continue
        counts[scenario.id] = counts.get(scenario.id, 0) + 1
        name = f"{reader.system}-{scenario.id.replace('_', '-')}-{counts[scenario.id]}"
        yield Labelled(
            {"id": name, "path": f"mails/{name}.eml", **label}, _EICAR.sub(b"[test string removed]", raw)
        )


def scenario_of(raw: bytes, all_scenarios: Sequence[Scenario]) -> Scenario | None:
    """The scenario that a report is about: its domain is in it, or its recipient."""
    text = readable_text(raw).lower()
    for scenario in all_scenarios:
        names = [each.address.lower() for each in scenario.recipients]
        if scenario.route != "local":
            names.append(scenario.domain.lower())
        if any(name in text for name in names):
            return scenario
    return None


def readable_text(raw: bytes) -> str:
    """The headers and the decoded parts of a message, as one text."""
    parts = []
    for part in message_from_bytes(raw).walk():
        parts.append("\n".join(f"{name}: {value}" for name, value in part.items()))
        payload = part.get_payload(decode=True)
        parts.append(payload.decode("utf-8", "replace") if isinstance(payload, bytes) else "")
    return "\n".join(parts)


def _label(raw: bytes, scenario: Scenario, reader: Reader) -> dict[str, Any] | None:
    text = readable_text(raw)
    kind = _kind(text, scenario, reader.warning)
    about = _about(text, scenario, kind)
    hidden = {each["category"] for each in reader.hidden if re.search(each["text"], text)}
    if not about or (kind == "delay" and not scenario.warn and EXPIRED not in hidden):
        return None
    lead = max(about, key=lambda each: taxonomy()[each.category].severity)
    accept = {name for each in about for name in each.accept} | set(scenario.accept_by.get(reader.system, ()))
    return {
        "system": reader.system,
        "scenario": scenario.id,
        "split": scenario.split,
        "kind": kind,
        "category": lead.category,
        "accept": sorted(accept | hidden),
        "permanence": _permanence(lead, scenario, kind, hidden),
        "recipients": [each.address.lower() for each in about],
        "by_recipient": {each.address.lower(): each.category for each in about},
        "hard": bool(hidden),
    }


def _kind(text: str, scenario: Scenario, warning: str) -> str:
    if re.search(warning, text):
        return "delay"
    is_good = all(each.category == NOTICE for each in scenario.recipients)
    return "success" if is_good and _SUCCESS.search(text) and not _FAILED.search(text) else "bounce"


def _about(text: str, scenario: Scenario, kind: str) -> list[Recipient]:
    wanted = [each for each in scenario.recipients if (each.category == NOTICE) == (kind == "success")]
    if len(scenario.recipients) == 1:
        return wanted
    told = "\n".join(_FIELDS.findall(text)) or text
    return [each for each in wanted if each.address.lower() in told.lower()]


def _permanence(lead: Recipient, scenario: Scenario, kind: str, hidden: set[str]) -> str:
    """What the queue did; unknown where the report says the contrary of it, or nothing."""
    if kind == "delay":
        return "unknown" if EXPIRED in hidden else "temporary"
    is_deferred = lead.reply.startswith("4") if lead.reply else scenario.is_deferred
    if is_deferred or EXPIRED in hidden:
        return "permanent"
    if kind == "success" or UNKNOWN in hidden:
        return "unknown"
    return "permanent" if lead.permanence == BY_CODE else lead.permanence


def write(out: Path, system: str, found: Sequence[Labelled]) -> None:
    """Replace one system's reports in a labelled directory."""
    (out / "mails").mkdir(parents=True, exist_ok=True)
    for old in (out / "mails").glob(f"{system}-*.eml"):
        old.unlink()
    file = out / "labels.jsonl"
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    labels = [label for label in map(json.loads, lines) if label["system"] != system]
    for each in found:
        (out / each.label["path"]).write_bytes(each.raw)
    labels += [each.label for each in found]
    labels.sort(key=lambda label: str(label["id"]))
    file.write_text("".join(f"{json.dumps(label, ensure_ascii=False)}\n" for label in labels), "utf-8")
