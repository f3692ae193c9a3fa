"""Diagnoses a folder of bounces in one streamed call: python batch.py FOLDER; a line for each mail."""

import base64
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from service.client import Client


def items(folder: Path) -> Iterator[dict[str, str]]:
    """The mails, read one after another while earlier ones are being answered."""
    for file in sorted(folder.iterdir()):
        message = base64.b64encode(file.read_bytes()).decode("ascii")
        yield {"id": file.name, "message": message, "encoding": "base64"}


client = Client(os.environ.get("NDR_URL", "http://127.0.0.1:8080"), os.environ.get("NDR_KEY"))
for answer in client.batch(items(Path(sys.argv[1]))):
    sys.stdout.write(f"{answer['id']}: {answer.get('category') or answer.get('title')}\n")
