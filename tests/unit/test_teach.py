"""A correction changes the next answer: sent, reviewed, exported, learned, loaded, asked again."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from model.classifier import ARRAYS, CARD, classifier_in
from model.errors import DataError
from model.pipeline import build_diagnoser
from service.cli import ndr
from service.feedback_store import SqliteStore
from service.settings import Settings
from service.web.app import create_app
from service.wiring import Core, Services, build
from training.feedback import accepted_corrections, kept_templates, retrain
from training.sources import split
from training.templates import shipped_templates
from training.train import export, fit, samples_of

ODD = "550 5.0.0 <user@example.com>: the heron keeper asks to see a ruby feather first"
MORE = "550 5.0.0 <office@example.net>: our heron keeper asks for a ruby feather first, sorry"
CORRECT = "tls_failure"
"""What nobody would guess from these words."""

EVERY = 12
"""One template of so many is enough to show it, and fast."""


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier from some of the shipped templates."""
    folder = tmp_path_factory.mktemp("before")
    learned, _ = split(shipped_templates()[::EVERY])
    export(fit(samples_of(learned, variants=0)), folder, card={})
    return folder


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def service(model_dir: Path, data_dir: Path) -> FlaskClient:
    return create_app(build(Settings(model_dir=model_dir, data_dir=data_dir))).test_client()


def category(client: FlaskClient, text: str) -> str:
    answer = client.post("/v1/classify", json={"text": text}).json
    return str(answer["category"])


def feedback(data_dir: Path, *arguments: str) -> str:
    runner = CliRunner(env={"NDR_DATA_DIR": str(data_dir)})
    return runner.invoke(ndr, ["feedback", *arguments], catch_exceptions=False).stdout


def test_a_correction_changes_the_next_answer(before: Path, data_dir: Path, tmp_path: Path) -> None:
    client = service(before, data_dir)
    assert CORRECT != category(client, ODD)
    correction = client.post("/v1/feedback", json={"text": ODD, "correct_category": CORRECT}).json

    feedback(data_dir, "review", correction["id"], "--accept")
    feedback(data_dir, "export", str(tmp_path / "corrections.ndjson"), "--status", "accepted")
    learned, kept = split(shipped_templates()[::EVERY])
    retrain(
        accepted_corrections(tmp_path / "corrections.ndjson"),
        learned,
        tmp_path / "own",
        current=classifier_in(before),
        kept=[kept_templates(kept)],
        variants=0,
    )

    taught = service(tmp_path / "own", data_dir)
    assert [CORRECT, CORRECT] == [category(taught, text) for text in (ODD, MORE)]
    assert 1 == taught.get("/v1/model").json["model_card"]["corrections"]


def test_the_service_tells_which_classifier_answers(before: Path, data_dir: Path) -> None:
    told = service(before, data_dir).get("/v1/model").json

    assert (classifier_in(before).version, True) == (told["model_version"], told["custom_model"])


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        (ARRAYS, None, f"{ARRAYS}: file: No such file"),
        (ARRAYS, b"damaged", f"{ARRAYS}: digest"),
        (CARD, None, f"{CARD}: card: .*No such file"),
        (CARD, b"{", f"{CARD}: card"),
        (CARD, b"[5]", f"{CARD}: form"),
    ],
)
def test_a_wrong_classifier_stops_the_service_with_file_and_reason(
    before: Path, tmp_path: Path, file: str, content: bytes | None, says: str
) -> None:
    for name in (ARRAYS, CARD):
        (tmp_path / name).write_bytes((before / name).read_bytes())
    (tmp_path / file).unlink() if content is None else (tmp_path / file).write_bytes(content)

    with pytest.raises(DataError, match=says) as raised:
        build(Settings(model_dir=tmp_path))
    assert str(tmp_path) in str(raised.value)


@pytest.fixture
def unwritable(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(b"")
    return tmp_path / "file" / "data"


def test_a_folder_that_cannot_be_written_harms_only_corrections(unwritable: Path) -> None:
    client = create_app(
        Services(Settings(), Core(build_diagnoser(with_model=False)), SqliteStore(unwritable))
    ).test_client()
    refused = client.post("/v1/feedback", json={"text": ODD, "correct_category": CORRECT})

    assert (503, 200) == (refused.status_code, client.post("/v1/classify", json={"text": ODD}).status_code)
    assert str(unwritable) not in refused.text
