"""Train the phantom checkpoint: ``python -m model.phantom.train --out FOLDER``.

Two stages. First the encoder learns to find every planted finding (`detection`);
then it is frozen, and projector and language model learn the three tasks with the
loss on answers alone (`reporting`). The batches follow from the seed and the step,
so a training that was stopped goes on as it would have gone. With a limit in
minutes the learning rate follows the time instead of the steps.
"""

import argparse
import json
import logging
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from model.maira2.modeling import Attention, Maira2ForConditionalGeneration
from model.phantom.checkpoint import (
    phantom_config,
    phantom_tokenizer,
    write_checkpoint,
)
from model.phantom.dataset import Studies
from model.phantom.stages import DetectionStage, ReportStage, Stage

LOG_FILE = "training_log.json"
_LOG = logging.getLogger(__name__)
_SAVE_SECONDS = 240.0
_LOG_STEPS = 50
_DETECTION_SHARE = 0.4
"""Share of a limit in minutes that the first stage may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long one stage trains and how fast. `minutes` None: by steps alone."""

    name: str
    steps: int
    batch: int
    rate: float
    minutes: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a training run was asked to do; `work` keeps what a resumption needs."""

    out: Path
    work: Path
    studies: int
    seed: int
    detection: Schedule
    reports: Schedule


class Trainer:
    """One model under training: stage by stage, saved as it goes."""

    def __init__(self, options: Options) -> None:
        torch.manual_seed(options.seed)
        self._options = options
        tokenizer = phantom_tokenizer()
        self._model = Maira2ForConditionalGeneration(phantom_config(tokenizer))
        self._model.use_attention(Attention.SDPA)
        self._studies = Studies(options.work / "studies", options.studies)
        self._detection = DetectionStage(self._model, self._studies)
        self._reports = ReportStage(self._model, self._studies, tokenizer)
        self._history: list[dict[str, float | str]] = []

    def run(self) -> None:
        """Train both stages, or what is left of them, and write the checkpoint."""
        self._train(self._detection, self._options.detection)
        self._model.model.vision_tower.requires_grad_(requires_grad=False)
        self._train(self._reports, self._options.reports)
        self._write()

    def _train(self, stage: Stage, schedule: Schedule) -> None:
        """Run one stage from where it was left to its end."""
        learning = nn.ModuleList(stage.parts)
        optimizer = torch.optim.AdamW(
            learning.parameters(),
            lr=schedule.rate,
            betas=(0.9, 0.98),
            weight_decay=0.02,
        )
        step, spent = self._resume(schedule, learning, optimizer)
        saved = time.monotonic()
        began = saved - spent
        while (share := _progress(schedule, step, time.monotonic() - began)) < 1.0:
            _set_rate(optimizer, schedule.rate * _rate_factor(share, step))
            loss, quality = self._step(stage, schedule, step)
            optimizer.step()
            step += 1
            if step % _LOG_STEPS == 0:
                self._note(schedule, step, (time.monotonic() - began, loss, quality))
            if time.monotonic() - saved > _SAVE_SECONDS:
                saved = time.monotonic()
                self._save(schedule, (step, saved - began), (learning, optimizer))
        self._save(schedule, (step, time.monotonic() - began), (learning, optimizer))

    def _step(self, stage: Stage, schedule: Schedule, step: int) -> tuple[float, float]:
        """Leave the gradients of one batch, which follows from seed and step."""
        number = 0 if schedule is self._options.detection else 1
        rng = np.random.default_rng((self._options.seed, number, step))
        studies = len(self._studies.examples)
        chosen = rng.integers(studies, size=schedule.batch).tolist()
        for part in stage.parts:
            part.zero_grad(set_to_none=True)
        loss, quality = stage.loss(chosen, rng)
        torch.autograd.backward(loss)
        parameters = [p for part in stage.parts for p in part.parameters()]
        nn.utils.clip_grad_norm_(parameters, 1.0)
        return loss.item(), quality

    def _note(
        self, schedule: Schedule, step: int, values: tuple[float, float, float]
    ) -> None:
        seconds, loss, quality = values
        self._history.append(
            {
                "stage": schedule.name,
                "step": step,
                "seconds": round(seconds),
                "loss": round(loss, 4),
                "quality": round(quality, 4),
            }
        )
        _LOG.info("%s", self._history[-1])

    def _save(
        self,
        schedule: Schedule,
        reached: tuple[int, float],
        learning: tuple[nn.Module, torch.optim.Optimizer],
    ) -> None:
        """Keep what a resumption needs, and the checkpoint as far as it is."""
        state = {
            "step": reached[0],
            "spent": reached[1],
            "learning": learning[0].state_dict(),
            "optimizer": learning[1].state_dict(),
            "history": self._history,
        }
        torch.save(state, self._state_path(schedule))
        if schedule is self._options.reports:
            self._write()

    def _resume(
        self, schedule: Schedule, learning: nn.Module, optimizer: torch.optim.Optimizer
    ) -> tuple[int, float]:
        """Take up a saved stage; returns its step and the seconds it has trained."""
        path = self._state_path(schedule)
        if not path.exists():
            return 0, 0.0
        state = torch.load(path, weights_only=True)
        learning.load_state_dict(state["learning"])
        optimizer.load_state_dict(state["optimizer"])
        self._history = state["history"]
        return int(state["step"]), float(state["spent"])

    def _state_path(self, schedule: Schedule) -> Path:
        return self._options.work / f"{schedule.name}.pt"

    def _write(self) -> None:
        """Write the checkpoint folder with the log of its training."""
        write_checkpoint(self._options.out, self._model)
        log = {
            "seed": self._options.seed,
            "studies": self._options.studies,
            "torch": torch.__version__,
            "stages": [asdict(self._options.detection), asdict(self._options.reports)],
            "quality": "detection: mean box overlap; reports: share of right tokens",
            "history": self._history,
        }
        text = json.dumps(log, indent=1)
        (self._options.out / LOG_FILE).write_text(text + "\n", encoding="utf-8")


def _progress(schedule: Schedule, step: int, seconds: float) -> float:
    by_steps = step / schedule.steps
    if schedule.minutes is None:
        return by_steps
    return max(by_steps, seconds / (60.0 * schedule.minutes))


def _rate_factor(share: float, step: int) -> float:
    """Return the factor of the learning rate: a short rise, then half a cosine."""
    rise = min(1.0, (step + 1) / 100.0)
    return rise * (0.02 + 0.98 * 0.5 * (1.0 + float(np.cos(np.pi * min(share, 1.0)))))


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m model.phantom.train")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("build/phantom"))
    parser.add_argument("--studies", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--detection-steps", type=int, default=6_000)
    parser.add_argument("--report-steps", type=int, default=3_600)
    parser.add_argument("--minutes", type=float, help="a limit for both stages")
    parser.add_argument("--threads", type=int, default=1)
    return parser


def _options(arguments: list[str]) -> Options:
    given = _parser().parse_args(arguments)
    torch.set_num_threads(given.threads)
    given.work.mkdir(parents=True, exist_ok=True)
    limit: float | None = given.minutes
    first = None if limit is None else limit * _DETECTION_SHARE
    second = None if limit is None else limit * (1.0 - _DETECTION_SHARE)
    steps = given.detection_steps, given.report_steps
    return Options(
        out=given.out,
        work=given.work,
        studies=given.studies,
        seed=given.seed,
        detection=Schedule(
            name="detection", steps=steps[0], batch=32, rate=1e-3, minutes=first
        ),
        reports=Schedule(
            name="reports", steps=steps[1], batch=16, rate=1.5e-3, minutes=second
        ),
    )


def main(arguments: list[str]) -> None:
    """Train as the command line asks."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    Trainer(_options(arguments)).run()


if __name__ == "__main__":
    main(sys.argv[1:])
