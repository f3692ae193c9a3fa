"""A small client of the service, in one file that needs nothing beside the standard library.

ClientError
├── Unreachable   nobody answered, or the service has trouble: the same call may go later
└── Refused       the service does not want the call as it is: holds the problem that it answered

    client = Client("http://127.0.0.1:8080")
    client.classify("550 5.1.1 User unknown")["category"]
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import threading
import time
from binascii import b2a_base64
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import IO, Any
from urllib.parse import quote, urlencode, urlsplit

Answer = dict[str, Any]
"""An object that the service answered."""

AGAIN = frozenset({408, 425, 429})
"""Statuses below 500 after which the same call may succeed a little later."""

PAUSE_S = 0.25
"""The pause before the second try; each further one is four times as long."""

MOST_PAUSE_S = 30.0
MOST_ANSWER_BYTES = 64 << 20
CHUNK_BYTES = 1 << 16
MAIL = "message/rfc822"
JSON = "application/json"
NDJSON = "application/x-ndjson"
BINARY = "application/octet-stream"


class ClientError(Exception):
    """The root: catch it to catch everything that this client raises on purpose."""


class Unreachable(ClientError):
    """Nobody answered, or the service has trouble: the same call may go later, perhaps it says when."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class Refused(ClientError):
    """The service does not want the call as it is: the status of HTTP, and a problem after RFC 9457."""

    def __init__(self, status: int, problem: Answer) -> None:
        super().__init__(f"the service answered {status}: {problem.get('title', 'no reason')}")
        self.status = status
        self.problem = problem


class Client:
    """Asks one service.

    Args:
        base_url: its address, http or https; a path in it stands before those of the calls.
        key: the key to show, where the service asks for one.
        timeout_s: for connecting, and for each wait on the service.
        retries: further tries of a call that may be made twice, after ``Unreachable``.
        tls: how https is checked; by the system's authorities when left out.

    Raises:
        ValueError: the address is not one of http or https.
    """

    def __init__(
        self,
        base_url: str,
        key: str | None = None,
        timeout_s: float = 30.0,
        retries: int = 2,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ValueError("the service's address begins with http:// or https:// and a host")
        self.host, self.port, self.secure = parts.hostname, parts.port, parts.scheme == "https"
        self.path = parts.path.rstrip("/")
        self.timeout_s, self.retries, self.tls = timeout_s, retries, tls
        self._headers = {"User-Agent": "ndr-triage", "Accept": JSON}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"

    def classify(
        self,
        evidence: bytes | str,
        *,
        language: str | None = None,
        fields: Iterable[str] = (),
        media_type: str = BINARY,
    ) -> Answer:
        """Diagnoses one mail (bytes; also an Outlook file) or one reply (text).

        Args:
            evidence: what came back.
            language: of the answer.
            media_type: of bytes, where it is known, such as ``MAIL``.
            fields: the names to keep; none means all.

        Raises:
            ClientError: there is nothing in it; or nobody answered.
        """
        if isinstance(evidence, str):
            evidence, media_type = evidence.encode(), "text/plain; charset=utf-8"
        path = "/v1/classify" + _query({"fields": ",".join(fields)})
        headers = {"Content-Type": media_type, **_spoken(language)}
        return _object(self._safe_call("POST", path, evidence, headers))

    def batch(
        self, items: Iterable[Mapping[str, Any]], *, language: str | None = None, fields: Iterable[str] = ()
    ) -> Iterator[Answer]:
        """Diagnoses many, each on its own: answers come in order while later items are still being sent.

        An item holds ``text``, or ``message`` with ``encoding``, and an ``id`` of yours if you like. One that
        cannot be diagnosed has a problem in its place. It is not tried again, for the items are used up.

        Raises:
            ClientError: the batch as a whole is refused; or nobody answered.
        """
        path = "/v1/classify/batch" + _query({"fields": ",".join(fields)})
        headers = {"Content-Type": NDJSON, "Accept": NDJSON, **_spoken(language)}
        sending = _Sending(json.dumps(item).encode() + b"\n" for item in items)
        return self._streamed(path, headers, sending)

    def diagnose(self, files: Mapping[str, bytes], **question: str) -> Answer:
        """Makes one diagnosis of several pieces of evidence on one delivery.

        Args:
            files: names and contents; each is recognised.
            question: ``message_id``, ``recipient``, ``language``, where they are known.

        Raises:
            ClientError: a piece cannot be read; or nobody answered.
        """
        media_type, body = _form(files, question)
        return _object(self._safe_call("POST", "/v1/diagnose", body, {"Content-Type": media_type}))

    def upload_archive(self, file: IO[bytes], *, name: str = "", **options: str) -> Answer:
        """Uploads a regular file, and starts a job on it that people know by the name; tried once.

        Raises:
            ClientError: it is too large; or nobody answered.
        """
        size = os.fstat(file.fileno()).st_size - file.tell()
        headers = {"Content-Type": BINARY, "Content-Length": str(size)}
        return _object(self._call("POST", "/v1/archives" + _query({"name": name, **options}), file, headers))

    def archive(self, archive_id: str) -> Answer:
        """How far a job on an archive is.

        Raises:
            ClientError: there is no such job; or nobody answered.
        """
        return _object(self._safe_call("GET", f"/v1/archives/{quote(archive_id, safe='')}"))

    def archive_results(self, archive_id: str, target: IO[bytes], *, media_type: str = NDJSON) -> int:
        """Writes the results of a job to a file; how many bytes they are.

        Raises:
            ClientError: the job still runs; or nobody answered.
        """
        path = f"/v1/archives/{quote(archive_id, safe='')}/results"
        with self._asked("GET", path, None, {"Accept": media_type}) as response:
            return sum(target.write(piece) for piece in iter(lambda: _piece(response, CHUNK_BYTES), b""))

    def feedback(
        self, evidence: bytes | str, correct_category: str, *, note: str = "", result_id: str | None = None
    ) -> Answer:
        """Sends a correction, safely: what is sent twice counts once.

        Raises:
            ClientError: no category has that name; or nobody answered.
        """
        given = {"correct_category": correct_category, "note": note, "result_id": result_id}
        content = _item(evidence) | {name: value for name, value in given.items() if value}
        headers = {"Content-Type": JSON, "Idempotency-Key": os.urandom(16).hex()}
        return _object(self._safe_call("POST", "/v1/feedback", json.dumps(content).encode(), headers))

    def _safe_call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """A call that does no harm when it is made twice, so it is."""
        for number in range(self.retries):
            try:
                return self._call(method, path, body, headers or {})
            except Unreachable as failure:
                time.sleep(min(MOST_PAUSE_S, failure.retry_after_s or PAUSE_S * 4**number))
        return self._call(method, path, body, headers or {})

    def _call(
        self, method: str, path: str, body: bytes | IO[bytes] | None, headers: Mapping[str, str]
    ) -> bytes:
        with self._asked(method, path, body, headers) as response:
            return _content(response)

    @contextmanager
    def _asked(
        self, method: str, path: str, body: bytes | IO[bytes] | None, headers: Mapping[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        connection = self._connection()
        try:
            connection.request(method, self.path + path, body, {**self._headers, **headers})
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unreachable(f"{self.host} cannot be reached: {_reason(error)}") from error
        with closing(connection), response:
            yield _accepted(response)

    def _connection(self) -> http.client.HTTPConnection:
        if not self.secure:
            return http.client.HTTPConnection(self.host, self.port, timeout=self.timeout_s)
        context = self.tls or ssl.create_default_context()
        return http.client.HTTPSConnection(self.host, self.port, timeout=self.timeout_s, context=context)

    def _streamed(self, path: str, headers: Mapping[str, str], sending: _Sending) -> Iterator[Answer]:
        connection = self._connection()
        answered = 0
        try:
            connection.putrequest("POST", self.path + path)
            for name, value in {**self._headers, **headers, "Transfer-Encoding": "chunked"}.items():
                connection.putheader(name, value)
            connection.endheaders()
            sending.start(connection.sock)
            with _accepted(connection.getresponse()) as response:
                while line := response.readline(MOST_ANSWER_BYTES):
                    yield _object(line)
                    answered += 1
        except (OSError, http.client.HTTPException) as error:
            sending.check()
            raise Unreachable(f"{self.host} cannot be reached: {_reason(error)}") from error
        finally:
            sending.stop()
            connection.close()
        sending.check()
        if not sending.is_done(answered):
            raise Unreachable(f"the batch broke off after {answered} answers")


class _Sending:
    """Sends the lines of a batch from a thread of its own, so that answers are read meanwhile."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self.lines = lines
        self.count, self._is_over, self._stopped = 0, False, False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self, sock: Any) -> None:  # noqa: ANN401  # a socket, plain or wrapped
        """Begins to send, in a thread of its own."""
        self._sock = sock
        self._thread.start()

    def stop(self) -> None:
        """Ends it after the line that is being sent."""
        self._stopped = True

    def check(self) -> None:
        """Raises what went wrong in the thread."""
        if self._failure:
            raise self._failure

    def is_done(self, answered: int) -> bool:
        """Whether all was sent, and so much of it answered."""
        self._thread.join(1)  # it has nothing more to do when all is answered
        return self._is_over and answered >= self.count

    def _run(self) -> None:
        try:
            for line in self.lines:
                if self._stopped or not self._is_sent(b"%x\r\n%s\r\n" % (len(line), line)):
                    return
                self.count += 1
            self._is_over = self._is_sent(b"0\r\n\r\n")
        except Exception as error:  # noqa: BLE001  # it is the caller's, and raised where they read
            self._failure = error
            self._sock.shutdown(socket.SHUT_RDWR)

    def _is_sent(self, content: bytes) -> bool:
        with suppress(OSError):  # whoever reads the answers notices too
            self._sock.sendall(content)
            return True
        return False


def _accepted(response: http.client.HTTPResponse) -> http.client.HTTPResponse:
    """A response that brings what was asked for.

    Raises:
        Unreachable: the service has trouble.
        Refused: it does not want the call.
    """
    if response.status < 300:
        return response
    content = _content(response)
    if response.status >= 500 or response.status in AGAIN:
        raise Unreachable(f"the service answered {response.status}", _wait_s(response))
    raise Refused(response.status, _problem(content))


def _content(response: http.client.HTTPResponse) -> bytes:
    content = _piece(response, MOST_ANSWER_BYTES + 1)
    if len(content) > MOST_ANSWER_BYTES:
        raise Unreachable(f"the answer has more than {MOST_ANSWER_BYTES} bytes")
    return content


def _piece(response: http.client.HTTPResponse, most_bytes: int) -> bytes:
    """The next bytes of a response, none at its end.

    Raises:
        Unreachable: it broke off.
    """
    try:
        piece = response.read(most_bytes)
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"the answer broke off: {_reason(error)}") from error
    if len(piece) < most_bytes and response.length:
        raise Unreachable("the answer broke off")
    return piece


def _wait_s(response: http.client.HTTPResponse) -> float | None:
    value = response.getheader("Retry-After", "")
    return float(value) if value.isascii() and value.isdecimal() else None


def _problem(content: bytes) -> Answer:
    problem = _parsed(content)
    return problem if isinstance(problem, dict) else {}


def _object(content: bytes) -> Answer:
    answer = _parsed(content)
    if not isinstance(answer, dict):
        raise Unreachable("the answer is no object of JSON")
    return answer


def _parsed(content: bytes) -> Any:  # noqa: ANN401  # any JSON value may come
    try:
        return json.loads(content)
    except ValueError:
        return None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


def _spoken(language: str | None) -> Mapping[str, str]:
    return {"Accept-Language": language} if language else {}


def _query(parameters: Mapping[str, str]) -> str:
    given = {name: value for name, value in parameters.items() if value}
    return "?" + urlencode(given) if given else ""


def _item(evidence: bytes | str) -> dict[str, str]:
    """Evidence as the fields of an object."""
    if isinstance(evidence, str):
        return {"text": evidence}
    return {"message": b2a_base64(evidence, newline=False).decode("ascii"), "encoding": "base64"}


def _form(files: Mapping[str, bytes], values: Mapping[str, str]) -> tuple[str, bytes]:
    """A form of files and values, and its media type."""
    boundary = os.urandom(16).hex()
    pieces = [
        (f'name="file"; filename="{_quoted(name)}"\r\nContent-Type: {BINARY}', content)
        for name, content in files.items()
    ]
    pieces += [(f'name="{_quoted(name)}"', value.encode()) for name, value in values.items()]
    parts = [
        f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + content + b"\r\n"
        for head, content in pieces
    ]
    return f"multipart/form-data; boundary={boundary}", b"".join([*parts, f"--{boundary}--\r\n".encode()])


def _quoted(name: str) -> str:
    return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
