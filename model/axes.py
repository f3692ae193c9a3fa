"""The axes beside the category: permanence, action, who can mend it, where it stopped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from model.rules import Match
from model.taxonomy import BY_CODE, UNKNOWN, taxonomy
from model.types import Action, FixOwner, Kind, Permanence, Prediction, Stage, Unwrapped

EXPIRED_FROM = 0.6
"""From this weight on, words of expiry make a bounce final."""

SURELY = 0.8
"""From this probability on, the classifier alone may say how lasting a failure without a reason is."""

_BY_DIGIT = {"4": Permanence.TEMPORARY, "5": Permanence.PERMANENT}
_DELIVERIES = (Kind.BOUNCE, Kind.DELAY)
_STAGE_BY_COMMAND = {"CONNECT": Stage.CONNECTION, "STARTTLS": Stage.CONNECTION}


@dataclass(frozen=True, slots=True)
class Facts:
    """What else bears on the verdict for one recipient."""

    kind: Kind
    kind_reason: str
    unwrapped: Unwrapped
    status: str | None = None
    original_seen: bool = False
    gave_up: bool = False

    @property
    def digit(self) -> str:
        """The first digit of the reply, else of the status; empty where there is neither."""
        reply = self.unwrapped.innermost if self.unwrapped.chain else None
        code = (str(reply.smtp or "") or reply.enhanced if reply else None) or self.status or ""
        return code[:1]


def permanence_of(
    category: str,
    own: Match | None,
    facts: Facts,
    *,
    matches: Iterable[Match] = (),
    prediction: Prediction | None = None,
) -> Permanence:
    """By what the mail system did, else by the rule, else by category, first digit and classifier."""
    usual = taxonomy()[category].permanence
    if facts.kind is Kind.DELAY:
        return Permanence.TEMPORARY
    if facts.kind is not Kind.BOUNCE:
        return Permanence.UNKNOWN
    if category == UNKNOWN:
        return _BY_DIGIT.get(facts.digit) or _heard(prediction)
    if usual != Permanence.UNKNOWN and _gave_up(category, facts, matches):
        return Permanence.PERMANENT
    if own is not None and own.rule.permanence is not None:
        return own.rule.permanence
    if usual == BY_CODE:
        return _BY_DIGIT.get(facts.digit) or _guessed(prediction)
    if usual == Permanence.PERMANENT and facts.digit == "4":
        return Permanence.TEMPORARY
    return Permanence(usual)


def action_of(category: str, own: Match | None, permanence: Permanence, facts: Facts) -> Action:
    """The rule's or the category's, within two limits.

    An address is only dropped when the report shows the message that was sent; nothing permanent is retried.
    """
    action = own.rule.action if own and own.rule.action else taxonomy()[category].action
    if action is Action.SUPPRESS and facts.kind in _DELIVERIES and not facts.original_seen:
        return Action.FIX_RECIPIENT
    if action in (Action.RETRY, Action.RETRY_SLOWER) and permanence is Permanence.PERMANENT:
        return Action.REVIEW
    return action


def fix_owner_of(category: str, own: Match | None) -> FixOwner:
    """The rule's or the category's."""
    return own.rule.fix_owner if own and own.rule.fix_owner else taxonomy()[category].fix_owner


def stage_of(category: str, own: Match | None, facts: Facts) -> Stage:
    """The rule's, else the category's, else by the refused command."""
    if own and own.rule.stage:
        return own.rule.stage
    usual = taxonomy()[category].stage
    by_command = _STAGE_BY_COMMAND.get(facts.unwrapped.command or "")
    return by_command or Stage.UNKNOWN if usual is Stage.UNKNOWN else usual


def _heard(prediction: Prediction | None) -> Permanence:
    """What the classifier is sure of."""
    if prediction is None or prediction.temporary is None:
        return Permanence.UNKNOWN
    if prediction.temporary >= SURELY:
        return Permanence.TEMPORARY
    return Permanence.PERMANENT if prediction.temporary <= 1 - SURELY else Permanence.UNKNOWN


def _guessed(prediction: Prediction | None) -> Permanence:
    if prediction is None or prediction.temporary is None:
        return Permanence.TEMPORARY
    return Permanence.TEMPORARY if prediction.temporary >= 0.5 else Permanence.PERMANENT


def _gave_up(category: str, facts: Facts, matches: Iterable[Match]) -> bool:
    """Whether the queue gave up; that it waited for a full mailbox, its words or a 4xx reply must show."""
    says_expired = _says_expired(matches)
    if category == "mailbox_full":
        return (facts.gave_up and facts.digit == "4") or (says_expired and facts.digit != "5")
    return facts.gave_up or says_expired


def _says_expired(matches: Iterable[Match]) -> bool:
    """Whether the words say that the queue gave up, whatever it was waiting for."""
    expired = (match for match in matches if match.rule.category == "message_expired")
    return any(match.weight >= EXPIRED_FROM and match.rule.text is not None for match in expired)
