"""A small network that weighs how a thumbnail shows a chest, if it does.

One network scores the picture as frontal, as lateral and as something else. It is
asked sixteen times: for each turn, mirrored or not, inverted or not. So it never
learns a turned film apart from an upright one, and the sixteen answers share one
probability of 1. How it was trained is in docs/films.md.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dicom_io.inputs.film_features import Thumbnail, describe

Poses: TypeAlias = npt.NDArray[np.float64]
"""(2, 2, 4): inverted or not, mirrored or not, clockwise turns that make it upright."""

WEIGHTS = "film_weights.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One hidden layer of rectified units; outputs: frontal, lateral, other.

    hidden : (FEATURES, units). hidden_bias : (units,). out : (units, 3).
    out_bias : (3,).
    """

    hidden: npt.NDArray[np.float32]
    hidden_bias: npt.NDArray[np.float32]
    out: npt.NDArray[np.float32]
    out_bias: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Posterior:
    """Probabilities that sum to 1.

    A lateral is neither mirrored nor not: a patient may face either way.
    """

    frontal: Poses
    lateral: Poses
    other: float


def classify(network: Network, thumbnail: Thumbnail) -> Posterior:
    """Return what a thumbnail shows, and how it lies."""
    scores = score(network, describe(poses(thumbnail)))
    logits = np.concatenate(
        [scores[:, 0], scores[:, 1], scores[:, 2].mean(keepdims=True)]
    )
    odds = np.exp(logits - logits.max())
    shares = odds / odds.sum()
    return Posterior(
        frontal=shares[:16].reshape(2, 2, 4),
        lateral=shares[16:32].reshape(2, 2, 4),
        other=float(shares[32]),
    )


def poses(thumbnail: Thumbnail) -> Thumbnail:
    """Return the thumbnail with each way to lie undone, in the order of `Poses`."""
    return np.stack(
        [undone(thumbnail, pose) for pose in np.ndindex(2, 2, 4)], dtype=np.float32
    )


def undone(thumbnail: Thumbnail, pose: tuple[int, ...]) -> Thumbnail:
    """Return the thumbnail turned, mirrored and inverted to be as it should."""
    inverted, mirrored, turns = pose
    upright = np.rot90(thumbnail, -turns)
    faced = upright[:, ::-1] if mirrored else upright
    return -faced if inverted else faced


def score(
    network: Network, features: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """Return (pictures, 3) logits."""
    hidden = np.maximum(features @ network.hidden + network.hidden_bias, 0.0)
    return np.asarray(hidden @ network.out + network.out_bias, dtype=np.float64)


@cache
def load_network() -> Network:
    """Return the network of this package; weights are whole steps of a unit."""
    content = json.loads(files(__package__).joinpath(WEIGHTS).read_text("ascii"))
    return Network(**{name: _restored(part) for name, part in content.items()})


def _restored(part: dict[str, list[float]]) -> npt.NDArray[np.float32]:
    return np.asarray(
        np.asarray(part["steps"], np.float32) * np.asarray(part["unit"], np.float32)
    )
