"""Every way the shell can fail, beside what the core raises.

ServiceError
├── SettingError   a setting has a value that is not allowed: names the setting, the value, what is
├── NotReady       the self-test of the worked case does not come out right
├── CannotListen   the address is taken, or not ours
├── OutOfTime      the request used up its time
├── Busy           so many long transfers are under way that no other may begin
├── BadCorrection  a correction holds nothing to learn from, or a line of them is wrong
├── KeyReused      the key of an earlier request came with another body
├── UnreadablePiece   one of several pieces of evidence cannot be read: names it
├── UnreadableArchive   an archive, a part of it or its address is refused: says why
├── JobRefused     a job on archives cannot go on: they, the rules or the options changed, or its workers died
├── StillRunning   what was asked needs a job that has ended
├── NoResults      a job has no results, or not yet
├── CallFailed     another system cannot be reached or has trouble; later it may go
├── CallRefused    another system does not want a call, and will not later
└── StoreUnavailable   the place for corrections cannot be read or written
"""


class ServiceError(Exception):
    """The root: catch it to catch everything the shell raises on purpose."""


class SettingError(ServiceError):
    """A setting has a value that is not allowed.

    Args:
        name: the environment variable.
        value: what it holds.
        allowed: what it may hold.
    """

    def __init__(self, name: str, value: str, allowed: str) -> None:
        super().__init__(f"{name}={value!r}: allowed is {allowed}")
        self.name = name
        self.value = value
        self.allowed = allowed


class NotReady(ServiceError):
    """The service runs but does not answer right, so nobody should send it work."""


class CannotListen(ServiceError):
    """The address to listen on is taken, or not one of this machine."""


class OutOfTime(ServiceError):
    """The request used up its time before this item was reached."""


class Busy(ServiceError):
    """So many long transfers are under way that no other may begin here; a little later one may."""


class BadCorrection(ServiceError):
    """A correction holds nothing to learn from, or a line of corrections is wrong."""


class KeyReused(ServiceError):
    """The key of an earlier request came with another body."""


class UnreadablePiece(ServiceError):
    """One of several pieces of evidence cannot be read.

    Args:
        number: its place among them, from 0.
        name: how the caller knows it.
        reason: what the core says of it.
    """

    def __init__(self, number: int, name: str, reason: Exception) -> None:
        super().__init__(f"{name}: {reason}")
        self.number = number
        self.reason = reason


class StoreUnavailable(ServiceError):
    """The place for corrections cannot be read or written."""


class UnreadableArchive(ServiceError):
    """An archive, a part of it or its address is refused.

    Args:
        reason: why, in words that hold nothing of its text.
        name: which one, where that is not plain from the context.
    """

    def __init__(self, reason: str, name: str = "") -> None:
        super().__init__(f"{name}: {reason}" if name else reason)
        self.reason = reason
        self.name = name


class StillRunning(ServiceError):
    """What was asked needs a job that has ended."""


class NoResults(ServiceError):
    """A job has no results, or not yet."""


class CallFailed(ServiceError):
    """Another system cannot be reached or has trouble; later it may go.

    Args:
        reason: what happened, without secrets and text of mails.
        retry_after_s: when the other side wants to be asked again, where it says so.
    """

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class CallRefused(ServiceError):
    """Another system does not want a call, and will not later.

    Args:
        reason: what happened, without secrets and text of mails.
        status: the HTTP status that it answered.
    """

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


class JobRefused(ServiceError):
    """A job on archives cannot go on: these, the rules or the options changed, or its workers died."""
