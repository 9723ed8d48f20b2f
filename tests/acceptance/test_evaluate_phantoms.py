"""Phantoms through the whole gateway, then RadFact against what was planted."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from dicom_io.phantom import DEFAULT_OPTIONS, phantom_study_files
from gateway.lifecycle import State
from gateway.process import process_files
from model.phantom.generator import PhantomOptions, PhantomStudy, make_phantom
from model.phantom.text import true_phrases
from model.report import GroundedPhrase
from tests.data.commands import call
from tests.data.sites import site_settings

SEEDS = (11, 12, 13)
pytestmark = pytest.mark.slow


def phantom(seed: int) -> PhantomStudy:
    return make_phantom(seed, PhantomOptions(short_side=224, normal=False))


def phrase(said: GroundedPhrase) -> dict[str, object]:
    boxes = [asdict(box.ordered()) for box in said.boxes]
    return {"text": said.text, "boxes": boxes or None}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Processed phantoms, and their true reports in RadFact's form."""
    folder = tmp_path_factory.mktemp("phantoms")
    paths, truth = [], []
    for seed in SEEDS:
        study = phantom(seed)
        files = phantom_study_files(study, DEFAULT_OPTIONS)
        for file in files:
            paths.append(folder / f"{seed}-{file.slot}.dcm")
            paths[-1].write_bytes(file.data)
        target = [phrase(each) for each in true_phrases(study)]
        uid = files[0].instance.study_instance_uid
        truth.append({"example_id": uid, "target": target})
    (folder / "truth.json").write_text(json.dumps(truth))
    outcome = process_files(site_settings(folder / "site"), paths, folder / "out")
    states = [study.state for study in outcome.studies]
    assert states.count(State.KEPT) >= len(SEEDS)
    return folder


@pytest.mark.parametrize("judge", ["exact", "phantom"])
def test_the_shipped_checkpoint_is_measured_against_planted_findings(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    judge: str,
) -> None:
    code, _, err = call(
        monkeypatch,
        capsys,
        "evaluate",
        *("--generated", folder / "out", "--references", folder / "truth.json"),
        *("--boxes", "crop", "--judge", judge, "--out", folder / judge),
    )
    assert (code, err) == (0, "")
    record = json.loads((folder / judge / "radfact_evaluation.json").read_text())
    scores = record["scores"]
    assert scores["num_samples"] == len(SEEDS)
    assert scores["num_llm_failures"] == 0
    assert record["boxes_compared"]
    assert scores["logical_precision"] >= 0.5
    assert scores["logical_recall"] >= 0.5
    if judge == "phantom":
        assert scores["logical_f1"] >= 0.8
        assert scores["grounding_precision"] >= 0.8
        assert scores["spatial_recall"] >= 0.6


def in_the_image(study: PhantomStudy) -> list[dict[str, object]]:
    """Return the true report as PadChest-GR writes it: shares of the stored image."""
    rows, columns = study.current_frontal.shape
    size = (columns, rows, columns, rows)
    planted: list[dict[str, object]] = [
        {
            "sentence_en": finding.sentence,
            "boxes": []
            if finding.box is None
            else [[v / s for v, s in zip(finding.box, size, strict=True)]],
        }
        for finding in study.findings
    ]
    normal: list[dict[str, object]] = [{"sentence_en": text} for text in study.normal]
    return [*planted, *normal]


def test_boxes_agree_in_the_stored_image_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [
        {
            "StudyID": phantom_study_files(study)[0].instance.study_instance_uid,
            "findings": in_the_image(study),
        }
        for study in map(phantom, SEEDS)
    ]
    path = folder / "padchest.json"
    path.write_text(json.dumps(entries))
    code, out, _ = call(
        monkeypatch,
        capsys,
        "evaluate",
        *("--generated", folder / "out", "--references", path, "--judge", "phantom"),
        *("--layout", "padchest-gr", "--out", folder / "image", "--json"),
    )
    scores = json.loads(out)["scores"]
    assert code == 0
    assert scores["grounding_precision"] >= 0.8
    assert scores["spatial_recall"] >= 0.6


def test_a_true_report_against_itself_is_perfect(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = json.loads((folder / "truth.json").read_text())
    both = [{**entry, "prediction": entry["target"]} for entry in truth]
    path = folder / "both.json"
    path.write_text(json.dumps(both))
    code, out, _ = call(
        monkeypatch,
        capsys,
        "evaluate",
        *("--generated", path, "--references", path, "--judge", "exact"),
        *("--out", folder / "self", "--json", "--no-page"),
    )
    scores = json.loads(out)["scores"]
    assert code == 0
    for name in ("logical", "spatial", "grounding"):
        assert scores[f"{name}_precision"] == scores[f"{name}_recall"] == 1.0
