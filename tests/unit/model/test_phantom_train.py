import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from model.maira2.configuration import read_config
from model.maira2.tokenization import PromptTokenizer
from model.options import Domain
from model.phantom import train
from model.phantom.asking import SEED_LIMIT, held_out
from model.phantom.dataset import SLOTS, TRAINING_SEEDS, Example, Studies
from model.phantom.detection import (
    LATERAL_SLOT,
    Targets,
    box_overlap,
    patch_coverage,
    targets_of,
)
from model.phantom.reporting import (
    NOT_LEARNED,
    report_lesson,
    soft_targets,
    without_lateral,
    without_prior,
)
from model.phantom.tokenizer import build_tokenizer
from model.report import GroundedPhrase, NormalizedBox

TOKENIZER = PromptTokenizer(build_tokenizer())
BOX = NormalizedBox(x_min=0.5, y_min=0.25, x_max=0.75, y_max=0.5)
EXAMPLE = Example(
    has_lateral=True,
    has_prior=True,
    indication="Cough and fever.",
    technique=None,
    comparison=None,
    prior_report="No pneumothorax.",
    phrases=(
        GroundedPhrase(
            text="There is a nodule behind the heart, seen on the lateral view only, "
            "which is unchanged."
        ),
        GroundedPhrase(
            text="There is a small left pleural effusion, which is new.", boxes=(BOX,)
        ),
        GroundedPhrase(text="The right pneumothorax has resolved."),
        GroundedPhrase(text="No pneumothorax."),
    ),
    slots={0: BOX, LATERAL_SLOT: None},
    prior_slots={LATERAL_SLOT: None},
)


def _train(folder: Path) -> dict[str, torch.Tensor]:
    places = ["--out", str(folder / "out"), "--work", str(folder / "work")]
    size = ["--studies", "6", "--detection-steps", "2", "--report-steps", "2"]
    train.main([*places, *size, "--seed", "5", "--threads", "1"])
    return load_file(folder / "out" / "model.safetensors")


def test_a_training_taken_up_after_its_first_stage_ends_the_same(
    tmp_path: Path,
) -> None:
    whole = _train(tmp_path / "whole")
    whole_work = tmp_path / "whole" / "work"
    (tmp_path / "resumed" / "work").mkdir(parents=True)
    shutil.copy(whole_work / "detection.pt", tmp_path / "resumed" / "work")
    resumed = _train(tmp_path / "resumed")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert read_config(tmp_path / "whole/out").domain is Domain.PHANTOM


def test_held_out_phantoms_are_none_of_the_training() -> None:
    last = next(held_out(SEED_LIMIT - 1, 1))
    assert last.seed < TRAINING_SEEDS
    with pytest.raises(ValueError, match="seed"):
        held_out(SEED_LIMIT, 1)


def test_a_rendered_shard_is_read_back_with_its_images(tmp_path: Path) -> None:
    studies = Studies(tmp_path, 4)
    assert len(studies.examples) == 4
    for study, example in enumerate(studies.examples):
        assert studies.crop(study, 0).shape == (112, 112)
        assert bool(studies.crop(study, 1).any()) is example.has_lateral
        assert bool(studies.crop(study, 2).any()) is example.has_prior


def test_without_its_prior_a_study_is_not_compared() -> None:
    alone = without_prior(EXAMPLE)
    assert not alone.has_prior
    assert alone.prior_report is None
    assert [phrase.text for phrase in alone.phrases] == [
        "There is a nodule behind the heart, seen on the lateral view only.",
        "There is a small left pleural effusion.",
        "No pneumothorax.",
    ]


def test_without_its_lateral_a_study_has_nothing_behind_the_heart() -> None:
    alone = without_lateral(EXAMPLE)
    assert [phrase.text for phrase in alone.phrases] == [
        "There is a small left pleural effusion, which is new.",
        "The right pneumothorax has resolved.",
        "The lungs are clear.",
        "No pneumothorax.",
    ]


def test_only_the_answer_is_learned() -> None:
    lesson = report_lesson(EXAMPLE, TOKENIZER, np.random.default_rng(0))
    learned = [label != NOT_LEARNED for label in lesson.labels]
    first = learned.index(True)
    assert all(learned[first:])
    assert TOKENIZER.decode(lesson.ids[:first]).endswith("ASSISTANT: ")
    assert lesson.ids[-1] == TOKENIZER.end_id


def test_a_neighbouring_coordinate_is_nearly_right() -> None:
    row = soft_targets(TOKENIZER)[TOKENIZER.token_id("<x40>")]
    near, far, other = (TOKENIZER.token_id(t) for t in ("<x41>", "<x60>", "<y40>"))
    assert row.sum() == pytest.approx(1.0)
    assert row[TOKENIZER.token_id("<x40>")] > row[near] > row[far]
    assert row[other] == 0.0


def test_a_lateral_image_is_asked_for_its_own_finding_alone() -> None:
    targets = targets_of([(EXAMPLE, 0), (EXAMPLE, 1)])
    assert targets.asked[1].sum() == 1.0
    assert targets.asked[1, LATERAL_SLOT] == 1.0
    assert targets.asked[0, LATERAL_SLOT] == 0.0
    assert targets.boxed[0].tolist() == [slot == 0 for slot in range(len(SLOTS))]
    assert not targets.boxed[1].any()


def test_coverage_is_the_share_of_each_patch() -> None:
    boxes = torch.zeros(1, len(SLOTS), 4)
    # On 2 x 2 patches: half of the upper right one, half of the lower right one.
    boxes[0, 3] = torch.tensor([0.5, 0.25, 1.0, 0.75])
    boxed = torch.zeros(1, len(SLOTS), dtype=torch.bool)
    boxed[0, 3] = True
    shape = torch.ones(1, len(SLOTS))
    targets = Targets(present=shape, asked=shape, boxes=boxes, boxed=boxed)
    covered = patch_coverage(targets, 4)
    assert covered[0, 3].tolist() == [0.0, 0.5, 0.0, 0.5]
    assert covered.sum() == 1.0


def test_overlap_of_boxes_is_intersection_over_union() -> None:
    one = torch.tensor([[0.0, 0.0, 0.5, 1.0]])
    other = torch.tensor([[0.25, 0.0, 0.75, 1.0]])
    assert box_overlap(one, other).item() == pytest.approx(1 / 3, abs=1e-4)
