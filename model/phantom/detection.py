"""First stage of training: an encoder whose patches know the findings.

Each slot (a kind of finding on a side) asks the patches once, by attention, whether
it is present and where. The language model of the second stage can do no more than
that, so features that serve this head serve it too. The head is thrown away.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Dinov2Backbone

from model.phantom.dataset import SLOTS, Example
from model.phantom.findings import Kind
from model.report import NormalizedBox

LATERAL_SLOT = SLOTS.index((Kind.RETROCARDIAC_NODULE, 0))
_HEADS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Truth for a batch of images.

    `present`, `asked` : (images, slots), 1 where the finding is there, and where
    the image can tell; `boxes` : (images, slots, 4), with `boxed` where they hold.
    """

    present: Tensor
    asked: Tensor
    boxes: Tensor
    boxed: Tensor


class DetectionHead(nn.Module):
    """Slots that look at the patches."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(len(SLOTS), width) * 0.1)
        self.attention = nn.MultiheadAttention(width, _HEADS, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.hidden = nn.Linear(width, width)
        self.outputs = nn.Linear(width, 5)
        self.heat = nn.Linear(width, len(SLOTS))
        # Most slots are empty and most patches show none: start from there.
        nn.init.constant_(self.outputs.bias[:1], -2.2)
        nn.init.constant_(self.heat.bias, -4.5)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return presence (images, slots), boxes (…, 4) and heat (…, patches).

        features : (images, patches, width). Presence and heat are logits.
        """
        queries = self.queries.expand(len(features), -1, -1)
        found = queries + self.attention(queries, features, features)[0]
        found = found + functional.gelu(self.hidden(self.norm(found)))
        outputs = self.outputs(found)
        heat = self.heat(features).transpose(1, 2)
        return outputs[..., 0], outputs[..., 1:].sigmoid(), heat


def detection_loss(
    answers: tuple[Tensor, Tensor, Tensor], targets: Targets
) -> tuple[Tensor, Tensor]:
    """Return the loss and the mean overlap (IoU) of the boxes asked for."""
    present, boxes, heat = answers
    presence = functional.binary_cross_entropy_with_logits(
        present, targets.present, reduction="none"
    )
    presence = (presence * targets.asked).sum() / targets.asked.sum()
    found, wanted = boxes[targets.boxed], targets.boxes[targets.boxed]
    overlap = box_overlap(found, wanted)
    offset = (found - wanted).abs().mean()
    area = patch_coverage(targets, heat.shape[-1])
    warmth = functional.binary_cross_entropy_with_logits(heat, area, reduction="none")
    warmth = (warmth * targets.asked[..., None]).mean()
    loss = 2.0 * presence + 5.0 * offset + (1.0 - overlap.mean()) + 40.0 * warmth
    return loss, overlap.mean()


def box_overlap(one: Tensor, other: Tensor) -> Tensor:
    """Return intersection over union of boxes (n, 4): (n,)."""
    top_left = torch.maximum(one[:, :2], other[:, :2])
    bottom_right = torch.minimum(one[:, 2:], other[:, 2:])
    shared: Tensor = (bottom_right - top_left).clamp(min=0).prod(dim=1)
    areas = [(b[:, 2:] - b[:, :2]).clamp(min=0).prod(dim=1) for b in (one, other)]
    union: Tensor = areas[0] + areas[1] - shared + 1e-6
    return shared / union


def patch_coverage(targets: Targets, patches: int) -> Tensor:
    """Return the share of each patch that a box covers: (images, slots, patches)."""
    side = round(patches**0.5)
    edges = torch.arange(side + 1, dtype=torch.float32) / side
    low, high = edges[:-1], edges[1:]
    boxes = targets.boxes[..., None]
    wide = torch.minimum(boxes[:, :, 2], high) - torch.maximum(boxes[:, :, 0], low)
    tall = torch.minimum(boxes[:, :, 3], high) - torch.maximum(boxes[:, :, 1], low)
    wide, tall = wide.clamp(min=0) * side, tall.clamp(min=0) * side
    covered: Tensor = tall[..., :, None] * wide[..., None, :]
    return torch.flatten(covered * targets.boxed[..., None, None], 2)


def initialise_encoder(tower: Dinov2Backbone) -> None:
    """Start an encoder so that it learns from few images.

    The library's start is meant for long pre-training: from it this encoder stayed
    for hundreds of steps at answers that ignore the image. Patches begin as
    cosine transforms of their pixels, positions clearly apart.
    """
    embeddings = tower.embeddings
    nn.init.normal_(embeddings.position_embeddings, std=0.3)
    projection = embeddings.patch_embeddings.projection
    with torch.no_grad():
        projection.weight.copy_(_cosine_filters(projection.weight))
    for parameter in tower.encoder.parameters():
        if parameter.ndim == 2:
            nn.init.xavier_uniform_(parameter)


def _cosine_filters(weight: Tensor) -> Tensor:
    """Return the cosine transform's lowest frequencies, shaped as `weight`."""
    count, channels, side = weight.shape[:3]
    places = (torch.arange(side) + 0.5) * torch.pi / side
    waves = torch.cos(torch.arange(side)[:, None] * places)
    waves = waves / waves.norm(dim=1, keepdim=True)
    pairs = sorted((i + j, i, j) for i in range(side) for j in range(side))[:count]
    # Natural images have less of the high frequencies: these are raised.
    filters = [
        0.07 * (1 + order) * waves[i][:, None] * waves[j] for order, i, j in pairs
    ]
    return torch.stack(filters)[:, None].expand(-1, channels, -1, -1) / channels


def targets_of(shown: list[tuple[Example, int]]) -> Targets:
    """Return the truth for images, each given as its study and its place in it.

    Places are those of the crops: 0 current frontal, 1 lateral, 2 prior frontal.
    """
    shape = (len(shown), len(SLOTS))
    present, asked = torch.zeros(shape), torch.ones(shape)
    boxes, boxed = torch.zeros((*shape, 4)), torch.zeros(shape, dtype=torch.bool)
    for row, (example, place) in enumerate(shown):
        if place == 1:
            asked[row] = 0.0
        asked[row, LATERAL_SLOT] = float(place == 1)
        slots = example.prior_slots if place == 2 else example.slots
        for slot, box in slots.items():
            present[row, slot] = 1.0
            if box is not None and place != 1:
                boxes[row, slot] = torch.tensor(_numbers(box))
                boxed[row, slot] = True
    return Targets(present=present, asked=asked, boxes=boxes, boxed=boxed)


def _numbers(box: NormalizedBox) -> tuple[float, float, float, float]:
    return box.x_min, box.y_min, box.x_max, box.y_max
