"""Trains the network that reads films, and measures it patient by patient.

Usage: python -m benchmarks.film_training CT.nii.gz [--write] [--leave-out]

CT.nii.gz is described in film_projections.py; the real films come from MAIRA_DATA.
`--write` replaces the network of the package. `--leave-out` trains once more for
each patient without that patient's films, and reads variations of them.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.film_negatives import negatives
from benchmarks.film_projections import projections, read_chest
from benchmarks.film_real import RealFilm, real_frontals, varied
from benchmarks.film_samples import Sample, phantoms
from dicom_io.inputs import film_classifier
from dicom_io.inputs.film import Shown, read_with
from dicom_io.inputs.film_classifier import WEIGHTS, Network, poses
from dicom_io.inputs.film_features import FEATURES, describe, make_thumbnail

SEED = 20_000_000
"""Of everything drawn here; films.py draws from other seeds."""

_UNITS, _EPOCHS, _BATCH = 48, 30, 128
_WEIGHT_DECAY, _HIGHEST_RATE = 1e-2, 6e-3
_CHESTS, _PHANTOMS, _VARIATIONS, _NEGATIVES = 350, 1600, 40, 4000
_TARGETS = {Shown.FRONTAL: 0, Shown.LATERAL: 1}
_WEIGHTS = {"real frontal": 2.0, "CT oblique": 0.5}
_COARSE_STEPS, _FINE_STEPS = 127, 32767


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """What is learned from.

    features : (examples, 16, FEATURES), the poses in the classifier's order.
    targets : 0 frontal, 1 lateral, 2 something else. patients : of real films.
    """

    features: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    patients: list[str]

    def without(self, patient: str) -> "Examples":
        """Return the examples of all others."""
        kept = [index for index, name in enumerate(self.patients) if name != patient]
        return Examples(
            features=self.features[kept],
            targets=self.targets[kept],
            weights=self.weights[kept],
            patients=[self.patients[index] for index in kept],
        )


def distinct_films() -> list[RealFilm]:
    """Return the real films without the copies in other transfer syntaxes."""
    copies = ("RG1_j", "_1_pa_", "mono1")
    return [film for film in real_frontals() if not any(c in film.name for c in copies)]


def samples(ct: Path) -> Iterator[tuple[str, Sample]]:
    """Yield everything that is learned from, with the patient of real films."""
    yield from varied(distinct_films(), _VARIATIONS, SEED)
    for sample in projections(read_chest(ct), _CHESTS, SEED):
        yield "", sample
    for sample in (*phantoms(_PHANTOMS, SEED), *negatives(_NEGATIVES, SEED)):
        yield "", sample


def collect(ct: Path) -> Examples:
    """Draw the samples and describe them in every pose."""
    features, targets, weights, patients = [], [], [], []
    for patient, sample in samples(ct):
        features.append(describe(poses(make_thumbnail(sample.image))))
        targets.append(_TARGETS.get(sample.shown, 2))
        weights.append(_WEIGHTS.get(sample.kind, 1.0))
        patients.append(patient)
    return Examples(
        features=torch.from_numpy(np.stack(features)),
        targets=torch.tensor(targets),
        weights=torch.tensor(weights),
        patients=patients,
    )


def train(examples: Examples) -> Network:
    """Return the network that is likeliest to have named each sample and its pose."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(FEATURES, _UNITS), torch.nn.ReLU(), torch.nn.Linear(_UNITS, 3)
    )
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=_WEIGHT_DECAY)
    batches = -(-len(examples.targets) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, _HIGHEST_RATE, total_steps=_EPOCHS * batches
    )
    for _ in range(_EPOCHS):
        order = torch.randperm(len(examples.targets))
        for first in range(0, len(order), _BATCH):
            batch = order[first : first + _BATCH]
            losses = _losses(net(examples.features[batch]), examples.targets[batch])
            optimizer.zero_grad()
            torch.autograd.backward(torch.mean(losses * examples.weights[batch]))
            optimizer.step()
            schedule.step()
    state = {name: value.numpy() for name, value in net.state_dict().items()}
    return Network(
        hidden=state["0.weight"].T,
        hidden_bias=state["0.bias"],
        out=state["2.weight"].T,
        out_bias=state["2.bias"],
    )


def _losses(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the surprise at the truth; scores : (samples, 16, 3)."""
    other = scores[:, :, 2].mean(dim=1, keepdim=True)
    likely = torch.log_softmax(
        torch.cat([scores[:, :, 0], scores[:, :, 1], other], dim=1), dim=1
    )
    # The first pose is the upright one, the fifth its mirror image.
    lateral = torch.logaddexp(likely[:, 16], likely[:, 20])
    named = torch.stack([likely[:, 0], lateral, likely[:, 32]], dim=1)
    return -named.gather(1, targets[:, None])[:, 0]


def in_steps(network: Network) -> dict[str, dict[str, object]]:
    """Return the network in whole steps: 8 bits for weights, 16 for biases."""
    parts = {name: getattr(network, name) for name in network.__slots__}
    return {name: _stepped(part) for name, part in parts.items()}


def _stepped(values: npt.NDArray[np.float32]) -> dict[str, object]:
    steps = _COARSE_STEPS if values.ndim == 2 else _FINE_STEPS
    unit = np.maximum(np.abs(values).max(axis=0), 1e-9) / steps
    unit = np.vectorize(lambda number: float(f"{number:.6g}"))(unit)
    whole = np.rint(values / unit).astype(int)
    return {"unit": unit.tolist(), "steps": whole.tolist()}


def written(network: Network) -> str:
    """Return the package's file of a network, a row of weights a line."""
    text = json.dumps(in_steps(network), separators=(",", ":"))
    return text.replace("],[", "],\n[").replace(',"steps"', ',\n"steps"') + "\n"


def leave_out(examples: Examples) -> None:
    """Print how each patient's films are read by a network that never saw them."""
    for patient in sorted(set(examples.patients) - {""}):
        network = train(examples.without(patient))
        films = [film for film in distinct_films() if film.patient == patient]
        plain = [read_with(network, film.image) for film in films]
        made = [read_with(network, s.image) for _, s in varied(films, 50, SEED + 1)]
        for name, readings in (("films", plain), ("variations", made)):
            right = sum(r.shown is Shown.FRONTAL for r in readings)
            unsure = sum(r.shown is Shown.UNSURE for r in readings)
            odd = sum(
                bool(r.quarter_turns or r.is_inverted or r.is_mirrored)
                for r in readings
            )
            wrong = len(readings) - right - unsure
            print(
                f"{patient:<14}{name:<11} n {len(readings):4d}  frontal {right:4d}  "
                f"unsure {unsure:4d}  other {wrong:3d}  odd {odd:3d}",
                flush=True,
            )


def main() -> int:
    """Train; write or measure as asked; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ct", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--leave-out", action="store_true")
    asked = parser.parse_args()
    examples = collect(asked.ct)
    print(f"{len(examples.targets)} examples", flush=True)
    if asked.write:
        path = Path(film_classifier.__file__).with_name(WEIGHTS)
        path.write_text(written(train(examples)), encoding="ascii")
    if asked.leave_out:
        leave_out(examples)
    return 0


if __name__ == "__main__":
    sys.exit(main())
